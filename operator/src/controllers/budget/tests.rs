use super::act::Standing;
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

pub(super) fn seen(budget: &Arc<Budget>, all: &[Arc<Budget>]) -> Seen {
    Seen { budget: Arc::clone(budget), chain: chain(budget, all) }
}

fn stood(balance: Balance) -> Standing {
    Standing { balance, open: None, last: None }
}

pub(crate) fn balance(limit: i64, spent: i64, reserved: i64, overage: i64) -> Balance {
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
        granted_cost: 0,
        granted_tokens: 0,
        denied: None,
        version: 1,
        period_start_us: None,
        period_end_us: None,
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
fn a_period_shows_its_end_and_its_alerts_and_starts_anew() {
    let spec = json!({"limits": {"costMicroUSD": 100}, "period": "Day", "timeZone": "Europe/Berlin",
        "alertPercents": [80, 50, 100]});
    let daily = budget("a", "x", &spec);
    let seen = seen(&daily, std::slice::from_ref(&daily));
    assert_eq!(plan(&seen).unwrap().unwrap().time_zone, "Europe/Berlin");
    let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
    let end: Timestamp = "2026-11-24T23:00:00Z".parse().unwrap();
    let spent = Balance { period_end_us: Some(end.as_microsecond()), ..balance(100, 85, 10, 0) };
    let shown = status(&seen, &Ok(Some(stood(spent.clone()))), now);
    assert_eq!(shown.alerts_reached, [50, 80]);
    assert_eq!(shown.period_ends_at.as_deref(), Some("2026-11-24T23:00:00Z"));
    assert_eq!(shown.available_micro_usd, Some(5));
    // Nobody has called since midnight.
    let shown = status(&seen, &Ok(Some(stood(spent))), end);
    assert_eq!((shown.spent_micro_usd, shown.available_micro_usd), (0, Some(90)));
    assert_eq!(shown.period_ends_at.as_deref(), Some("2026-11-25T23:00:00Z"));
    assert!(shown.alerts_reached.is_empty());
    let odd = budget("a", "x", &json!({"timeZone": "Mars/Olympus"}));
    let seen = super::tests::seen(&odd, std::slice::from_ref(&odd));
    assert_eq!(plan(&seen).unwrap(), None);
    assert_eq!(find(&status(&seen, &Ok(None), now).conditions, STALLED).unwrap().reason, "TimeZoneUnknown");
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
        let shown = status(&seen, &Ok(Some(stood(balance(10, 0, 0, 0)))), Timestamp::UNIX_EPOCH);
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
            status(&seen(&one, std::slice::from_ref(&one)), &Ok(Some(stood(balance))), Timestamp::UNIX_EPOCH);
        assert!(is_true(&shown.conditions, READY));
        assert_eq!(find(&shown.conditions, READY).unwrap().reason, why);
        assert_eq!(shown.available_micro_usd, Some(available));
    }
    let away = Err(Error::Database { action: "x".into(), class: Class::Dependency, message: "down".into() });
    let shown = status(&seen(&one, std::slice::from_ref(&one)), &away, Timestamp::UNIX_EPOCH);
    assert_eq!(find(&shown.conditions, STALLED).unwrap().reason, "DatabaseUnreachable");
}
