//! The status. Amounts alone, also those in messages, are written at most every ten seconds: a busy team settles many
//! calls.

use super::act::Standing;
use super::ask::account;
use super::{MANAGER, Seen, question, zone_fault};
use crate::budgets::shown;
use crate::context::Context;
use crate::effects::write_status;
use crate::error::Error;
use crate::money::dollars;
use golden_crds::budget::{OnExhausted, Share, SpentBy};
use golden_crds::conditions::budget as reason;
use golden_crds::conditions::{Lifecycle, READY, find, set_lifecycle};
use golden_crds::{Budget, BudgetStatus};
use golden_ledger::Amount;
use golden_platform::ledger_accounts::Balance;
use golden_platform::showback::Spender;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Api, ResourceExt};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(super) const AMOUNTS: Duration = Duration::from_secs(10);
/// Of roles, models and tasks each, as many as the status shows.
const DEAREST: usize = 10;

/// Writes the status if it is due. Some(wait): amounts are to be written later.
pub(crate) async fn report(
    seen: &Seen,
    acted: &Result<Option<Standing>, Error>,
    ctx: &Context,
) -> Result<Option<Duration>, Error> {
    let before = seen.budget.status.clone().unwrap_or_default();
    let now = Timestamp::now();
    let status = status(seen, acted, now);
    if let Ok(Some(stood)) = acted {
        ctx.metrics.budget(&seen.budget, &current(&stood.balance, now), &status.alerts_reached);
    }
    if status == before {
        return Ok(None);
    }
    let uid = seen.budget.uid().unwrap_or_default();
    let only_amounts = outline(&status.conditions) == outline(&before.conditions)
        && status.question.as_ref().map(|q| &q.digest) == before.question.as_ref().map(|q| &q.digest)
        && status.observed_generation == before.observed_generation
        && status.alerts_reached == before.alerts_reached
        && !charged_more(&before, &status);
    if only_amounts && !ctx.budgets_written.due(&uid, 0, AMOUNTS) {
        return Ok(Some(AMOUNTS));
    }
    // Before the status says that it was told: rather twice than never.
    alarm(&seen.budget, &before, &status, ctx).await;
    let api: Api<Budget> = Api::namespaced(ctx.client.clone(), &seen.budget.namespace().unwrap_or_default());
    write_status(&api, &ctx.caches.budgets, MANAGER, &*seen.budget, &status).await?;
    ctx.budgets_written.done(&uid, 0);
    ctx.events.transitions(&*seen.budget, &before.conditions, &status.conditions).await;
    Ok(None)
}

/// Tells what is an event whatever the conditions say: a share of the limit that was reached, and an overage.
async fn alarm(budget: &Budget, before: &BudgetStatus, now: &BudgetStatus, ctx: &Context) {
    for percent in now.alerts_reached.iter().filter(|p| !before.alerts_reached.contains(p)) {
        let spent = now.spent.as_deref().unwrap_or_default();
        let message = format!("{percent} % of the limit are spent: {spent}, {} tokens", now.spent_tokens);
        ctx.events.send(budget, true, reason::ALERT_PERCENT_REACHED, &message).await;
    }
    if charged_more(before, now) {
        let over = Amount::new(now.overage_micro_usd.unwrap_or(0), now.overage_tokens.unwrap_or(0));
        let message = format!("{} beyond what was reserved for calls", over.words().unwrap_or_default());
        ctx.events.send(budget, true, reason::OVERAGE_CHARGED, &message).await;
    }
}

/// Whether a provider charged more than was reserved, since.
fn charged_more(before: &BudgetStatus, now: &BudgetStatus) -> bool {
    let grew = |before: Option<i64>, now: Option<i64>| now.unwrap_or(0) > before.unwrap_or(0);
    grew(before.overage_micro_usd, now.overage_micro_usd) || grew(before.overage_tokens, now.overage_tokens)
}

/// What conditions say, without their amounts.
fn outline(conditions: &[Condition]) -> Vec<(&str, &str, &str)> {
    conditions.iter().map(|c| (c.type_.as_str(), c.status.as_str(), c.reason.as_str())).collect()
}

