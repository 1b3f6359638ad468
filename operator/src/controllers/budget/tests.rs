use super::report::status;
use super::{Seen, plan};
use crate::budgets::chain;
use crate::budgets::tests::{budget, uid};
use crate::error::Error;
use golden_crds::Budget;
use golden_crds::conditions::{READY, STALLED, find, is_true};
use golden_platform::Class;
use golden_platform::ledger_accounts::Balance;
use jiff::Timestamp;
use serde_json::json;
use std::sync::Arc;

fn seen(budget: &Arc<Budget>, all: &[Arc<Budget>]) -> Seen {
    Seen { budget: Arc::clone(budget), chain: chain(budget, all) }
}

fn balance(limit: i64, spent: i64, reserved: i64, overage: i64) -> Balance {
    Balance {
        account_uid: uuid::Uuid::nil(),
        limit_cost: Some(limit),
        limit_tokens: None,
        spent_cost: spent,
        reserved_cost: reserved,
        overage_cost: overage,
        spent_tokens: 0,
        reserved_tokens: 0,
        overage_tokens: 0,
        version: 1,
    }
}

#[test]
fn the_account_carries_limits_and_the_parents_uid() {
    let root = budget("a", "root", &json!({}));
    let child = budget("a", "x", &json!({"parentRef": {"name": "root"}, "onExhausted": "Fail"}));
    let account = plan(&seen(&child, &[root, child.clone()])).unwrap().unwrap();
    assert_eq!(account.parent_uid.unwrap().to_string(), uid("a", "root"));
    assert_eq!((account.limit_cost, account.limit_tokens), (Some(10), None));
    assert_eq!(account.on_exhausted, "Fail");
}

#[test]
fn a_broken_chain_changes_no_account_and_stalls() {
    let child = budget("a", "x", &json!({"parentRef": {"name": "gone"}}));
    let seen = seen(&child, std::slice::from_ref(&child));
    assert_eq!(plan(&seen).unwrap(), None);
    let shown = status(&seen, &Ok(None), Timestamp::UNIX_EPOCH);
    assert_eq!(find(&shown.conditions, STALLED).unwrap().reason, "ParentNotFound");
}

#[test]
fn a_budget_is_ready_when_its_parents_are() {
    let child = budget("a", "x", &json!({"parentRef": {"name": "root"}}));
    let root = |status: serde_json::Value| {
        let mut root = (*budget("a", "root", &json!({}))).clone();
        root.status = serde_json::from_value(json!({"conditions": status})).unwrap();
        Arc::new(root)
    };
    let ready = |status: &str, reason: &str| {
        json!([{"type": "Ready", "status": status, "reason": reason, "message": "m",
            "lastTransitionTime": "2026-01-01T00:00:00Z"}])
    };
    for (of_root, want, stalled) in [
        (json!([]), "ParentNotReady", false),
        (ready("False", "ParentCycle"), "ParentNotReady", true),
        (ready("True", "Active"), "Active", false),
    ] {
        let seen = seen(&child, &[root(of_root), child.clone()]);
        let shown = status(&seen, &Ok(Some(balance(10, 0, 0, 0))), Timestamp::UNIX_EPOCH);
        assert_eq!(find(&shown.conditions, READY).unwrap().reason, want);
        assert_eq!(is_true(&shown.conditions, STALLED), stalled);
    }
}

#[test]
fn standing_tells_left_nothing_left_and_overdrawn_apart() {
    let one = budget("a", "x", &json!({}));
    for (balance, why, available) in [
        (balance(1_000_000, 60_000, 0, 0), "Active", 940_000),
        (balance(1_000_000, 900_000, 100_000, 0), "Exhausted", 0),
        (balance(1_000, 900_000, 0, 0), "OverLimit", 0),
        (balance(1_000_000, 1_000_000, 0, 5), "OverLimit", 0),
    ] {
        let shown =
            status(&seen(&one, std::slice::from_ref(&one)), &Ok(Some(balance)), Timestamp::UNIX_EPOCH);
        assert!(is_true(&shown.conditions, READY));
        assert_eq!(find(&shown.conditions, READY).unwrap().reason, why);
        assert_eq!(shown.available_micro_usd, Some(available));
    }
    let away = Err(Error::Database { action: "x".into(), class: Class::Dependency, message: "down".into() });
    let shown = status(&seen(&one, std::slice::from_ref(&one)), &away, Timestamp::UNIX_EPOCH);
    assert_eq!(find(&shown.conditions, STALLED).unwrap().reason, "DatabaseUnreachable");
}
