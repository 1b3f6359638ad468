//! Label selectors, with the meaning Kubernetes gives them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use std::collections::BTreeMap;

/// Why a selector cannot be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorFault {
    #[error("selector operator {0} is unknown; use In, NotIn, Exists or DoesNotExist")]
    UnknownOperator(String),
    #[error("selector {operator} on key {key} needs at least one value")]
    ValuesMissing { key: String, operator: String },
    #[error("selector {operator} on key {key} takes no values")]
    ValuesUnexpected { key: String, operator: String },
}

/// Whether the selector selects these labels. An absent selector and an empty one select everything.
pub fn selects(
    selector: Option<&LabelSelector>,
    labels: &BTreeMap<String, String>,
) -> Result<bool, SelectorFault> {
    let Some(selector) = selector else { return Ok(true) };
    let wanted = selector.match_labels.iter().flatten();
    let mut all = wanted.fold(true, |all, (key, value)| all && labels.get(key) == Some(value));
    for requirement in selector.match_expressions.iter().flatten() {
        // Evaluated even if the answer is known: a broken selector must not depend on the labels to be found.
        all &= holds(requirement, labels)?;
    }
    Ok(all)
}

fn holds(
    requirement: &LabelSelectorRequirement,
    labels: &BTreeMap<String, String>,
) -> Result<bool, SelectorFault> {
    let value = labels.get(&requirement.key);
    let values = requirement.values.as_deref().unwrap_or_default();
    let fault = || (requirement.key.clone(), requirement.operator.clone());
    match requirement.operator.as_str() {
        "In" | "NotIn" if values.is_empty() => {
            let (key, operator) = fault();
            Err(SelectorFault::ValuesMissing { key, operator })
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let (key, operator) = fault();
            Err(SelectorFault::ValuesUnexpected { key, operator })
        }
        "In" => Ok(value.is_some_and(|v| values.contains(v))),
        // As in Kubernetes, a missing key is not in any set.
        "NotIn" => Ok(value.is_none_or(|v| !values.contains(v))),
        "Exists" => Ok(value.is_some()),
        "DoesNotExist" => Ok(value.is_none()),
        other => Err(SelectorFault::UnknownOperator(other.to_owned())),
    }
}
