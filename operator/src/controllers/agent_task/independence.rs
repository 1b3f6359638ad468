//! Whether reviewers judge with another model than the author's, where the policy asks for it. Pure.
//!
//! What counts is the model's name, the one that policies use and the one that is sent (`upstreamName`), not whose
//! endpoint it is asked at: the same model offered by two providers is one model, and so are two names for one model
//! upstream. What comes before the last `/` of a name is a router's way to say where it is (`vendor/model`), and case is
//! a matter of taste. Two models that hide behind one name (`standard`) pass for one: name them apart.

use super::validate::PRODUCER;
use crate::models::{Fault, answering};
use golden_consensus::same_model;
use golden_crds::ModelProvider;
use golden_crds::conditions::agent_task as reason;
use golden_crds::governance_policy::Independence;
use golden_governance::MergedPolicy;
use golden_platform::wire::ModelBinding;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Every voter's models, with those that its provider falls back to, against every one of the author's.
pub(super) fn check(
    policy: &MergedPolicy,
    models: &BTreeMap<String, ModelBinding>,
    golden: &str,
    providers: &[Arc<ModelProvider>],
) -> Result<(), Fault> {
    if policy.review.value.independence != Some(Independence::DifferentModel) {
        return Ok(());
    }
    let Some(author) = models.get(&format!("role:{PRODUCER}")) else { return Ok(()) };
    let authors: Vec<Model<'_>> = answering(author, golden, providers).map(Model::find).collect();
    for (seat, binding) in models.iter().filter_map(|(k, v)| Some((k.strip_prefix("voter:")?, v))) {
        let mut voters = answering(binding, golden, providers).map(Model::find);
        if let Some(model) = voters.find(|m| authors.iter().any(|a| a.is(m))) {
            let additional = policy.review.value.additional_reviewer.as_ref().is_some_and(|a| a.role == seat);
            let (who, field) = if additional {
                ("the additional reviewer", "additionalReviewer.modelRef")
            } else {
                ("voter", "voters[].modelRef")
            };
            return Err(Fault {
                reason: reason::REVIEWER_NOT_INDEPENDENT,
                message: format!(
                    "{who} {seat} (ModelProvider {}) would judge with model {model}, which may be the author's (role \
                     {PRODUCER}, ModelProvider {}), and policy {} asks for review.independence DifferentModel; name \
                     another model in its review.{field}, or for the role",
                    binding.provider, author.provider, policy.review.origin
                ),
            });
        }
    }
    Ok(())
}

/// A model under the names it goes by.
struct Model<'a> {
    /// In its ModelProvider, as policies and teams know it.
    name: &'a str,
    /// As its provider knows it.
    upstream: &'a str,
}

impl<'a> Model<'a> {
    fn find((name, provider): (&'a str, Option<&'a ModelProvider>)) -> Self {
        let offered = provider.and_then(|p| p.spec.models.iter().find(|m| m.name == name));
        Self { name, upstream: offered.and_then(|m| m.upstream_name.as_deref()).unwrap_or(name) }
    }

    /// By either name: ballots carry the first, and a ballot by the author's model would not count.
    fn is(&self, other: &Self) -> bool {
        same_model(self.name, other.name) || same_model(self.upstream, other.upstream)
    }
}

impl fmt::Display for Model<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if self.upstream == self.name { Ok(()) } else { write!(f, " ({} upstream)", self.upstream) }
    }
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

    fn provider(name: &str, fallback: [&str; 2], models: &[(&str, &str)]) -> Arc<ModelProvider> {
        provider_in("n", name, fallback, models)
    }

    fn provider_in(
        namespace: &str,
        name: &str,
        [other, fallback]: [&str; 2],
        models: &[(&str, &str)],
    ) -> Arc<ModelProvider> {
        let models: Vec<_> = models
            .iter()
            .map(|(name, upstream)| {
                json!({"name": name, "upstreamName": upstream, "contextWindow": 1000, "maxOutputTokens": 100,
                       "pricing": {"inputPerMTok": "1", "outputPerMTok": "1"}})
            })
            .collect();
        Arc::new(
            serde_json::from_value(json!({
                "apiVersion": "goldenarch.dev/v1alpha1", "kind": "ModelProvider",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"protocol": "OpenAI", "baseURL": "http://m", "models": models, "allowedNamespaces": ["n"],
                         "fallbacks": [{"provider": other, "model": fallback}]},
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
            // Sent under one name.
            ("author-alias", "voter-alias", false),
            ("gpt-9", "voter-alias", false),
            ("author-alias", "vendor/GPT-9", false),
            ("author-alias", "fallback-alias", true),
            ("claude-7", "small", false),
            // One name for two models is one.
            ("alias", "alias", false),
        ];
        let providers = [
            provider("a", ["x", "spare-a"], &[("author-alias", "GPT-9"), ("alias", "one")]),
            provider("v", ["x", "spare-v"], &[("voter-alias", "gpt-9"), ("alias", "another")]),
            provider("x", ["x", "none"], &[("spare-v", "claude-7")]),
        ];
        for (author, voter, good) in cases {
            let models: BTreeMap<String, ModelBinding> = [
                ("role:developer".to_owned(), binding("a", author)),
                // Another role does not write what is judged.
                ("role:planner".to_owned(), binding("p", voter)),
                ("voter:security".to_owned(), binding("v", voter)),
            ]
            .into();
            assert_eq!(check(&policy("None"), &models, "golden", &providers), Ok(()));
            let checked = check(&policy("DifferentModel"), &models, "golden", &providers);
            assert_eq!(checked.is_ok(), good, "{author} {voter}");
            if let Err(fault) = checked {
                assert_eq!(fault.reason, "ReviewerNotIndependent");
                for part in ["voter security", "role developer", "golden-built-in", "modelRef"] {
                    assert!(fault.message.contains(part), "{}", fault.message);
                }
            }
        }
    }

    #[test]
    fn each_seat_is_told_where_its_model_is_named() {
        let mut policy = policy("DifferentModel");
        policy.review.value.additional_reviewer =
            serde_json::from_value(json!({"role": "arbiter", "modelRef": {"provider": "p", "model": "m"}}))
                .unwrap();
        for (seat, want) in [
            ("arbiter", ["the additional reviewer arbiter", "its review.additionalReviewer.modelRef,"]),
            ("security", ["voter security", "its review.voters[].modelRef,"]),
        ] {
            let models: BTreeMap<String, ModelBinding> = [
                ("role:developer".to_owned(), binding("p", "m")),
                (format!("voter:{seat}"), binding("p", "m")),
            ]
            .into();
            let fault = check(&policy, &models, "golden", &[]).unwrap_err();
            assert!(want.iter().all(|part| fault.message.contains(part)), "{}", fault.message);
        }
    }

    #[test]
    fn a_fallback_that_golden_offers_counts_too() {
        let models: BTreeMap<String, ModelBinding> = [
            ("role:developer".to_owned(), binding("a", "large")),
            ("voter:security".to_owned(), binding("v", "voter-alias")),
        ]
        .into();
        let author = provider("a", ["shared", "fast"], &[]);
        let voter = provider("v", ["x", "none"], &[("voter-alias", "gpt-9")]);
        let offered = provider_in("golden", "shared", ["x", "none"], &[("fast", "gpt-9")]);
        let alone = [Arc::clone(&author), Arc::clone(&voter)];
        assert_eq!(check(&policy("DifferentModel"), &models, "golden", &alone), Ok(()));
        assert!(check(&policy("DifferentModel"), &models, "golden", &[author, voter, offered]).is_err());
    }
}
