use super::act::Standing;
use super::report::status;
use super::{Seen, plan};
use crate::budgets::chain;
use crate::budgets::tests::{budget, uid};
use crate::error::Error;
use golden_crds::budget::Share;
use golden_crds::conditions::{READY, STALLED, find, is_true};
use golden_crds::{Budget, BudgetStatus};
use golden_platform::Class;
use golden_platform::ledger_accounts::Balance;
use golden_platform::showback::Spender;
use jiff::Timestamp;
use serde_json::json;
use std::sync::Arc;

pub(super) fn seen(budget: &Arc<Budget>, all: &[Arc<Budget>]) -> Seen {
    Seen { budget: Arc::clone(budget), chain: chain(budget, all) }
}

fn stood(balance: Balance) -> Standing {
    Standing { balance, open: None, last: None, spenders: None }
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
        (balance(1_000_000, 1_000_000, 0, 5), "OverageUnconfirmed", 0),
        (balance(1_000_000, 500_000, 0, 5), "OverageUnconfirmed", 499_995),
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

#[test]
fn an_overage_is_said_and_blocks_only_where_there_is_a_limit() {
    let one = budget("a", "x", &json!({}));
    let shown = |balance: Balance| {
        status(&seen(&one, std::slice::from_ref(&one)), &Ok(Some(stood(balance))), Timestamp::UNIX_EPOCH)
    };
    let over = balance(1_000_000, 500_000, 0, 2_500);
    let told = shown(over.clone());
    assert_eq!(told.overage_micro_usd, Some(2_500));
    assert_eq!(
        find(&told.conditions, READY).unwrap().message,
        "a provider charged $0.0025 beyond what was reserved; nothing new is granted until spec.limits is changed, which \
         confirms it"
    );
    let asking = budget("a", "x", &json!({"onExhausted": "Ask"}));
    let asks = status(
        &seen(&asking, std::slice::from_ref(&asking)),
        &Ok(Some(stood(over.clone()))),
        Timestamp::UNIX_EPOCH,
    );
    let message = &find(&asks.conditions, READY).unwrap().message;
    let either = "until spec.limits is changed, or what it asks for is approved (golden approve budget/x), which confirms it";
    assert!(message.ends_with(either), "{message}");
    let tokens = shown(Balance { overage_cost: 0, overage_tokens: 9, ..over.clone() });
    assert_eq!((tokens.overage_micro_usd, tokens.overage_tokens), (None, Some(9)));
    assert_eq!(find(&tokens.conditions, READY).unwrap().reason, "Active", "tokens are not limited");
    let free = shown(Balance { limit_cost: None, ..over });
    assert_eq!(
        (free.overage_micro_usd, find(&free.conditions, READY).unwrap().reason.as_str()),
        (Some(2_500), "Active")
    );
}

#[test]
fn the_status_tells_the_dearest_roles_models_and_tasks() {
    let one = budget("a", "x", &json!({}));
    let line = |namespace: &str, task: Option<&str>, role: String, cost: i64| Spender {
        namespace: namespace.into(),
        task: task.map(Into::into),
        role,
        model: "large".into(),
        calls: 1,
        input_tokens: 1,
        output_tokens: 1,
        cost,
    };
    let mut spenders: Vec<Spender> =
        (0..12).map(|n| line("a", Some("fix"), format!("role-{n}"), n)).collect();
    spenders.push(line("b", None, "role-11".into(), 5));
    let status_of = |before: Option<BudgetStatus>, balance: Balance, spenders: Option<Vec<Spender>>| {
        let mut one = (*one).clone();
        one.status = before;
        let one = Arc::new(one);
        let stood = Standing { balance, open: None, last: None, spenders };
        status(&seen(&one, std::slice::from_ref(&one)), &Ok(Some(stood)), Timestamp::UNIX_EPOCH)
    };
    let first = status_of(None, balance(100, 71, 0, 0), Some(spenders));
    let shares = first.spent_by.clone().unwrap();
    let pair = |share: &Share| (share.name.clone(), share.micro_usd);
    assert_eq!(pair(&shares.roles[0]), ("role-11".into(), 16));
    assert_eq!((shares.roles.len(), pair(&shares.models[0])), (10, ("large".into(), 71)));
    assert_eq!(shares.tasks.iter().map(pair).collect::<Vec<_>>(), [("a/fix".into(), 66), ("b/*".into(), 5)]);
    let later = status_of(Some(first), balance(100, 72, 0, 0), None);
    assert_eq!((shares.micro_usd, later.spent_micro_usd), (71, 72), "it says what it is of");
    assert_eq!(later.spent_by, Some(shares), "what is not read again stays");
    assert_eq!(status_of(Some(later), balance(100, 0, 0, 0), None).spent_by, None, "another period");
}