/// The status as it should be.
pub(super) fn status(seen: &Seen, acted: &Result<Option<Standing>, Error>, now: Timestamp) -> BudgetStatus {
    let mut status = seen.budget.status.clone().unwrap_or_default();
    let generation = seen.budget.metadata.generation;
    status.observed_generation = generation;
    let broken = seen.chain.as_ref().err().cloned().or_else(|| zone_fault(&seen.budget));
    let (state, why, message) = match (broken, acted) {
        (Some(fault), _) => (Lifecycle::Stalled, fault.reason, fault.message),
        (_, Err(error)) => match error.store_reason() {
            Some(why) => (Lifecycle::Stalled, why, error.to_string()),
            None => (Lifecycle::Progressing, reason::PROGRESSING, error.to_string()),
        },
        (_, Ok(None)) => (Lifecycle::Progressing, reason::PROGRESSING, "the account is being made".into()),
        (None, Ok(Some(stood))) => {
            let balance = current(&stood.balance, now);
            amounts(&mut status, &balance);
            spent_by(&mut status, stood.spenders.as_deref());
            period(&mut status, seen, &balance, now);
            question::show(&mut status, &seen.budget, stood, &balance, now);
            let chain = seen.chain.as_deref().unwrap_or_default();
            unready_parent(chain).unwrap_or_else(|| {
                let (why, message) = standing(&balance, &seen.budget);
                (Lifecycle::Ready, why, message)
            })
        }
    };
    set_lifecycle(&mut status.conditions, state, why, &message, generation, now);
    status
}

/// The balance as the next call will find it: the ledger begins a new period with the first call in it.
pub(super) fn current(balance: &Balance, now: Timestamp) -> Balance {
    let over = balance.period_end_us.is_some_and(|end| now.as_microsecond() >= end);
    if over {
        return Balance {
            spent_cost: 0,
            spent_tokens: 0,
            granted_cost: 0,
            granted_tokens: 0,
            denied: None,
            period_start_us: None,
            period_end_us: None,
            ..balance.clone()
        };
    }
    balance.clone()
}

/// When the period ends, and which shares of the limits it has reached.
fn period(status: &mut BudgetStatus, seen: &Seen, balance: &Balance, now: Timestamp) {
    let spec = &seen.budget.spec;
    let next = || {
        let zone = golden_ledger::time_zone(&spec.time_zone).ok()?;
        let period = golden_ledger::Period::parse(spec.period.as_str())?;
        Some(golden_ledger::span(period, &zone, now)?.end)
    };
    let ends = balance.period_end_us.and_then(|us| Timestamp::from_microsecond(us).ok()).or_else(next);
    status.period_ends_at = ends.map(|at| at.to_string());
    let share = |used: i64, limit: Option<i64>| match limit {
        // Nothing is allowed, so all of it is used.
        Some(0) => 100,
        Some(limit) => i128::from(used) * 100 / i128::from(limit),
        None => 0,
    };
    let reached =
        share(balance.spent_cost, balance.limit_cost).max(share(balance.spent_tokens, balance.limit_tokens));
    let mut alerts: Vec<i64> =
        spec.alert_percents.iter().copied().filter(|percent| i128::from(*percent) <= reached).collect();
    alerts.sort_unstable();
    status.alerts_reached = alerts;
}

/// A parent that is not Ready pays for no new task.
fn unready_parent(chain: &[Arc<Budget>]) -> Option<(Lifecycle, &'static str, String)> {
    let of = |b: &Budget| find(&b.status.as_ref()?.conditions, READY).cloned();
    let told = chain.iter().skip(1).map(|parent| (parent, of(parent)));
    let (parent, ready) =
        told.into_iter().find(|(_, ready)| ready.as_ref().is_none_or(|c| c.status != "True"))?;
    let Some(c) = ready else {
        let message = format!("the account of parent {} is being made", shown(parent));
        return Some((Lifecycle::Progressing, reason::PARENT_NOT_READY, message));
    };
    let message = format!("parent {} is not ready: {}: {}", shown(parent), c.reason, c.message);
    Some((Lifecycle::Stalled, reason::PARENT_NOT_READY, message))
}

