//! What a task will cost, and whether it may begin by that: the figures of `golden_ledger::forecast`, and the policy's
//! rule over them. Pure.
//!
//! Only money is forecast. Nothing is set aside for a forecast: it keeps a task from beginning what it can probably
//! not finish, and the ledger keeps every call within its limits.

use super::bound::all_calls;
use super::inputs::Inputs;
use super::validate::{Admit, PRODUCER};
use crate::models::Fault;
use crate::money::dollars;
use golden_crds::Budget;
use golden_crds::agent_task::{AgentTaskSpec, ForecastStatus};
use golden_crds::budget::Period;
use golden_crds::conditions::agent_task as reason;
use golden_crds::governance_policy::Percentile;
use golden_ledger::MicroUsd;
use golden_ledger::forecast::{Forecast, Run, Source, Work, from_runs, upper_bound};
use golden_platform::wire::ModelBinding;
use jiff::Timestamp;
use kube::ResourceExt;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// What Postgres knows that a forecast rests on.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The team's latest completed tasks.
    pub(crate) runs: Vec<Run>,
    /// The Budgets that pay.
    pub(crate) payers: Vec<Payer>,
}

/// A Budget that pays for the task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payer {
    pub(crate) uid: Uuid,
    /// `namespace/name`.
    pub(crate) name: String,
    /// In micro-USD; none if it limits tokens only.
    pub(crate) limit: Option<i64>,
    /// What people granted beside it for the present period.
    pub(crate) granted: i64,
    pub(crate) spent: i64,
    pub(crate) reserved: i64,
    pub(crate) overage: i64,
    /// In microseconds since 1970; none before the first call of a period.
    pub(crate) period_end_us: Option<i64>,
}

impl Payer {
    /// What it has left, never less than nothing. A period that has ended is cleared with its next call only.
    fn available(&self, now: Timestamp) -> Option<i64> {
        let over = self.period_end_us.is_some_and(|end| end <= now.as_microsecond());
        let (granted, spent) = if over { (0, 0) } else { (self.granted, self.spent) };
        let used = spent.saturating_add(self.reserved).saturating_add(self.overage);
        self.limit.map(|limit| limit.saturating_add(granted).saturating_sub(used).max(0))
    }
}

/// What the task works on and with.
pub(crate) fn work(spec: &AgentTaskSpec, models: &BTreeMap<String, ModelBinding>) -> Work {
    let source = match (&spec.source.git, &spec.source.inline) {
        (Some(git), _) => Source::Git { repository: git.url.clone() },
        (None, inline) => {
            let files = inline.iter().flat_map(|i| &i.files);
            Source::Inline { bytes: files.map(|f| f.content.len() as u64).sum() }
        }
    };
    let mut digest = Sha256::new();
    for (role, m) in working(models) {
        // No part holds a line break.
        digest.update(format!("{role}\n{}\n{}\n{}\n", m.namespace, m.provider, m.model));
    }
    Work { source, models: hex::encode(digest.finalize()) }
}

/// The models of those who work: a team's other roles call none.
pub(super) fn working(
    models: &BTreeMap<String, ModelBinding>,
) -> impl Iterator<Item = (&String, &ModelBinding)> {
    models.iter().filter(|(who, _)| who.strip_prefix("role:").is_none_or(|role| role == PRODUCER))
}

/// The forecast; none if there are too few like runs and nothing bounds the task.
pub(crate) fn forecast(inputs: &Inputs, admit: &Admit, known: &Known) -> Option<Forecast> {
    from_runs(&admit.work, &known.runs).or_else(|| {
        let own = admit.account.limit_cost.map(MicroUsd);
        let budgets = known.payers.iter().filter_map(|p| whole_limit(p, inputs));
        upper_bound(own.into_iter().chain(budgets).chain(all_calls(inputs, admit)))
    })
}

/// What a Budget can grant at most until the task's deadline. A period's limit is granted anew in each.
fn whole_limit(payer: &Payer, inputs: &Inputs) -> Option<MicroUsd> {
    let most = payer.limit.map(|limit| limit.saturating_add(payer.granted));
    let id = payer.uid.to_string();
    let budget = inputs.budgets.iter().find(|b| b.uid().as_deref() == Some(&id))?;
    let shortest = match budget.spec.period {
        Period::Total => return most.map(MicroUsd),
        Period::Day => 23 * 3600,
        Period::Week => (7 * 24 - 1) * 3600,
        Period::Month => (28 * 24 - 1) * 3600,
    };
    // As many as fit into the time, and the ones it begins and ends in.
    let periods = inputs.task.spec.deadline_seconds / shortest + 2;
    most.map(|most| MicroUsd(most.saturating_mul(periods)))
}

