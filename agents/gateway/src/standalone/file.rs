//! The configuration file as people write it, in YAML or JSON. What it may hold is here; what it must hold is checked
//! in [`super::config`].

use golden_crds::budget::{OnExhausted, Period};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The name of what has none.
fn local() -> String {
    "local".to_owned()
}

fn utc() -> String {
    "UTC".to_owned()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct File {
    pub(super) listen: Option<String>,
    pub(super) postgres: String,
    pub(super) redis: Option<String>,
    pub(super) token: Option<String>,
    pub(super) token_env: Option<String>,
    /// Each a ModelProvider's spec with `name` and `keyEnv`; read by that kind's own rules.
    pub(super) providers: Vec<Map<String, Value>>,
    pub(super) model: Option<String>,
    #[serde(default)]
    pub(super) models: BTreeMap<String, String>,
    pub(super) budget: BudgetPart,
    #[serde(default)]
    pub(super) task: TaskPart,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct BudgetPart {
    #[serde(default = "local")]
    pub(super) name: String,
    #[serde(rename = "costMicroUSD")]
    pub(super) cost_micro_usd: Option<i64>,
    pub(super) tokens: Option<i64>,
    #[serde(default)]
    pub(super) period: Period,
    #[serde(default = "utc")]
    pub(super) time_zone: String,
    #[serde(default)]
    pub(super) on_exhausted: OnExhausted,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TaskPart {
    #[serde(default = "local")]
    pub(super) name: String,
    #[serde(default)]
    pub(super) limits: LimitsPart,
}

impl Default for TaskPart {
    fn default() -> Self {
        Self { name: local(), limits: LimitsPart::default() }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LimitsPart {
    #[serde(rename = "costMicroUSD")]
    pub(super) cost_micro_usd: Option<i64>,
    pub(super) tokens: Option<i64>,
}