fn amounts(status: &mut BudgetStatus, balance: &Balance) {
    status.spent_micro_usd = balance.spent_cost;
    status.reserved_micro_usd = balance.reserved_cost;
    status.spent_tokens = balance.spent_tokens;
    status.granted_micro_usd = Some(balance.granted_cost).filter(|granted| *granted > 0);
    status.granted_tokens = Some(balance.granted_tokens).filter(|granted| *granted > 0);
    status.overage_micro_usd = Some(balance.overage_cost).filter(|over| *over > 0);
    status.overage_tokens = Some(balance.overage_tokens).filter(|over| *over > 0);
    let (cost, tokens) = left(balance);
    status.available_micro_usd = cost.map(|left| left.max(0));
    status.spent = Some(match (balance.limit_cost, balance.granted_cost) {
        (Some(limit), 0) => format!("{} of {}", dollars(balance.spent_cost), dollars(limit)),
        (Some(limit), granted) => {
            format!("{} of {} and {} granted", dollars(balance.spent_cost), dollars(limit), dollars(granted))
        }
        (None, _) => dollars(balance.spent_cost),
    });
    status.available = match (status.available_micro_usd, tokens) {
        (Some(micro), _) => Some(dollars(micro)),
        (None, Some(left)) => Some(format!("{} tokens", left.max(0))),
        (None, None) => None,
    };
}

/// The dearest of each; nothing where nothing was spent. What was not read again stays.
fn spent_by(status: &mut BudgetStatus, spenders: Option<&[Spender]>) {
    if status.spent_micro_usd == 0 {
        status.spent_by = None;
    } else if let Some(spenders) = spenders {
        let task = |s: &Spender| format!("{}/{}", s.namespace, s.task.as_deref().unwrap_or("*"));
        status.spent_by = Some(SpentBy {
            micro_usd: status.spent_micro_usd,
            roles: dearest(spenders, |s| s.role.clone()),
            models: dearest(spenders, |s| s.model.clone()),
            tasks: dearest(spenders, task),
        });
    }
}

fn dearest(spenders: &[Spender], of: impl Fn(&Spender) -> String) -> Vec<Share> {
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for spender in spenders {
        let sum = sums.entry(of(spender)).or_default();
        *sum = sum.saturating_add(spender.cost);
    }
    let mut shares: Vec<Share> =
        sums.into_iter().map(|(name, micro_usd)| Share { name, micro_usd }).collect();
    shares.sort_by_key(|share| std::cmp::Reverse(share.micro_usd));
    shares.truncate(DEAREST);
    shares
}

/// What limits and grants leave, in micro-USD and tokens; below zero where more is committed.
fn left(balance: &Balance) -> (Option<i64>, Option<i64>) {
    let most = account(balance).ceiling();
    let left = |most: Option<i64>, used: [i64; 3]| Some(used.into_iter().fold(most?, i64::saturating_sub));
    let cost = [balance.spent_cost, balance.reserved_cost, balance.overage_cost];
    let tokens = [balance.spent_tokens, balance.reserved_tokens, balance.overage_tokens];
    (left(most.cost.map(|cost| cost.0), cost), left(most.tokens, tokens))
}

/// What a Ready budget can still do.
fn standing(balance: &Balance, budget: &Budget) -> (&'static str, String) {
    let (cost, tokens) = left(balance);
    if let Some(over) = account(balance).unconfirmed().words() {
        let approved = if budget.spec.on_exhausted == OnExhausted::Ask {
            format!(", or what it asks for is approved (golden approve budget/{})", budget.name_any())
        } else {
            String::new()
        };
        let message = format!(
            "a provider charged {over} beyond what was reserved; nothing new is granted until spec.limits is changed{approved}, \
             which confirms it"
        );
        return (reason::OVERAGE_UNCONFIRMED, message);
    }
    let over = cost.is_some_and(|left| left < 0) || tokens.is_some_and(|left| left < 0);
    let gone = cost.is_some_and(|left| left == 0) || tokens.is_some_and(|left| left == 0);
    if over {
        let message = "more is committed than the limit; nothing new is granted until the limit is raised";
        return (reason::OVER_LIMIT, message.into());
    }
    if gone {
        return (reason::EXHAUSTED, "nothing is left; raise spec.limits to let calls go on".into());
    }
    (reason::ACTIVE, "the account grants reservations within its limits".into())
}
