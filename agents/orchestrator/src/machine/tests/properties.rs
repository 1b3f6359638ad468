//! Random facts in random order, with repetitions: what must never happen does not.

use super::support::{Run, Setup, digest, is_attempt_pod, object, usage};
use crate::machine::{Command, Event, Stage, State, step};
use golden_platform::wire::{
    AGENT_CALLS, HeldCall, JobResult, PodPhase, VOTER_CALLS, VOTER_PARTS, voter_calls,
};
use proptest::prelude::*;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// More often than not something that fits the stage, so that runs come far.
fn suited(stage: Stage, choice: u8) -> u8 {
    match stage {
        _ if choice < 100 => choice % 20,
        Stage::Waiting => 0,
        Stage::Preparing => 1,
        Stage::Producing => 3,
        Stage::Guarding => 6,
        Stage::Reviewing => 10,
        Stage::Escalated | Stage::Approving => 12,
        Stage::Delivering | Stage::Ended => 15,
    }
}

const PHASES: [PodPhase; 6] = [
    PodPhase::Created,
    PodPhase::Running,
    PodPhase::Blocked,
    PodPhase::Succeeded,
    PodPhase::Failed,
    PodPhase::Lost,
];

/// A fact that may or may not fit the present.
fn event(run: &Run, choice: u8, n: u8) -> Option<Event> {
    let state = &run.state;
    let pod = state.pod.is_some();
    let tree = digest(u32::from(n % 4));
    let guard = state.guards.keys().nth(usize::from(n) % 2).cloned();
    let verdict = ["Passed", "Failed", "Inconclusive", "Passed", "Sure"][usize::from(n) % 5];
    let outcome =
        ["Approved", "ChangesRequested", "Tie", "Vetoed", "QuorumMissing", "GuardFailed", "Undecided"];
    let person = ["alice", "bob", "carol"][usize::from(n) % 3];
    let answer = ["Approve", "Deny", "Option"][usize::from(n / 3) % 3];
    let choice = suited(state.stage, choice);
    let event = match choice {
        0 => Event::SlotGranted,
        1 if pod => run.fetched(),
        2 if pod => {
            run.pod(PHASES[usize::from(n) % 6], "NodeLost", (n.is_multiple_of(2)).then_some(i32::from(n % 3)))
        }
        3..=5 => run.result(&tree, i32::from(n.is_multiple_of(7))),
        6..=9 => run.guard(&guard?, verdict),
        10..=11 if state.review.is_some() => run.review(outcome[usize::from(n) % outcome.len()]),
        12..=13 => run.decision(u128::from(n), person, answer, (answer == "Option").then_some("Retry")),
        14 => {
            let id = state.escalation.as_ref()?.id;
            Event::EscalationDefaulted { escalation_id: id, option: "Reject".into() }
        }
        15 if pod => run.delivered(),
        16 if pod => run.job(JobResult::Failed {
            reason: "GitUnreachable".into(),
            message: String::new(),
            retryable: !n.is_multiple_of(8),
        }),
        17 if n.is_multiple_of(4) => Event::Money { ask_again: n.is_multiple_of(8) },
        17 if n.is_multiple_of(5) => run.saved(&tree),
        17 if n == 1 => run.not_saved(),
        17 => {
            super::outside::spec(i64::from(n % 12), if n.is_multiple_of(3) { "Suspended" } else { "Active" })
        }
        18 if n < 4 => Event::Deleted,
        18 if n < 8 => super::outside::spec(i64::from(n), "Cancelled"),
        18 => held(n),
        19 if n.is_multiple_of(6) => Event::BudgetHoldLeft { op_key: format!("op{}", n % 3) },
        19 if n.is_multiple_of(2) => {
            Event::BudgetResumed { op_key: format!("op{}", n % 3), moved: n.is_multiple_of(4) }
        }
        19 if n < 120 => Event::CallStuck {
            caller: format!("c{}", n % 3),
            attempt: u32::from(n % 4),
            why: super::super::Why::new("ModelUnreachable", "m"),
        },
        19 if n < 180 => Event::CallUnstuck { caller: format!("c{}", n % 3) },
        19 => Event::DependencyEnded { uid: Uuid::from_u128(u128::from(n)), outcome: "Failed".into() },
        _ => usage(i64::from(n)),
    };
    Some(event)
}

fn held(n: u8) -> Event {
    Event::BudgetHeld {
        op_key: format!("op{}", n % 3),
        call: HeldCall {
            account: "a".into(),
            missing_micro_usd: 5,
            on_exhausted: if n.is_multiple_of(2) { "Pause" } else { "Ask" }.into(),
            needs_micro_usd: 5,
            least_micro_usd: 5,
            ..HeldCall::default()
        },
    }
}

