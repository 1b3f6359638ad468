//! Which provider a model reference means, and why it cannot be used. Pure.

use golden_crds::ModelProvider;
use golden_crds::agent_team::ModelRef;
use golden_crds::conditions::agent_task as reason;
use golden_crds::conditions::{READY, find};
use golden_crds::model_provider::ModelSpec;
use golden_platform::wire::ModelBinding;
use kube::ResourceExt;
use std::sync::Arc;

/// Why a model cannot be used: a documented reason and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

/// Where references are resolved from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct From<'a> {
    /// The referring object's namespace.
    pub(crate) namespace: &'a str,
    /// Golden's own, whose providers may be offered to others.
    pub(crate) golden: &'a str,
    pub(crate) providers: &'a [Arc<ModelProvider>],
}

/// Resolves a voter's reference, or Golden's default where the policy names none.
pub(crate) fn resolve_voter(
    role: &str,
    wanted: Option<&ModelRef>,
    default: &ModelRef,
    from: From<'_>,
) -> Result<ModelBinding, Fault> {
    let who = format!("voter {role}");
    match wanted {
        Some(wanted) => resolve(&who, wanted, from),
        None if default.provider.is_empty() => Err(Fault {
            reason: reason::PROVIDER_NOT_FOUND,
            message: format!(
                "{who} names no model and this install has no default one; write modelRef in the policy, or set \
                 defaultModel in the chart's values"
            ),
        }),
        None => resolve(&who, default, from),
    }
}

/// Resolves a reference of `who` (for messages: `role developer`).
pub(crate) fn resolve(who: &str, wanted: &ModelRef, from: From<'_>) -> Result<ModelBinding, Fault> {
    let provider = find_provider(&wanted.provider, from).ok_or_else(|| Fault {
        reason: reason::PROVIDER_NOT_FOUND,
        message: format!(
            "{who} names ModelProvider {}, which does not exist in namespace {} and is not offered to it by {}; create \
             it, or add the namespace to its allowedNamespaces",
            wanted.provider, from.namespace, from.golden
        ),
    })?;
    let model = provider.spec.models.iter().find(|m| m.name == wanted.model).ok_or_else(|| Fault {
        reason: reason::MODEL_NOT_FOUND,
        message: format!(
            "{who} names model {}, which ModelProvider {} does not list; it lists {}",
            wanted.model,
            wanted.provider,
            names(&provider.spec.models)
        ),
    })?;
    if !is_priced(model) {
        return Err(Fault {
            reason: reason::MODEL_UNPRICED,
            message: format!(
                "model {} of ModelProvider {} ({who}) has no price; write inputMicroUSDPerMToken and \
                 outputMicroUSDPerMToken, also when they are 0",
                wanted.model, wanted.provider
            ),
        });
    }
    if let Some(fault) = not_ready(who, provider) {
        return Err(fault);
    }
    Ok(ModelBinding {
        namespace: provider.namespace().unwrap_or_default(),
        provider: provider.name_any(),
        model: model.name.clone(),
        context_window: u64::try_from(model.context_window).ok(),
    })
}

/// Whether both prices are written.
pub(crate) fn is_priced(model: &ModelSpec) -> bool {
    model.input_micro_usd_per_mtoken.is_some() && model.output_micro_usd_per_mtoken.is_some()
}

/// The provider of that name in that namespace.
pub(crate) fn provider<'a>(
    namespace: &str,
    name: &str,
    providers: &'a [Arc<ModelProvider>],
) -> Option<&'a ModelProvider> {
    let fits = |p: &&Arc<ModelProvider>| p.name_any() == name && p.namespace().as_deref() == Some(namespace);
    providers.iter().find(fits).map(AsRef::as_ref)
}

/// The namespace's own provider first; then Golden's, if it is offered.
pub(crate) fn find_provider<'a>(name: &str, from: From<'a>) -> Option<&'a ModelProvider> {
    let named = |namespace: &str| provider(namespace, name, from.providers);
    let offered = |p: &&ModelProvider| {
        from.namespace == from.golden
            || p.spec.allowed_namespaces.iter().any(|n| n == "*" || n == from.namespace)
    };
    named(from.namespace).or_else(|| named(from.golden).filter(offered))
}

