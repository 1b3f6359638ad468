//! The promises, checked on a snapshot. Pure: each line it returns is one promise that does not hold.

use crate::snapshot::{Account, Reservation, Snapshot};
use std::collections::BTreeSet;

/// What must be true of a task that has ended, whatever happened to it.
pub(crate) fn broken(seen: &Snapshot) -> Vec<String> {
    let mut out = Vec::new();
    if seen.outcome.is_none() {
        out.push("the task has no outcome".to_owned());
    }
    if seen.last_entry.as_deref() != Some("Ended") {
        out.push(format!("the record ends with {:?} and does not tell the end", seen.last_entry));
    }
    let mut none = |count: i64, what: &str| {
        if count != 0 {
            out.push(format!("{count} {what}"));
        }
    };
    none(seen.wanted, "pods are still wanted");
    none(seen.unconsumed, "facts are not consumed");
    none(seen.unpublished, "messages are not published");
    none(seen.open_escalations, "questions are still open");
    for ballots in seen.ballots.iter().filter(|b| b.count != 1) {
        out.push(format!(
            "{} ballots of {} in attempt {} round {}",
            ballots.count, ballots.voter, ballots.attempt, ballots.round
        ));
    }
    out.extend(seen.reservations.iter().filter_map(|r| against_the_model(r, seen)));
    out.extend(seen.accounts.iter().flat_map(account));
    out.extend(seen.unpaid.iter().map(|key| format!("the model served call {key:?}, which nobody paid for")));
    out.extend(seen.letters.iter().map(|reason| format!("a dead letter: {reason}")));
    out.extend(seen.live_pods.iter().map(|pod| format!("pod {pod} still runs")));
    out.extend(seen.live_runs.iter().map(|run| format!("SandboxRun {run} has not ended")));
    out
}

/// What must also be true of one that was to be Complete: a fault from outside cost it no attempt, every voter voted,
/// and it was delivered once.
pub(crate) fn incomplete(seen: &Snapshot, voters: &[&str]) -> Vec<String> {
    let mut out = Vec::new();
    if seen.outcome.as_deref() != Some("Complete") {
        out.push(format!("the outcome is {:?}, not Complete", seen.outcome));
    }
    if seen.attempt != 1 {
        out.push(format!("it took {} attempts: a fault is no judged work", seen.attempt));
    }
    let last = seen.ballots.iter().map(|b| (b.attempt, b.round)).max();
    let voted: BTreeSet<&str> = seen
        .ballots
        .iter()
        .filter(|b| Some((b.attempt, b.round)) == last)
        .map(|b| b.voter.as_str())
        .collect();
    if voted != voters.iter().copied().collect() {
        out.push(format!("{voted:?} voted in the last round, not {voters:?}"));
    }
    if let Some(commits) = seen.commits.filter(|c| *c != 1) {
        out.push(format!("{commits} commits were delivered, not one"));
    }
    out
}

/// What must be true of one whose object is gone: nothing of it is left in the cluster.
pub(crate) fn orphans(seen: &Snapshot) -> Vec<String> {
    let pods = seen.pods.iter().map(|pod| format!("pod {pod} is left"));
    pods.chain(seen.runs.iter().map(|run| format!("SandboxRun {run} is left"))).collect()
}

/// Open calls are none; settled ones are the model's own count; of Unknown ones the model may have counted one.
fn against_the_model(row: &Reservation, seen: &Snapshot) -> Option<String> {
    let told = seen.tally.get(&row.op_key).copied().unwrap_or_default();
    let key = row.op_key.get(..16).unwrap_or(&row.op_key);
    match row.state.as_str() {
        "Reserved" | "Dispatched" => Some(format!("call {key} is still {}", row.state)),
        "Released" if told.count > 0 => Some(format!("call {key} was released, and the model served it")),
        "Unknown" if told.count > 1 => Some(format!("the model served call {key} {} times", told.count)),
        "Settled" => {
            let settled = (row.input_tokens.unwrap_or(0), row.output_tokens.unwrap_or(0));
            // A try that never reached the provider is settled at nothing.
            let expected = u64::from(settled != (0, 0));
            let same = (told.prompt_tokens, told.completion_tokens) == settled && told.count == expected;
            (!same).then(|| format!("call {key} is settled at {settled:?} tokens, the model says {told:?}"))
        }
        _ => None,
    }
}

