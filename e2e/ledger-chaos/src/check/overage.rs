//! What a call used beyond what it was granted is overage, not spending: whatever of the whole it had asked for. It
//! stands until somebody edits the account's limits, and until then nothing is granted where it is limited.

use super::{Account, Rows, granted};
use crate::amount::{Amount, Part};
use crate::history::{Ask, Edit, Moment, NEVER, State, Story};

/// An overage that an account certainly has for a time.
struct Overage {
    from: Moment,
    /// When an edit may have made it spent; [`NEVER`] if none did.
    to: Moment,
    /// At least so much.
    beyond: Amount,
    /// Some of it is certainly of a part that is limited.
    blocks: bool,
}

pub(super) fn check(account: &Account, rows: &Rows) -> Vec<String> {
    let Account { number, stories, edits, books } = account;
    let overages: Vec<Overage> =
        stories.iter().filter_map(|story| overage(story, rows.get(&story.call.key)?.bound, edits)).collect();
    let mut problems = vec![];
    for (key, (from, to)) in stories.iter().filter_map(|story| Some((&story.call.key, granted(story)?))) {
        if let Some(blocks) =
            overages.iter().find(|overage| overage.blocks && overage.from < from && to < overage.to)
        {
            let (from, since) = (from / 1_000_000, blocks.from / 1_000_000);
            problems.push(format!(
                "account {number} granted {key} at {from} ms, with an overage since {since} ms that nobody had seen"
            ));
        }
    }
    for part in Part::ALL {
        let standing = overages.iter().filter(|overage| overage.to == NEVER);
        let least: i64 = standing.map(|overage| overage.beyond.of(part)).sum();
        let (overage, unit) = (books.overage.of(part), part.unit());
        if overage < least {
            problems.push(format!(
                "account {number} has {overage} {unit} over for calls that went {least} beyond since its last edit"
            ));
        }
    }
    problems
}

/// From the first answer that tells the settlement, if every report was beyond the bound.
fn overage(story: &Story, bound: Amount, edits: &[&Edit]) -> Option<Overage> {
    let from =
        story.events.iter().filter(|e| e.answer.state() == Some(State::Settled)).map(|e| e.end).min()?;
    let reports = || {
        story.events.iter().filter_map(|event| match event.ask {
            Ask::Settle { used } => Some((event.start, used)),
            _ => None,
        })
    };
    let asked = reports().map(|(start, _)| start).min()?;
    if reports().any(|(_, used)| used.within(bound)) {
        return None;
    }
    let least = |part: Part| {
        let beyond = reports().map(|(_, used)| (used.of(part) - bound.of(part)).max(0));
        beyond.min().unwrap_or(0)
    };
    let beyond = Amount { cost: least(Part::Cost), tokens: least(Part::Tokens) };
    // An edit that ended before the first report cannot have seen it; any other may have.
    let to = edits.iter().filter(|edit| edit.end >= asked).map(|edit| edit.start).min().unwrap_or(NEVER);
    // In force all the while: no edit is under way between the first report and the next one's begin.
    let before = edits.iter().filter(|edit| edit.end < asked).max_by_key(|edit| edit.end);
    let limited = |part: Part| before.is_some_and(|edit| edit.limit.of(part).is_some());
    let blocks = Part::ALL.into_iter().any(|part| beyond.of(part) > 0 && limited(part));
    Some(Overage { from, to, beyond, blocks })
}
