//! Whether reviewers judge with another model than the author's, where the policy asks for it. Pure.
//!
//! What counts is the model's name, not whose endpoint it is asked at: the same model offered by two providers is one
//! model. What comes before the last `/` of a name is a router's way to say where it is (`vendor/model`), and case is a
//! matter of taste. Two models that hide behind one name (`standard`) pass for one: name them apart.

use super::validate::PRODUCER;
use crate::models::{Fault, provider};
use golden_consensus::same_model;
use golden_crds::ModelProvider;
use golden_crds::conditions::agent_task as reason;
use golden_crds::governance_policy::Independence;
use golden_governance::MergedPolicy;
use golden_platform::wire::ModelBinding;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every voter's models, with those that its provider falls back to, against every one of the author's.
pub(super) fn check(
    policy: &MergedPolicy,
    models: &BTreeMap<String, ModelBinding>,
    providers: &[Arc<ModelProvider>],
) -> Result<(), Fault> {
    if policy.review.value.independence != Some(Independence::DifferentModel) {
        return Ok(());
    }
    let Some(author) = models.get(&format!("role:{PRODUCER}")) else { return Ok(()) };
    let authors = answering(author, providers);
    for (seat, binding) in models.iter().filter_map(|(k, v)| Some((k.strip_prefix("voter:")?, v))) {
        let same =
            answering(binding, providers).into_iter().find(|m| authors.iter().any(|a| same_model(a, m)));
        if let Some(model) = same {
            return Err(Fault {
                reason: reason::REVIEWER_NOT_INDEPENDENT,
                message: format!(
                    "voter {seat} (ModelProvider {}) would judge with model {model}, which may be the author's (role \
                     {PRODUCER}, ModelProvider {}), and policy {} asks for review.independence DifferentModel; name \
                     another model in its review.voters[].modelRef, or for the role",
                    binding.provider, author.provider, policy.review.origin
                ),
            });
        }
    }
    Ok(())
}

/// The models that may answer a call of this binding.
fn answering(binding: &ModelBinding, providers: &[Arc<ModelProvider>]) -> Vec<String> {
    let its = provider(&binding.namespace, &binding.provider, providers);
    let fallbacks = its.into_iter().flat_map(|p| &p.spec.fallbacks);
    std::iter::once(binding.model.clone()).chain(fallbacks.map(|f| f.model.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use golden_governance::merge;
    use serde_json::json;

    fn policy(independence: &str) -> MergedPolicy {
        let mut policy = merge(&BTreeMap::new(), &BTreeMap::new(), &[], &[]).unwrap();
        policy.review.value.independence = serde_json::from_value(json!(independence)).unwrap();
        policy
    }

    fn binding(provider: &str, model: &str) -> ModelBinding {
        ModelBinding {
            namespace: "n".into(),
            provider: provider.into(),
            model: model.into(),
            context_window: Some(1000),
        }
    }

    fn provider(name: &str, fallback: &str) -> Arc<ModelProvider> {
        Arc::new(
            serde_json::from_value(json!({
                "apiVersion": "goldenarch.dev/v1alpha1", "kind": "ModelProvider",
                "metadata": {"name": name, "namespace": "n"},
                "spec": {"protocol": "OpenAI", "baseURL": "http://m", "models": [],
                         "fallbacks": [{"provider": "x", "model": fallback}]},
            }))
            .unwrap(),
        )
    }

    #[test]
    fn a_voter_with_the_authors_model_is_named_with_it() {
        let cases = [
            ("large", "small", true),
            ("large", "large", false),
            ("vendor/Large", "large", false),
            ("large", "large-2", true),
            // By way of a fallback, of the author's provider or of the voter's.
            ("other", "spare-a", false),
            ("spare-v", "small", false),
        ];
        let providers = [provider("a", "spare-a"), provider("v", "spare-v")];
        for (author, voter, good) in cases {
            let models: BTreeMap<String, ModelBinding> = [
                ("role:developer".to_owned(), binding("a", author)),
                // Another role does not write what is judged.
                ("role:planner".to_owned(), binding("p", voter)),
                ("voter:security".to_owned(), binding("v", voter)),
            ]
            .into();
            assert_eq!(check(&policy("None"), &models, &providers), Ok(()));
            let checked = check(&policy("DifferentModel"), &models, &providers);
            assert_eq!(checked.is_ok(), good, "{author} {voter}");
            if let Err(fault) = checked {
                assert_eq!(fault.reason, "ReviewerNotIndependent");
                for part in ["voter security", "role developer", "golden-built-in", "modelRef"] {
                    assert!(fault.message.contains(part), "{}", fault.message);
                }
            }
        }
    }
}
