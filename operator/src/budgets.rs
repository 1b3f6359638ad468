//! Budgets across objects: the chain of parents, and which budgets pay for a task. Pure.

use golden_crds::Budget;
use golden_crds::conditions::budget as reason;
use golden_governance::selects;
use kube::ResourceExt;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Budgets on one path, the budget itself included.
const DEPTH: usize = 8;

/// Why a budget cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

/// The budget and its parents up to the root, or what breaks the chain.
pub(crate) fn chain(budget: &Arc<Budget>, all: &[Arc<Budget>]) -> Result<Vec<Arc<Budget>>, Fault> {
    selector(budget)?;
    let mut path = vec![Arc::clone(budget)];
    loop {
        let here = Arc::clone(path.last().unwrap_or(budget));
        let Some(parent) = parent(&here, all)? else { return Ok(path) };
        if path.iter().any(|b| b.metadata.uid == parent.metadata.uid) {
            let shown: Vec<String> = path.iter().chain([&parent]).map(|b| shown(b)).collect();
            return Err(Fault {
                reason: reason::PARENT_CYCLE,
                message: format!(
                    "the parents lead in a circle: {}; take one parentRef out",
                    shown.join(" → ")
                ),
            });
        }
        if path.len() == DEPTH {
            return Err(Fault {
                reason: reason::PARENT_TOO_DEEP,
                message: format!("the chain of parents of {} is longer than {DEPTH}", shown(budget)),
            });
        }
        path.push(parent);
    }
}

fn selector(budget: &Budget) -> Result<(), Fault> {
    match selects(budget.spec.selector.as_ref(), &BTreeMap::new()) {
        Ok(_) => Ok(()),
        Err(fault) => {
            Err(Fault { reason: reason::SELECTOR_INVALID, message: format!("spec.selector: {fault}") })
        }
    }
}

fn parent(budget: &Budget, all: &[Arc<Budget>]) -> Result<Option<Arc<Budget>>, Fault> {
    let Some(wanted) = &budget.spec.parent_ref else { return Ok(None) };
    let home = budget.namespace().unwrap_or_default();
    let namespace = wanted.namespace.as_ref().unwrap_or(&home);
    let found = all.iter().find(|b| b.name_any() == wanted.name && b.namespace().as_ref() == Some(namespace));
    let Some(found) = found.filter(|b| b.metadata.deletion_timestamp.is_none()) else {
        return Err(Fault {
            reason: reason::PARENT_NOT_FOUND,
            message: format!(
                "{} names parent {namespace}/{}, which does not exist",
                shown(budget),
                wanted.name
            ),
        });
    };
    if *namespace != home && !found.spec.allowed_namespaces.contains(&home) {
        return Err(Fault {
            reason: reason::PARENT_NOT_ALLOWED,
            message: format!(
                "parent {} does not allow budgets of namespace {home}; add it to its allowedNamespaces",
                shown(found)
            ),
        });
    }
    Ok(Some(Arc::clone(found)))
}

/// The budgets that select a task of these labels, by name.
pub(crate) fn selecting(
    namespace: &str,
    labels: &BTreeMap<String, String>,
    all: &[Arc<Budget>],
) -> Vec<Arc<Budget>> {
    let mut selecting: Vec<_> = all
        .iter()
        .filter(|b| b.namespace().as_deref() == Some(namespace) && b.metadata.deletion_timestamp.is_none())
        // A broken selector might have selected the task: it is not overlooked, its chain fails.
        .filter(|b| selects(b.spec.selector.as_ref(), labels).unwrap_or(true))
        .cloned()
        .collect();
    selecting.sort_by_key(|b| b.name_any());
    selecting
}

/// `namespace/name`.
pub(crate) fn shown(budget: &Budget) -> String {
    format!("{}/{}", budget.namespace().unwrap_or_default(), budget.name_any())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::{Value, json};

    pub(crate) fn budget(namespace: &str, name: &str, spec: &Value) -> Arc<Budget> {
        let mut all = json!({"limits": {"costMicroUSD": 10}});
        all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        Arc::new(
            serde_json::from_value(json!({
                "apiVersion": "goldenarch.dev/v1alpha1", "kind": "Budget",
                "metadata": {"name": name, "namespace": namespace, "uid": uid(namespace, name)},
                "spec": all,
            }))
            .unwrap(),
        )
    }

    pub(crate) fn uid(namespace: &str, name: &str) -> String {
        uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_DNS, format!("{namespace}/{name}").as_bytes()).to_string()
    }

    fn path(of: usize, all: &[Arc<Budget>]) -> Result<Vec<String>, &'static str> {
        chain(&all[of], all).map(|p| p.iter().map(|b| b.name_any()).collect()).map_err(|f| f.reason)
    }

    #[test]
    fn the_chain_leads_to_the_root_or_says_what_breaks_it() {
        let to = |name: &str, namespace: &str| json!({"parentRef": {"name": name, "namespace": namespace}});
        let plain = budget("a", "root", &json!({}));
        let open = budget("b", "open", &json!({"allowedNamespaces": ["a"]}));
        let closed = budget("b", "closed", &json!({}));
        for (child, want) in [
            (budget("a", "x", &json!({})), Ok(vec!["x".to_owned()])),
            (budget("a", "x", &json!({"parentRef": {"name": "root"}})), Ok(vec!["x".into(), "root".into()])),
            (budget("a", "x", &to("open", "b")), Ok(vec!["x".into(), "open".into()])),
            (budget("a", "x", &to("closed", "b")), Err("ParentNotAllowed")),
            (budget("a", "x", &to("none", "b")), Err("ParentNotFound")),
            (
                budget(
                    "a",
                    "x",
                    &json!({"selector": {"matchExpressions": [{"key": "k", "operator": "In"}]}}),
                ),
                Err("SelectorInvalid"),
            ),
        ] {
            let all = vec![child, plain.clone(), open.clone(), closed.clone()];
            assert_eq!(path(0, &all), want);
        }
    }

    #[test]
    fn circles_and_endless_chains_end() {
        let link = |name: String, to: String| budget("a", &name, &json!({"parentRef": {"name": to}}));
        let circle = vec![link("x".into(), "y".into()), link("y".into(), "x".into())];
        assert_eq!(path(0, &circle), Err("ParentCycle"));
        let long: Vec<_> = (0..20).map(|n| link(format!("b{n}"), format!("b{}", n + 1))).collect();
        assert_eq!(path(0, &long), Err("ParentTooDeep"));
    }
}
