//! A configuration that holds together. Pure: the environment is passed in.

use super::check::{self, label};
use super::fault::{Fault, Faults};
use super::file::{BudgetPart, File, LimitsPart, TaskPart};
use super::mapping;
use super::models::Models;
use super::provider::{Provider, providers};
use super::spec::Spec;
use golden_crds::Budget;
use golden_crds::budget::OnExhausted;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Where everything of a configuration is, as far as the gateway and the ledger know namespaces.
pub(super) const NAMESPACE: &str = "local";
/// Largest file, in bytes.
pub(super) const MAX_FILE: usize = 1 << 20;

/// What clients must send.
pub(super) struct Token {
    pub(super) value: String,
    /// The environment variable it stands in; none if it stands in the file.
    pub(super) variable: Option<String>,
}

/// A limit, in micro-USD and in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) cost: Option<i64>,
    pub(super) tokens: Option<i64>,
}

/// What may be spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BudgetConfig {
    pub(super) name: String,
    pub(super) limits: Limits,
    /// `Total`, `Day`, `Week` or `Month`.
    pub(super) period: &'static str,
    pub(super) time_zone: String,
    /// A call that cannot be paid waits; else it fails.
    pub(super) pauses: bool,
}

/// What the calls are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TaskConfig {
    pub(super) name: String,
    pub(super) limits: Limits,
}

/// All of it.
pub struct Config {
    pub(super) listen: SocketAddr,
    pub(super) postgres: String,
    /// No decision about money rests on it.
    pub(super) redis: Option<String>,
    pub(super) token: Token,
    pub(super) providers: Vec<Provider>,
    pub(super) models: Models,
    pub(super) budget: BudgetConfig,
    pub(super) task: TaskConfig,
}

impl Config {
    /// Reads a file's text, YAML or JSON; `environment` looks a variable up.
    pub fn parse(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, Faults> {
        let File { listen, postgres, redis, token, token_env, providers: parts, model, models, budget, task } =
            file(text)?;
        let mut faults = Faults::default();
        let listen = faults.note(check::listen(listen));
        let postgres = faults.note(check::database(&postgres, environment));
        let redis = redis.and_then(|url| faults.note(check::redis(&url, environment)));
        let token = faults.note(check::token(token, token_env, listen, environment));
        let ours = |e: anyhow::Error| Fault::new("", format!("a defect of Golden's own: {e:#}"));
        let providers = providers(parts, environment, &mut faults).map_err(ours)?;
        // What is wrong with a provider makes every line that names it wrong: said once.
        let models = if faults.0.iter().any(|fault| fault.field.starts_with("providers")) {
            None
        } else {
            Some(mapping::models(model, models, &providers, &mut faults))
        };
        let rules = Spec::of::<Budget>().map_err(ours)?;
        let budget = checked_budget(budget, &rules, &mut faults);
        let task = checked_task(task, &rules, &mut faults);
        match (listen, postgres, token, models) {
            (Some(listen), Some(postgres), Some(token), Some(models)) if faults.0.is_empty() => {
                Ok(Self { listen, postgres, redis, token, providers, models, budget, task })
            }
            _ => Err(faults),
        }
    }
}

fn file(text: &str) -> Result<File, Fault> {
    if text.len() > MAX_FILE {
        return Err(Fault::new("", format!("the file has more than {MAX_FILE} bytes")));
    }
    // Without the lines around a mistake: one of them may hold the token.
    let options = serde_saphyr::options! { with_snippet: false };
    let value: Value = serde_saphyr::from_str_with_options(text, options)
        .map_err(|e| Fault::new("", format!("the file is neither YAML nor JSON: {e}")))?;
    serde_path_to_error::deserialize(&value).map_err(|e| {
        let path = e.path().to_string();
        Fault::new(if path == "." { "" } else { &path }, e.inner().to_string())
    })
}

fn checked_budget(part: BudgetPart, rules: &Spec, faults: &mut Faults) -> BudgetConfig {
    let BudgetPart { name, cost_micro_usd, tokens, period, time_zone, on_exhausted } = part;
    faults.note(label("budget.name", &name));
    let limits = LimitsPart { cost_micro_usd, tokens };
    let spec = json!({"limits": written(&limits), "period": period, "timeZone": time_zone});
    // The file has the limits beside the period, the kind below `limits`.
    let named = |path: &str| match path.trim_start_matches("limits").trim_start_matches('.') {
        "" => "budget".to_owned(),
        field => format!("budget.{field}"),
    };
    rules.check(&spec, named, faults);
    if let Err(unknown) = golden_ledger::time_zone(&time_zone) {
        faults.add("budget.timeZone", unknown.to_string());
    }
    if on_exhausted == OnExhausted::Ask {
        faults.add("budget.onExhausted", "must be Pause or Fail: outside a cluster there is nobody to ask");
    }
    let pauses = on_exhausted == OnExhausted::Pause;
    BudgetConfig { name, limits: limits.into(), period: period.as_str(), time_zone, pauses }
}

fn checked_task(part: TaskPart, rules: &Spec, faults: &mut Faults) -> TaskConfig {
    let TaskPart { name, limits } = part;
    faults.note(label("task.name", &name));
    if limits.cost_micro_usd.is_some() || limits.tokens.is_some() {
        rules.check(&json!({"limits": written(&limits)}), |path| format!("task.{path}"), faults);
    }
    TaskConfig { name, limits: limits.into() }
}

/// As the kind writes it: what is not set is not there.
fn written(limits: &LimitsPart) -> Value {
    let fields = [("costMicroUSD", limits.cost_micro_usd), ("tokens", limits.tokens)];
    fields.into_iter().filter_map(|(name, limit)| Some((name.to_owned(), Value::from(limit?)))).collect()
}

impl From<LimitsPart> for Limits {
    fn from(part: LimitsPart) -> Self {
        Self { cost: part.cost_micro_usd, tokens: part.tokens }
    }
}

#[cfg(test)]
mod tests;
