//! What a task will cost, and whether it may begin by that: the figures of `golden_ledger::forecast`, and the policy's
//! rule over them. Pure.
//!
//! Only money is forecast. Nothing is set aside for a forecast: it keeps a task from beginning what it can probably
//! not finish, and the ledger keeps every call within its limits.

use super::inputs::Inputs;
use super::validate::{Admit, PRODUCER};
use crate::models::{Fault, provider};
use crate::money::dollars;
use golden_crds::agent_task::{AgentTaskSpec, ForecastStatus};
use golden_crds::budget::Period;
use golden_crds::conditions::agent_task as reason;
use golden_crds::governance_policy::{OnExceeds, Percentile};
use golden_crds::model_provider::{ModelSpec, Protocol};
use golden_crds::{Budget, ModelProvider};
use golden_ledger::forecast::{Forecast, Run, Source, Work, calls_bound, from_runs, upper_bound};
use golden_ledger::{MicroUsd, Prices};
use golden_platform::wire::{AGENT_CALLS, ModelBinding, VOTER_CALLS};
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
fn working(models: &BTreeMap<String, ModelBinding>) -> impl Iterator<Item = (&String, &ModelBinding)> {
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

/// What all calls of the task cost at most, without those that a lost pod repeats. None where a foreign agent calls:
/// nobody knows how often it does.
fn all_calls(inputs: &Inputs, admit: &Admit) -> Option<MicroUsd> {
    let team = inputs.team.as_ref()?;
    if team.spec.roles.iter().any(|role| role.name == PRODUCER && role.agent.is_some()) {
        return None;
    }
    let attempt = working(&admit.admission.models).try_fold(0_i64, |sum, (who, binding)| {
        let calls = if who.starts_with("voter:") { VOTER_CALLS } else { AGENT_CALLS };
        let (provider, model) = listed(binding, &inputs.providers)?;
        let count = |tokens: i64| u64::try_from(tokens).unwrap_or(0);
        let prices = prices(model, provider.spec.protocol)?;
        let cost = calls_bound(
            u64::from(calls),
            count(model.context_window),
            count(model.max_output_tokens),
            &prices,
        );
        sum.checked_add(cost.ok()?.0)
    })?;
    attempt.checked_mul(i64::from(inputs.task.spec.max_attempts)).map(MicroUsd)
}

fn listed<'a>(
    binding: &ModelBinding,
    providers: &'a [Arc<ModelProvider>],
) -> Option<(&'a ModelProvider, &'a ModelSpec)> {
    let provider = provider(&binding.namespace, &binding.provider, providers)?;
    let model = provider.spec.models.iter().find(|m| m.name == binding.model)?;
    Some((provider, model))
}

/// The model's prices; what Anthropic charges for its cache is in no case more than twice the input's price.
fn prices(model: &ModelSpec, protocol: Protocol) -> Option<Prices> {
    let input = model.input_micro_usd_per_mtoken?;
    let dearest = match protocol {
        Protocol::OpenAI => None,
        Protocol::Anthropic => Some(input.saturating_mul(2)),
    };
    Some(Prices {
        input,
        output: model.output_micro_usd_per_mtoken?,
        cached_input: model.cached_input_micro_usd_per_mtoken,
        cache_write: model.cache_write_micro_usd_per_mtoken.or(dearest),
        long_cache_write: model.long_cache_write_micro_usd_per_mtoken.or(dearest),
    })
}

/// Why the task has to wait, if its policy says so.
pub(crate) fn exceeds(
    admit: &Admit,
    forecast: Option<Forecast>,
    payers: &[Payer],
    now: Timestamp,
) -> Option<Fault> {
    let rule = &admit.forecast_rule;
    let forecast = forecast.filter(|_| rule.value.on_exceeds == OnExceeds::Wait)?;
    let (name, wanted) = match rule.value.percentile {
        Percentile::P50 => ("p50", forecast.p50.0),
        Percentile::P90 => ("p90", forecast.p90.0),
    };
    let own = admit
        .account
        .limit_cost
        .map(|limit| (limit, "the task's own limit".to_owned(), "raise spec.limits.costMicroUSD"));
    let budgets = payers
        .iter()
        .filter_map(|p| Some((p.available(now)?, format!("Budget {}", p.name), "raise its limit")));
    let (available, what, mend) = own.into_iter().chain(budgets).min()?;
    if wanted <= available {
        return None;
    }
    let figures = match forecast.basis {
        0 => format!(
            "fewer than five like tasks of the team are complete, so that the forecast is an upper bound, {}",
            dollars(wanted)
        ),
        basis => format!("the forecast ({name} of {basis} like tasks) is {}", dollars(wanted)),
    };
    let instead = match forecast.basis {
        0 => ", or submit the task with a spec.limits.costMicroUSD that fits",
        _ => "",
    };
    Some(Fault {
        reason: reason::FORECAST_EXCEEDS_BUDGET,
        message: format!(
            "{figures}, and {what} has {} left; {mend}{instead}. Policy {} lets it wait until then",
            dollars(available),
            rule.origin
        ),
    })
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