fn account(account: &Account) -> Vec<String> {
    let mut out = Vec::new();
    let name = &account.name;
    let used = account.spent_cost + account.reserved_cost;
    if let Some(limit) = account.limit_cost.filter(|l| used > (*l).max(account.committed_cost_at_edit)) {
        out.push(format!("account {name} holds {used} of {limit}"));
    }
    if account.spent_cost + account.overage_cost != account.charged {
        out.push(format!(
            "account {name} has spent {} and its calls cost {}",
            account.spent_cost + account.overage_cost,
            account.charged
        ));
    }
    if account.reserved_cost != account.open {
        out.push(format!(
            "account {name} reserves {} for open calls of {}",
            account.reserved_cost, account.open
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{Ballots, Calls};

    fn call(state: &str, tokens: Option<(u64, u64)>) -> Reservation {
        Reservation {
            op_key: "op-1".into(),
            state: state.into(),
            input_tokens: tokens.map(|t| t.0),
            output_tokens: tokens.map(|t| t.1),
        }
    }

    fn ballots(voter: &str, count: i64) -> Ballots {
        Ballots { attempt: 1, round: 1, voter: voter.into(), count }
    }

    fn whole() -> Snapshot {
        Snapshot {
            outcome: Some("Complete".into()),
            attempt: 1,
            last_entry: Some("Ended".into()),
            ballots: vec![ballots("security", 1), ballots("reviewer", 1)],
            reservations: vec![call("Settled", Some((10, 2)))],
            tally: [("op-1".to_owned(), Calls { count: 1, prompt_tokens: 10, completion_tokens: 2 })].into(),
            commits: Some(1),
            ..Snapshot::default()
        }
    }

    const VOTERS: [&str; 2] = ["security", "reviewer"];

    #[test]
    fn a_task_that_kept_every_promise_passes() {
        assert_eq!(broken(&whole()), Vec::<String>::new());
        assert_eq!(incomplete(&whole(), &VOTERS), Vec::<String>::new());
    }

    #[test]
    fn every_broken_promise_is_told() {
        type Break = (&'static str, fn(&mut Snapshot));
        let breaks: [Break; 13] = [
            ("no outcome", |s| s.outcome = None),
            ("does not tell the end", |s| s.last_entry = Some("Approved".into())),
            ("still wanted", |s| s.wanted = 1),
            ("not consumed", |s| s.unconsumed = 1),
            ("not published", |s| s.unpublished = 2),
            ("still open", |s| s.open_escalations = 1),
            ("2 ballots of security", |s| s.ballots[0].count = 2),
            ("still Dispatched", |s| s.reservations[0].state = "Dispatched".into()),
            ("was released", |s| s.reservations[0].state = "Released".into()),
            ("the model says", |s| s.tally.clear()),
            ("which nobody paid for", |s| s.unpaid.push("op-2".into())),
            ("a dead letter", |s| s.letters.push("poison".into())),
            ("still runs", |s| s.live_pods.push("a/b".into())),
        ];
        for (words, change) in breaks {
            let mut seen = whole();
            change(&mut seen);
            assert!(broken(&seen).iter().any(|line| line.contains(words)), "{words}: {:?}", broken(&seen));
        }
    }

    #[test]
    fn a_call_nobody_saw_end_may_or_may_not_be_counted_by_the_model() {
        let mut seen = whole();
        seen.reservations[0] = call("Unknown", None);
        assert!(broken(&seen).is_empty());
        seen.tally.clear();
        assert!(broken(&seen).is_empty());
        seen.tally.insert("op-1".into(), Calls { count: 2, ..Calls::default() });
        assert_eq!(broken(&seen), ["the model served call op-1 2 times"]);
    }

    #[test]
    fn a_complete_task_has_all_votes_and_one_commit() {
        let mut seen = whole();
        seen.commits = Some(2);
        seen.ballots.pop();
        seen.attempt = 2;
        assert_eq!(incomplete(&seen, &VOTERS).len(), 3);
    }

    #[test]
    fn money_must_add_up() {
        let right = Account {
            name: "b".into(),
            limit_cost: Some(10),
            committed_cost_at_edit: 0,
            spent_cost: 4,
            overage_cost: 1,
            reserved_cost: 2,
            charged: 5,
            open: 2,
        };
        assert!(account(&right).is_empty());
        assert_eq!(account(&Account { limit_cost: Some(5), ..right.clone() }), ["account b holds 6 of 5"]);
        assert_eq!(account(&Account { charged: 9, open: 0, ..right }).len(), 2);
    }
}