/// Accounts without enough that are told of.
const MOST_LACKS: usize = 16;

/// More is expected to be spent than there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Excess {
    pub(crate) forecast: Forecast,
    percentile: Percentile,
    /// The figure that the policy compares, in micro-USD.
    pub(crate) wanted: i64,
    /// Who has less than that, the one with least first; never empty.
    pub(crate) lacks: Vec<Lack>,
}

/// Somebody who has less than a forecast.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lack {
    /// In micro-USD.
    pub(crate) available: i64,
    pub(crate) account: String,
    mend: &'static str,
}

/// What the task would exceed, if anything.
pub(crate) fn excess(
    admit: &Admit,
    forecast: Option<Forecast>,
    payers: &[Payer],
    now: Timestamp,
) -> Option<Excess> {
    let (forecast, percentile) = (forecast?, admit.policy.forecast.value.percentile);
    let wanted = match percentile {
        Percentile::P50 => forecast.p50.0,
        Percentile::P90 => forecast.p90.0,
    };
    let own = admit.account.limit_cost.map(|available| Lack {
        available,
        account: "the task's own limit".to_owned(),
        mend: "raise spec.limits.costMicroUSD",
    });
    let budgets = payers.iter().filter_map(|p| {
        let account = format!("Budget {}", p.name);
        Some(Lack { available: p.available(now)?, account, mend: "raise its limit" })
    });
    let mut lacks: Vec<Lack> = own.into_iter().chain(budgets).filter(|l| l.available < wanted).collect();
    lacks.sort();
    lacks.truncate(MOST_LACKS);
    (!lacks.is_empty()).then_some(Excess { forecast, percentile, wanted, lacks })
}

impl Excess {
    /// The forecast in words.
    fn figures(&self) -> String {
        let wanted = dollars(self.wanted);
        match self.forecast.basis {
            0 => format!(
                "fewer than five like tasks of the team are complete, so that the forecast is an upper bound, {wanted}"
            ),
            basis => {
                let (name, other) = match self.percentile {
                    Percentile::P50 => ("p50", format!("p90 {}", dollars(self.forecast.p90.0))),
                    Percentile::P90 => ("p90", format!("p50 {}", dollars(self.forecast.p50.0))),
                };
                format!("the forecast ({name} of {basis} like tasks) is {wanted} ({other})")
            }
        }
    }

    /// Who lacks how much.
    fn lacking(&self) -> String {
        let one = |lack: &Lack| {
            let missing = dollars(self.wanted.saturating_sub(lack.available));
            format!("{} has {} left, {missing} too little", lack.account, dollars(lack.available))
        };
        self.lacks.iter().map(one).collect::<Vec<_>>().join("; ")
    }

    /// The forecast, and who lacks how much.
    pub(crate) fn summary(&self) -> String {
        format!("{}, and {}", self.figures(), self.lacking())
    }

    /// What helps. Where several lack something, the tightest is named: the others follow.
    fn mend(&self) -> String {
        let first = self.lacks.first().map_or("", |lack| lack.mend);
        match self.forecast.basis {
            0 => format!("{first}, or submit the task with a spec.limits.costMicroUSD that fits"),
            _ => first.to_owned(),
        }
    }

    /// Why the task does not begin; `then` says who lets it wait, or how to answer.
    pub(crate) fn fault(&self, then: &str) -> Fault {
        Fault {
            reason: reason::FORECAST_EXCEEDS_BUDGET,
            message: format!("{}; {}. {then}", self.summary(), self.mend()),
        }
    }
}

/// As the status has it.
pub(crate) fn shown(forecast: Forecast) -> ForecastStatus {
    let (p50, p90) = (forecast.p50.0, forecast.p90.0);
    let cost = match forecast.basis {
        0 => format!("at most {}", dollars(p90)),
        _ => format!("{}, p90 {}", dollars(p50), dollars(p90)),
    };
    ForecastStatus { p50_cost_micro_usd: p50, p90_cost_micro_usd: p90, basis: forecast.basis, cost }
}

/// The name by which people know the Budget of an account.
pub(crate) fn payer_name(uid: Uuid, budgets: &[Arc<Budget>]) -> String {
    let id = uid.to_string();
    let found = budgets.iter().find(|b| b.uid().as_deref() == Some(&id));
    found.map_or(id.clone(), |b| crate::budgets::shown(b))
}
