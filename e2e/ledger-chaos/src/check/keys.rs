//! One call's story: is there an order of its questions, each within its time, in which every answer is right and
//! that ends at the row there is? (Wing and Gong 1993, with what was decided remembered.) The row tells what was granted
//! to all of them: a bound that was told otherwise has no order.

use super::Leases;
use crate::amount::{Amount, Both};
use crate::history::{Answer, Moment, NEVER, Row, State, Story};
use crate::model::Stand;
use std::collections::HashSet;

/// The clocks of a lease and of a round differ by less.
const SLACK: Moment = 100_000_000;

pub(super) fn check(story: &Story, row: Option<&Row>, leases: Leases) -> Option<String> {
    let key = &story.call.key;
    let (floor, whole) = (story.call.floor(), story.call.whole);
    if row.is_some_and(|row| !(floor.within(row.bound) && row.bound.within(whole))) {
        return Some(format!("{key}: {row:?} is not between {floor:?} and {whole:?}"));
    }
    if story.events.len() > 64 {
        return Some(format!("{key}: {} questions are too many to judge", story.events.len()));
    }
    let bound = row.map_or(whole, |row| row.bound);
    let mut search = Search { story, row, bound, leases, seen: HashSet::new() };
    if search.fits(0, Stand::Nothing, NEVER) {
        return None;
    }
    let mut told: Vec<_> = story.events.iter().collect();
    told.sort_by_key(|event| event.start);
    let told: Vec<String> = told
        .iter()
        .map(|e| {
            let end = if e.end == NEVER { "never".to_owned() } else { ms(e.end) };
            format!("  {} to {end} ms: {:?} was answered {:?}", ms(e.start), e.ask, e.answer)
        })
        .collect();
    Some(format!(
        "{key} (least {:?}, whole {whole:?}): no order explains these answers and {row:?}\n{}",
        story.call.least,
        told.join("\n")
    ))
}

fn ms(moment: Moment) -> String {
    (moment / 1_000_000).to_string()
}

struct Search<'a> {
    story: &'a Story,
    row: Option<&'a Row>,
    /// What was granted, if anything was.
    bound: Amount,
    leases: Leases,
    /// Questions done, where the call then stands, and since when its lease may have ended.
    seen: HashSet<(u64, Stand, Moment)>,
}

impl Search<'_> {
    fn fits(&mut self, done: u64, stand: Stand, lease: Moment) -> bool {
        if !self.seen.insert((done, stand, lease)) {
            return false;
        }
        let open = |n: &usize| done & (1 << n) == 0;
        let events = &self.story.events;
        // Whatever comes next comes before the first answer that is still to be explained.
        let before = (0..events.len()).filter(open).map(|n| events[n].end).min().unwrap_or(NEVER);
        if before == NEVER && self.is_the_row(stand) {
            return true;
        }
        let ended = stand.lease_ended();
        if ended != stand && lease <= before && self.fits(done, ended, NEVER) {
            return true;
        }
        for n in (0..events.len()).filter(open).filter(|n| events[*n].start <= before) {
            let event = &events[n];
            for (answer, next) in stand.ways(event.ask, &self.story.call, self.bound) {
                if event.answer != answer && event.answer != Answer::None {
                    continue;
                }
                let lease = if next == stand { lease } else { self.lease(next, event.start) };
                if self.fits(done | 1 << n, next, lease) {
                    return true;
                }
            }
        }
        false
    }

    /// The earliest that the lease of a call may end which came here with a question of that start.
    fn lease(&self, stand: Stand, start: Moment) -> Moment {
        match stand {
            Stand::Reserved => (start + self.leases.reserved).saturating_sub(SLACK),
            Stand::Dispatched => (start + self.leases.dispatched).saturating_sub(SLACK),
            _ => NEVER,
        }
    }

    fn is_the_row(&self, stand: Stand) -> bool {
        let Some(row) = self.row else { return stand == Stand::Nothing };
        let nothing = Both::same(None);
        let (state, actual) = match stand {
            Stand::Nothing => return false,
            Stand::Reserved => (State::Reserved, nothing),
            Stand::Dispatched => (State::Dispatched, nothing),
            Stand::Released => (State::Released, nothing),
            Stand::Settled { used } => (State::Settled, used.each(Some)),
            // Spent in full until the usage is found; tokens are only written once they are known.
            Stand::Unknown => (State::Unknown, Both { cost: Some(row.bound.cost), tokens: None }),
        };
        (row.state, row.actual) == (state, actual)
    }
}
