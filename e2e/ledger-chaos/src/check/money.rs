//! No grant above a limit at any moment, from the history alone.
//!
//! Money is certainly gone from the moment at which somebody was told that a call is dispatched: its bound, or, once
//! anybody has asked to settle it, what it at least cost. A grant was made at some moment between its first question
//! and its first answer; what was certainly gone during all of that time, and the grant, must fit into the highest
//! limit that may have been in force in it. What is not certain counts for the ledger, so nothing found is a mistake
//! of the check.

use crate::history::{Answer, Ask, Edit, History, Moment, NEVER, State, Story};

/// Sums by moment.
struct Sums(Vec<(Moment, i64)>);

impl Sums {
    fn new(mut steps: Vec<(Moment, i64)>) -> Self {
        steps.sort_unstable();
        let mut sum = 0;
        for (_, step) in &mut steps {
            sum += *step;
            *step = sum;
        }
        Self(steps)
    }

    /// Of all steps until that moment.
    fn until(&self, moment: Moment) -> i64 {
        let count = self.0.partition_point(|(at, _)| *at <= moment);
        count.checked_sub(1).map_or(0, |last| self.0[last].1)
    }
}

pub(super) fn check(history: &History, account: usize, paid: impl Fn(usize) -> bool) -> Vec<String> {
    let stories: Vec<&Story> = history.stories.iter().filter(|s| paid(s.call.task)).collect();
    let gone = Sums::new(stories.iter().filter_map(|s| Some((dispatched(s)?, s.call.bound))).collect());
    let back = Sums::new(stories.iter().filter_map(|s| settled(s)).collect());
    let edits: Vec<&Edit> = history.edits.iter().filter(|e| e.account == account).collect();
    let mut problems = vec![];
    for story in stories {
        let Some((from, to)) = granted(story) else { continue };
        // No limit at all for some of the time: anything may be granted.
        let Some(limit) = highest(&edits, from, to) else { continue };
        let certain = gone.until(from.saturating_sub(1)) - back.until(to);
        let bound = story.call.bound;
        if certain + bound > limit {
            problems.push(format!(
                "overspend: account {account} granted {bound} to {} between {} and {} ms, with {certain} certainly gone \
                 and a limit of at most {limit}",
                story.call.key,
                from / 1_000_000,
                to / 1_000_000
            ));
        }
    }
    problems
}

/// When the grant was made: between the first question and the first answer that says so.
fn granted(story: &Story) -> Option<(Moment, Moment)> {
    let reserves = || story.events.iter().filter(|e| matches!(e.ask, Ask::Reserve { .. }));
    let to = reserves().filter(|e| matches!(e.answer, Answer::State(_))).map(|e| e.end).min()?;
    Some((reserves().map(|e| e.start).min()?, to))
}

/// When somebody knew that it is dispatched, or was.
fn dispatched(story: &Story) -> Option<Moment> {
    let after = [State::Dispatched, State::Settled, State::Unknown].map(Answer::State);
    story.events.iter().filter(|e| after.contains(&e.answer)).map(|e| e.end).min()
}

/// When the first wish to settle came, and the most that may have gone back since.
fn settled(story: &Story) -> Option<(Moment, i64)> {
    let settles = || {
        story.events.iter().filter_map(|e| match e.ask {
            Ask::Settle { cost } => Some((e.start, cost)),
            _ => None,
        })
    };
    let least = settles().map(|(_, cost)| cost).min()?;
    Some((settles().map(|(start, _)| start).min()?, story.call.bound - least.min(story.call.bound)))
}

/// The highest limit that may have been in force; None if there may have been none.
fn highest(edits: &[&Edit], from: Moment, to: Moment) -> Option<i64> {
    let until = |n: usize| edits.get(n + 1).map_or(NEVER, |next| next.end);
    let first = edits.partition_point(|edit| edit.end < from).saturating_sub(1);
    let in_force = (first..edits.len()).take_while(|n| edits[*n].start <= to).filter(|n| until(*n) >= from);
    in_force.map(|n| edits[n].limit).try_fold(0, |most, limit| limit.map(|l| most.max(l)))
}
