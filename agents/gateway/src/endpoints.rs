//! Endpoints as they were made last: nearly every call comes to a provider that has not changed since the call before it.

use crate::endpoint::Endpoint;
use crate::health::Health;
use golden_crds::ModelProvider;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Endpoints in memory, each a provider's model that is called; beyond so many, the oldest goes.
const MANY: usize = 64;

/// The endpoints that are known.
#[derive(Default)]
pub(crate) struct Endpoints(Mutex<Vec<Kept>>);

/// An endpoint, and what it was made from.
pub(crate) struct Made {
    pub(crate) endpoint: Arc<Endpoint>,
    /// When its key must be looked at again; never, where it has none.
    pub(crate) until: Option<Instant>,
}

struct Kept {
    provider: Arc<ModelProvider>,
    made: Made,
}

impl Endpoints {
    /// A model of the provider, if it was made from this very state of it and its key is still believed.
    pub(crate) fn get(
        &self,
        provider: &Arc<ModelProvider>,
        model: &str,
        now: Instant,
    ) -> Option<Arc<Endpoint>> {
        let kept = self.kept();
        let found = kept.iter().find(|k| Arc::ptr_eq(&k.provider, provider) && k.made.names(model))?;
        found.made.until.is_none_or(|until| now < until).then(|| Arc::clone(&found.made.endpoint))
    }

    /// Lets the provider's health go by this state of it from now on, and keeps what was made from it; what was made from
    /// another state is forgotten. In one step, so that health never goes by another state than what is kept.
    pub(crate) fn follow(&self, provider: &Arc<ModelProvider>, health: &Health, made: Option<Made>) {
        let mut kept = self.kept();
        health.follow(provider.metadata.uid.as_deref(), &provider.spec);
        kept.retain(|k| {
            let replaced = made.as_ref().is_some_and(|made| k.made.names(&made.endpoint.model.name));
            !is_same(&k.provider, provider) || Arc::ptr_eq(&k.provider, provider) && !replaced
        });
        if let Some(made) = made {
            if kept.len() >= MANY {
                kept.remove(0);
            }
            kept.push(Kept { provider: Arc::clone(provider), made });
        }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Made {
    /// Whether it is the model of that name.
    fn names(&self, model: &str) -> bool {
        self.endpoint.model.name == model
    }
}

/// Whether two states are of one provider.
fn is_same(one: &ModelProvider, other: &ModelProvider) -> bool {
    (&one.metadata.namespace, &one.metadata.name) == (&other.metadata.namespace, &other.metadata.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use golden_crds::model_provider::{ModelSpec, Protocol, ProviderTimeouts};
    use golden_platform::breaker::Breakers;
    use serde_json::json;
    use std::time::Duration;

    fn state(name: &str) -> Arc<ModelProvider> {
        let spec = json!({"protocol": "OpenAI", "baseURL": "https://api.example/v1", "models": []});
        Arc::new(ModelProvider::new(name, serde_json::from_value(spec).unwrap()))
    }

    fn made(model: &str, until: Option<Instant>) -> Made {
        let endpoint = Endpoint {
            provider: "ns/shared".into(),
            protocol: Protocol::OpenAI,
            base: String::new(),
            key: None,
            model: Arc::new(ModelSpec { name: model.into(), ..ModelSpec::default() }),
            cap_field: None,
            fallbacks: vec![],
            timeouts: ProviderTimeouts::default(),
            health: health(),
        };
        Made { endpoint: Arc::new(endpoint), until }
    }

    fn health() -> Arc<Health> {
        Arc::new(Health::new(Breakers::default().get("models"), None))
    }

    #[test]
    fn only_what_was_made_from_this_very_state_is_used_and_no_key_for_too_long() {
        let (endpoints, health, now) = (Endpoints::default(), health(), Instant::now());
        let (old, new, other) = (state("shared"), state("shared"), state("other"));
        let until = now + Duration::from_secs(30);
        endpoints.follow(&other, &health, Some(made("a", None)));
        endpoints.follow(&old, &health, Some(made("a", Some(until))));
        endpoints.follow(&old, &health, Some(made("b", None)));
        for (provider, model, at, want) in [
            (&old, "a", now, true),
            (&old, "a", until, false),
            (&old, "b", until, true),
            (&old, "c", now, false),
            (&new, "a", now, false),
            (&other, "a", now, true),
        ] {
            assert_eq!(endpoints.get(provider, model, at).is_some(), want, "{model}");
        }
        // Another state, also one whose key cannot be had, ends all of the one before.
        endpoints.follow(&new, &health, None);
        assert!(endpoints.get(&old, "b", now).is_none());
        assert!(endpoints.get(&other, "a", now).is_some());
    }

    #[test]
    fn no_number_of_models_fills_the_memory() {
        let (endpoints, health, now) = (Endpoints::default(), health(), Instant::now());
        let provider = state("shared");
        for number in 0..=MANY {
            endpoints.follow(&provider, &health, Some(made(&number.to_string(), None)));
        }
        assert!(endpoints.get(&provider, "0", now).is_none());
        assert!(endpoints.get(&provider, "1", now).is_some());
        endpoints.follow(&provider, &health, Some(made("1", None)));
        assert_eq!(endpoints.kept().len(), MANY);
    }
}