fn check(run: &Run, before: &State) {
    let s = &run.state;
    // A failed required guard is never outvoted, by peers or by people.
    if s.stage == Stage::Delivering || s.delivery.is_some() || s.approval.is_some() {
        assert_eq!(s.guards.len(), run.task.policy.guards.len());
        assert!(s.guards.values().all(crate::machine::GuardSlot::passed), "{:?}", s.guards);
        let digest = s.approval.as_ref().map(|a| a.digest.as_str());
        assert_eq!(digest, s.produced.as_ref().map(|p| p.tree.as_str()));
    }
    if let (Some(approval), true) = (&s.approval, s.delivery.is_some()) {
        assert!(!approval.approvers.iter().any(|a| a == "alice"), "nobody approves their own work");
    }
    // Terminal is terminal.
    if before.outcome.is_some() {
        assert_eq!(s, before);
    }
    // Delivering is left only by its own end.
    if before.stage == Stage::Delivering {
        assert!(matches!(s.stage, Stage::Delivering | Stage::Ended));
    }
    assert!(s.attempt <= run.task.max_attempts());
    assert!(run.wanted().len() <= 1, "{:?}", run.wanted());
    assert_eq!(run.wanted().first(), s.pod.as_ref().map(|p| &p.name), "what is wanted is what is known");
    if s.suspended && s.stage != Stage::Delivering {
        assert!(s.pod.is_none());
    }
    if s.outcome.is_some() {
        assert!(s.pod.is_none() && s.escalation.is_none() && !s.slot);
    }
    // A freed pod is gone, its work is kept, and what it waits for is known.
    if s.freed.is_some() {
        assert!(s.stage == Stage::Producing && s.pod.is_none() && !s.slot);
        assert!(s.saved.is_some() && !s.held.is_empty());
        assert_eq!(run.condition("BudgetAvailable"), "False/BudgetExhausted");
    }
    // What was saved is of the present attempt.
    assert!(s.saved.is_none() || s.stage != Stage::Guarding && s.produced.is_none());
    // People can always read where the task stands.
    let view = run.view();
    let state = |kind: &str| view.conditions.iter().any(|c| c.r#type == kind && c.status == "True");
    let shown =
        [state("Complete"), state("Failed"), state("Reconciling") || (state("Stalled") && !state("Failed"))];
    assert_eq!(shown.iter().filter(|on| **on).count(), 1, "{:?}", view.conditions);
    assert!(view.conditions.iter().all(|c| !c.reason.is_empty()));
}

/// The attempt that a pod is wanted for.
fn attempt_of(command: &Command) -> Option<u32> {
    match command {
        Command::Want(row) if is_attempt_pod(command) => Some(row.attempt),
        _ => None,
    }
}

/// Names of what was made, each of which may be made once only.
fn made(commands: &[Command]) -> Vec<String> {
    let names = commands.iter().filter_map(|c| match c {
        Command::Want(row) => Some(row.name.clone()),
        Command::Publish(envelope) => Some(envelope.id.clone()),
        Command::OpenReview { attempt, round, .. } => Some(format!("review {attempt} {round}")),
        Command::RaiseEscalation { raised, .. } => Some(raised.escalation_id.to_string()),
        _ => None,
    });
    names.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn nothing_that_must_not_happen_happens(
        moves in prop::collection::vec((any::<u8>(), any::<u8>(), any::<bool>(), 0_i64..400), 1..90),
        approvals in 0_u32..3,
        inline in any::<bool>(),
        additional in any::<bool>(),
    ) {
        let mut setup = if inline { Setup::inline() } else { Setup::git() };
        if additional {
            setup.policy["review"]["additionalReviewer"] = json!({"role": "arbiter"});
        }
        let mut run = Run::new(&setup.approvals(approvals.max(1)));
        if inline {
            run.feed(&Event::InlineBase(Ok(digest(0))));
        }
        for (choice, n, repeat, seconds) in moves {
            let Some(event) = event(&run, choice, n) else { continue };
            let before = run.state.clone();
            run.feed(&event);
            check(&run, &before);
            if repeat {
                // Twice is once, but for what time alone would have brought.
                let again = step(&run.task, &run.state, &event, run.now);
                prop_assert_eq!(&again.state, &run.state, "{:?}", event);
                prop_assert!(again.record.is_empty() && again.commands.is_empty(), "{:?}", event);
            }
            if choice.is_multiple_of(3) {
                let before = run.state.clone();
                run.later(seconds);
                check(&run, &before);
            }
        }
        let mut names = made(&run.commands);
        let all = names.len();
        names.sort();
        names.dedup();
        prop_assert_eq!(names.len(), all, "something was made twice");
        let beside = run.commands.iter().filter(|c| matches!(c, Command::OpenReview { request, .. } if request.beside.is_some()));
        let rounds: BTreeSet<_> = beside.filter_map(|c| match c {
            Command::OpenReview { attempt, request, .. } => Some((*attempt, request.beside)),
            _ => None,
        }).collect();
        prop_assert!(rounds.len() <= usize::from(additional), "an additional reviewer is asked about one result: {:?}", rounds);
        let pods = run.commands.iter().filter(|c| is_attempt_pod(c)).count();
        prop_assert!(pods <= 200);
        prop_assert!(golden_record::verify(&run.genesis, &run.record).is_ok());
    }

    /// What a forecast's bound counts: an agent in each attempt, each voter in each round that was answered, and once in a
    /// task a round with the additional reviewer. What a lost pod or a request without an answer makes again is beside it.
    #[test]
    fn a_run_has_no_more_attempts_and_rounds_than_its_forecast_counts(
        moves in prop::collection::vec((any::<u8>(), any::<u8>(), 0_i64..400), 1..120),
        rounds in 1_u32..4,
        additional in any::<bool>(),
    ) {
        let voters = json!([{"role": "reviewer"}, {"role": "architect"}]);
        let mut review = json!({"voters": voters, "rounds": {"max": rounds}, "timeoutSeconds": 120});
        if additional {
            review["additionalReviewer"] = json!({"role": "arbiter"});
        }
        let mut run = Run::new(&Setup::git().with("/policy/review", review));
        for (choice, n, seconds) in moves {
            let next = match event(&run, choice, n) {
                // An objection that holds: worth another round while there is one.
                Some(Event::Reviewed { attempt, round, digest, mut decision, ballots }) => {
                    object(&mut decision, true);
                    Event::Reviewed { attempt, round, digest, decision, ballots }
                }
                Some(event) => event,
                None => continue,
            };
            run.feed(&next);
            if n.is_multiple_of(5) {
                run.later(seconds);
            }
        }
        let begun: BTreeSet<u32> = run.commands.iter().filter_map(attempt_of).collect();
        let mut answered: BTreeMap<u64, u32> = BTreeMap::new();
        let (mut is_beside, mut beside) = (false, 0);
        for entry in &run.record {
            match entry.kind.as_str() {
                "ReviewRequested" => is_beside = entry.body["beside"].is_number(),
                "Reviewed" if is_beside => beside += 1,
                "Reviewed" => *answered.entry(entry.body["attempt"].as_u64().unwrap()).or_default() += 1,
                _ => {}
            }
        }
        let seats = u32::try_from(run.task.policy.review.value.voters.len()).unwrap();
        let each = VOTER_PARTS * VOTER_CALLS;
        let calls = u32::try_from(begun.len()).unwrap() * AGENT_CALLS
            + (answered.values().sum::<u32>() * seats + beside * (seats + 1)) * each;
        prop_assert!(answered.values().all(|held| *held * each <= voter_calls(rounds)), "{answered:?}");
        prop_assert!(beside <= u32::from(additional), "{beside}");
        let once = u32::from(additional) * (seats + 1) * voter_calls(1);
        let most = run.task.max_attempts() * (AGENT_CALLS + seats * voter_calls(rounds)) + once;
        prop_assert!(calls <= most, "{calls}");
    }

    #[test]
    fn a_willing_world_always_brings_the_task_to_an_end(
        moves in prop::collection::vec((any::<u8>(), any::<u8>()), 0..40),
    ) {
        let mut run = Run::new(&Setup::git());
        for (choice, n) in moves {
            if let Some(event) = event(&run, choice, n) {
                run.feed(&event);
            }
        }
        run.feed(&super::outside::spec(1000, "Active"));
        for _ in 0..200 {
            if run.state.outcome.is_some() {
                break;
            }
            let next = match run.state.stage {
                Stage::Waiting => Event::SlotGranted,
                Stage::Producing if run.state.freed.is_some() => Event::Money { ask_again: true },
                Stage::Preparing if run.state.pod.is_some() => run.fetched(),
                Stage::Producing if run.state.pod.is_some() => run.result(&digest(1000 + run.state.attempt), 0),
                Stage::Guarding => {
                    let open = run.state.guards.iter().find(|(_, g)| g.outcome.is_none());
                    open.map_or(Event::Tick, |(name, _)| run.guard(name, "Passed"))
                }
                Stage::Reviewing => run.review("Approved"),
                Stage::Escalated => run.decision(10_000 + u128::from(run.state.attempt), "bob", "Approve", None),
                Stage::Delivering if run.state.pod.is_some() => run.delivered(),
                _ => Event::Tick,
            };
            run.feed(&next);
            // Retries wait for their time; the engine wakes the task by itself.
            if let Some(wake) = run.last.as_ref().and_then(|s| s.wake).filter(|_| run.state.pod.is_none()) {
                run.now = run.now.max(wake.min(run.state.deadline));
                run.feed(&Event::Tick);
            }
        }
        prop_assert!(run.state.outcome.is_some(), "stuck at {:?}", run.state.stage);
    }
}