/// The models that may answer a call of this binding, each with its provider where there is one: its own first, then those
/// that its provider falls back to. As the gateway finds them.
pub(crate) fn answering<'a>(
    binding: &'a ModelBinding,
    golden: &'a str,
    providers: &'a [Arc<ModelProvider>],
) -> impl Iterator<Item = (&'a str, Option<&'a ModelProvider>)> {
    let from = From { namespace: &binding.namespace, golden, providers };
    let own = provider(&binding.namespace, &binding.provider, providers);
    let fallbacks = own.into_iter().flat_map(|own| &own.spec.fallbacks);
    let others = fallbacks.map(move |other| (other.model.as_str(), find_provider(&other.provider, from)));
    std::iter::once((binding.model.as_str(), own)).chain(others)
}

/// Whether a provider that is not ready for this reason is only down for now. Nothing is refused for that: it is a call
/// that shows that it answers again.
pub(crate) fn is_outage(why: &str) -> bool {
    use golden_crds::conditions::model_provider::{BREAKER_OPEN, ENDPOINT_UNREACHABLE, KEY_REFUSED};
    [BREAKER_OPEN, ENDPOINT_UNREACHABLE, KEY_REFUSED].contains(&why)
}

/// A provider that says itself that it cannot be used. An unpriced other model is no reason.
fn not_ready(who: &str, provider: &ModelProvider) -> Option<Fault> {
    let ready = provider.status.as_ref().and_then(|s| find(&s.conditions, READY))?;
    if ready.status == "True" || ready.reason == reason::MODEL_UNPRICED || is_outage(&ready.reason) {
        return None;
    }
    Some(Fault {
        reason: reason::PROVIDER_NOT_READY,
        message: format!(
            "ModelProvider {} ({who}) is not ready: {}: {}",
            provider.name_any(),
            ready.reason,
            ready.message
        ),
    })
}

fn names(models: &[ModelSpec]) -> String {
    models.iter().map(|m| m.name.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn provider(
        namespace: &str,
        allowed: &[&str],
        priced: bool,
        ready: Option<(&str, &str)>,
    ) -> Arc<ModelProvider> {
        let price = if priced { json!(1) } else { json!(null) };
        let conditions = ready.map_or(json!([]), |(status, reason)| {
            json!([{"type": "Ready", "status": status, "reason": reason, "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z"}])
        });
        Arc::new(serde_json::from_value(json!({
            "apiVersion": "goldenarch.dev/v1alpha1", "kind": "ModelProvider",
            "metadata": {"name": "p", "namespace": namespace},
            "spec": {"protocol": "OpenAI", "baseURL": "http://m", "allowedNamespaces": allowed, "models": [
                {"name": "m", "contextWindow": 10, "maxOutputTokens": 5,
                 "inputMicroUSDPerMToken": price, "outputMicroUSDPerMToken": price}]},
            "status": {"conditions": conditions},
        }))
        .unwrap())
    }

    fn outcome(providers: &[Arc<ModelProvider>], model: &str) -> Result<String, &'static str> {
        let wanted = ModelRef { provider: "p".into(), model: model.into() };
        let from = From { namespace: "team", golden: "golden-system", providers };
        resolve("role developer", &wanted, from).map(|b| b.namespace).map_err(|f| f.reason)
    }

    #[test]
    fn the_nearest_offered_priced_and_ready_provider_counts() {
        let golden = |allowed: &[&str]| provider("golden-system", allowed, true, Some(("True", "Available")));
        let own = provider("team", &[], true, None);
        for (providers, model, want) in [
            (vec![own.clone(), golden(&["*"])], "m", Ok("team")),
            (vec![golden(&["*"])], "m", Ok("golden-system")),
            (vec![golden(&["team"])], "m", Ok("golden-system")),
            (vec![golden(&["other"])], "m", Err("ProviderNotFound")),
            (vec![provider("other", &["*"], true, None)], "m", Err("ProviderNotFound")),
            (vec![own.clone()], "x", Err("ModelNotFound")),
            (vec![provider("team", &[], false, None)], "m", Err("ModelUnpriced")),
            (
                vec![provider("team", &[], true, Some(("False", "SecretNotFound")))],
                "m",
                Err("ProviderNotReady"),
            ),
            (vec![provider("team", &[], true, Some(("False", "ModelUnpriced")))], "m", Ok("team")),
            (vec![provider("team", &[], true, Some(("False", "BreakerOpen")))], "m", Ok("team")),
        ] {
            assert_eq!(outcome(&providers, model), want.map(ToOwned::to_owned), "{providers:?}");
        }
    }
}
