use super::support::merged;
use crate::{
    Answer, AnswerVerdict, ApprovalState, MergedPolicy, NeedReason, NeededApproval, RefusedAnswer,
    RefusedBecause, approvals_met, needed_approvals,
};
use AnswerVerdict::{Approve, Deny};
use serde_json::{Value, json};

fn policy(value: Value) -> MergedPolicy {
    merged(&[("p", value)], &[]).unwrap()
}

fn needed(value: Value, changed: &[&str]) -> Vec<NeededApproval> {
    needed_approvals(&policy(value), changed)
}

#[test]
fn no_rule_no_need() {
    assert!(needed(json!({}), &["anything"]).is_empty());
}

#[test]
fn needs_follow_the_changed_paths() {
    let rules = json!({
        "protectedPaths": ["infra/**"],
        "approvals": [{"when": "PathsChanged", "paths": ["db/**", "*.sql"], "count": 2}],
    });
    assert!(needed(rules.clone(), &["src/a.py"]).is_empty());
    let both = needed(rules.clone(), &["src/a.py", "db/x", "infra/main.tf", "y.sql"]);
    let brief: Vec<_> = both.iter().map(|n| (n.reason, n.count, n.paths.clone())).collect();
    assert_eq!(
        brief,
        [
            (NeedReason::PathsChanged, 2, vec!["db/x".to_owned(), "y.sql".to_owned()]),
            (NeedReason::ProtectedPaths, 1, vec!["infra/main.tf".to_owned()]),
        ]
    );
    assert_eq!(both[1].policies, ["p"]);
    let always = needed(json!({"approvals": [{"when": "Always"}]}), &[]);
    assert_eq!((always[0].reason, always[0].count, always[0].path_count), (NeedReason::Always, 1, 0));
}

#[test]
fn only_policies_whose_glob_was_hit_are_named() {
    let policies =
        [("a", json!({"protectedPaths": ["infra/**"]})), ("b", json!({"protectedPaths": ["*.lock"]}))];
    let merged = merged(&policies, &[]).unwrap();
    assert_eq!(needed_approvals(&merged, &["infra/x"])[0].policies, ["a"]);
    assert_eq!(needed_approvals(&merged, &["infra/x", "c.lock"])[0].policies, ["a", "b"]);
}

#[test]
fn long_lists_of_paths_are_counted_not_copied() {
    let changed: Vec<String> = (0..5000).map(|n| format!("infra/{n}")).collect();
    let need = &needed_approvals(&policy(json!({"protectedPaths": ["infra/**"]})), &changed)[0];
    assert_eq!((need.paths.len(), need.path_count), (10, 5000));
}

fn answer<'a>(name: &'a str, by: &'a str, verdict: AnswerVerdict) -> Answer<'a> {
    Answer { name, decided_by: by, verdict, digest: "sha256:d" }
}

fn weigh(count: u32, answers: &[Answer<'_>]) -> (ApprovalState, Vec<RefusedAnswer>) {
    let rules = json!({"approvals": [{"when": "Always", "count": count}]});
    approvals_met(&needed(rules, &[]), "alice", "sha256:d", answers)
}

fn refused(decision: &str, reason: RefusedBecause) -> RefusedAnswer {
    RefusedAnswer { decision: decision.into(), reason }
}

#[test]
fn submitter_cannot_approve_own_work() {
    let (state, why) = weigh(1, &[answer("d1", "alice", Approve)]);
    assert_eq!(state, ApprovalState::Waiting { approvers: vec![], missing: 1 });
    assert_eq!(why, [refused("d1", RefusedBecause::OwnWork)]);
}

#[test]
fn approval_of_another_digest_is_stale() {
    let stale = Answer { digest: "sha256:old", ..answer("d1", "bob", Approve) };
    let (waiting, why) = weigh(1, &[stale]);
    assert_eq!(waiting, ApprovalState::Waiting { approvers: vec![], missing: 1 });
    assert_eq!(why, [refused("d1", RefusedBecause::StaleDigest)]);
    let stale_denial = Answer { verdict: Deny, ..stale };
    assert_eq!(
        weigh(1, &[stale_denial, answer("d2", "carol", Approve)]).0,
        ApprovalState::Met { approvers: vec!["carol".into()] }
    );
}

#[test]
fn one_person_counts_once_however_often_they_approve() {
    let twice = [answer("d1", "bob", Approve), answer("d2", "bob", Approve)];
    assert_eq!(weigh(2, &twice).0, ApprovalState::Waiting { approvers: vec!["bob".into()], missing: 1 });
    let two = [answer("d1", "bob", Approve), answer("d2", "carol", Approve)];
    assert_eq!(weigh(2, &two).0, ApprovalState::Met { approvers: vec!["bob".into(), "carol".into()] });
}

#[test]
fn denial_stands_against_any_number_of_approvals_in_any_order() {
    let denied = ApprovalState::Denied { by: "dave".into(), decision: "d3".into() };
    let mut answers =
        [answer("d1", "bob", Approve), answer("d2", "carol", Approve), answer("d3", "dave", Deny)];
    assert_eq!(weigh(1, &answers).0, denied);
    answers.reverse();
    assert_eq!(weigh(1, &answers).0, denied);
    let changed_mind = [answer("d3", "dave", Deny), answer("d4", "dave", Approve)];
    assert_eq!(weigh(1, &changed_mind).0, denied);
    // The submitter may withdraw.
    assert!(matches!(weigh(1, &[answer("d1", "alice", Deny)]).0, ApprovalState::Denied { .. }));
}

#[test]
fn nameless_answers_do_not_count_and_no_need_is_met() {
    let (state, why) = weigh(1, &[answer("d1", "", Approve)]);
    assert!(matches!(state, ApprovalState::Waiting { .. }));
    assert_eq!(why, [refused("d1", RefusedBecause::NoPerson)]);
    assert_eq!(approvals_met(&[], "alice", "sha256:d", &[]).0, ApprovalState::Met { approvers: vec![] });
}

#[test]
fn largest_count_decides_over_several_needs() {
    let rules = json!({"protectedPaths": ["a"], "approvals": [{"when": "Always", "count": 2}]});
    let needs = needed(rules, &["a"]);
    let one = [answer("d1", "bob", Approve)];
    assert!(matches!(
        approvals_met(&needs, "alice", "sha256:d", &one).0,
        ApprovalState::Waiting { missing: 1, .. }
    ));
}
