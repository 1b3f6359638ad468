//! Budget: an account in the ledger with the spec's limits, what it stands at in the status, and the question to a person
//! when calls wait for more and the spec says Ask.

mod act;
mod ask;
mod question;
mod report;
#[cfg(test)]
pub(crate) mod tests;

use crate::budgets::{Fault, chain};
use crate::context::Context;
use crate::error::Error;
use golden_crds::Budget;
use golden_crds::conditions::budget as reason;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use std::sync::Arc;
use std::time::Duration;

/// Field manager.
const MANAGER: &str = "golden-budget";
/// The relist: spending that nobody told of is seen after this.
const RELIST: Duration = Duration::from_secs(30);

/// What there is: the budget and its parents up to the root, or what breaks the chain.
struct Seen {
    budget: Arc<Budget>,
    chain: Result<Vec<Arc<Budget>>, Fault>,
}

/// Makes the account and the status match one budget.
pub(crate) async fn reconcile(budget: Arc<Budget>, ctx: Arc<Context>) -> Result<Action, Error> {
    if budget.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let seen = observe(&budget, &ctx);
    let account = plan(&seen)?;
    let acted = act::act(&seen.budget, account.as_ref(), &ctx).await;
    let wait = report::report(&seen, &acted, &ctx).await?;
    let stood = acted?;
    let due = stood.as_ref().and_then(|s| overdue_in(s, Timestamp::now()));
    Ok(Action::requeue([wait, due].into_iter().flatten().fold(RELIST, Duration::min)))
}

/// When the open question has waited too long.
fn overdue_in(stood: &act::Standing, now: Timestamp) -> Option<Duration> {
    let left = stood.open.as_ref()?.deadline_us?.saturating_sub(now.as_microsecond());
    // A deadline that has passed was seen.
    u64::try_from(left).ok().filter(|left| *left > 0).map(Duration::from_micros)
}

fn observe(budget: &Arc<Budget>, ctx: &Context) -> Seen {
    Seen { chain: chain(budget, &ctx.caches.budgets.state()), budget: Arc::clone(budget) }
}

/// The account as it should be. None while the chain of parents is broken, or the zone unknown: an account that has been made keeps its
/// limits and its parent, so that a broken reference never frees money.
fn plan(seen: &Seen) -> Result<Option<golden_platform::ledger_accounts::BudgetAccount>, Error> {
    let Ok(chain) = &seen.chain else { return Ok(None) };
    let spec = &seen.budget.spec;
    if zone_fault(&seen.budget).is_some() {
        return Ok(None);
    }
    let parent = chain.get(1).map(|p| uid(p)).transpose()?;
    Ok(Some(golden_platform::ledger_accounts::BudgetAccount {
        uid: uid(&seen.budget)?,
        team_uid: None,
        namespace: seen.budget.namespace().unwrap_or_default(),
        name: seen.budget.name_any(),
        parent_uid: parent,
        on_exhausted: spec.on_exhausted.as_str().to_owned(),
        limit_cost: spec.limits.cost_micro_usd,
        limit_tokens: spec.limits.tokens,
        period: spec.period.as_str().to_owned(),
        time_zone: spec.time_zone.clone(),
    }))
}

/// A zone that nobody knows: no day of it ends.
fn zone_fault(budget: &Budget) -> Option<Fault> {
    let unknown = golden_ledger::time_zone(&budget.spec.time_zone).err()?;
    Some(Fault { reason: reason::TIME_ZONE_UNKNOWN, message: format!("spec.timeZone: {unknown}") })
}

fn uid(budget: &Budget) -> Result<uuid::Uuid, Error> {
    let uid = budget.uid().unwrap_or_default();
    uid.parse().map_err(|_| Error::Bug(format!("budget {} has no uid", budget.name_any())))
}
