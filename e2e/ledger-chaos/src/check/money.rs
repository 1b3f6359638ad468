//! No grant above a limit at any moment, from the history alone.
//!
//! Money is certainly gone from the moment at which somebody was told that a call is dispatched: the bound it was told,
//! the least it can have been granted where nobody heard that, or, once anybody has asked to settle it, what it at least
//! cost. The same goes for tokens. A grant was made at some moment between its first question
//! and its first answer; what was certainly gone during all of that time, and the grant, must fit into the highest
//! limit that may have been in force in it. What is not certain counts for the ledger, so nothing found is a mistake
//! of the check.

use super::{Account, granted};
use crate::amount::{Amount, Part};
use crate::history::{Ask, Edit, Moment, NEVER, State, Story};

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

pub(super) fn check(account: &Account) -> Vec<String> {
    Part::ALL.into_iter().flat_map(|part| overspent(account, part)).collect()
}

/// The grants of an account that went above its limit of one part.
fn overspent(account: &Account, part: Part) -> Vec<String> {
    let Account { number, stories, edits, .. } = account;
    let gone = stories.iter().filter_map(|s| Some((dispatched(s)?, told(s).of(part))));
    let gone = Sums::new(gone.collect());
    let back = Sums::new(stories.iter().filter_map(|s| settled(s, part)).collect());
    let mut problems = vec![];
    for story in stories {
        let Some((from, to)) = granted(story) else { continue };
        // No limit at all for some of the time: anything may be granted.
        let Some(limit) = highest(edits, part, from, to) else { continue };
        let certain = gone.until(from.saturating_sub(1)) - back.until(to);
        let bound = told(story).of(part);
        if certain + bound > limit {
            problems.push(format!(
                "overspend: account {number} granted {bound} {} to {} between {} and {} ms, with {certain} certainly \
                 gone and a limit of at most {limit}",
                part.unit(),
                story.call.key,
                from / 1_000_000,
                to / 1_000_000
            ));
        }
    }
    problems
}

/// What the call was granted as far as anybody heard.
fn told(story: &Story) -> Amount {
    let whole = story.call.whole;
    story.events.iter().find_map(|e| e.answer.bound(whole)).unwrap_or_else(|| story.call.floor())
}

/// When somebody knew that it is dispatched, or was.
fn dispatched(story: &Story) -> Option<Moment> {
    let after = [State::Dispatched, State::Settled, State::Unknown];
    let knew = story.events.iter().filter(|e| e.answer.state().is_some_and(|state| after.contains(&state)));
    knew.map(|e| e.end).min()
}

/// When the first wish to settle came, and the most that may have gone back since.
fn settled(story: &Story, part: Part) -> Option<(Moment, i64)> {
    let settles = || {
        story.events.iter().filter_map(|e| match e.ask {
            Ask::Settle { used } => Some((e.start, used.of(part))),
            _ => None,
        })
    };
    let (least, bound) = (settles().map(|(_, used)| used).min()?, told(story).of(part));
    Some((settles().map(|(start, _)| start).min()?, bound - least.min(bound)))
}

/// The highest limit that may have been in force; None if there may have been none.
fn highest(edits: &[&Edit], part: Part, from: Moment, to: Moment) -> Option<i64> {
    let until = |n: usize| edits.get(n + 1).map_or(NEVER, |next| next.end);
    let first = edits.partition_point(|edit| edit.end < from).saturating_sub(1);
    let in_force = (first..edits.len()).take_while(|n| edits[*n].start <= to).filter(|n| until(*n) >= from);
    in_force.map(|n| edits[n].limit.of(part)).try_fold(0, |most, limit| limit.map(|l| most.max(l)))
}
