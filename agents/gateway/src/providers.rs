//! ModelProviders: where they are, whether a task may use them, and their keys.

use crate::endpoint::Endpoint;
use crate::endpoints::{Endpoints, Made};
use crate::error::CallError;
use crate::health::Health;
use crate::output_cap;
use crate::secret::may_use;
use crate::shared::SharedLimits;
use futures::future::BoxFuture;
use golden_crds::ModelProvider;
use golden_crds::agent_team::ModelRef;
use golden_crds::model_provider::ModelSpec;
use golden_platform::breaker::Breakers;
use golden_platform::wire::ModelBinding;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::runtime::reflector::{ObjectRef, Store};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a Secret is used without looking again.
const KEEP_KEY: Duration = Duration::from_secs(30);
/// The key of the Secret's data.
pub(crate) const API_KEY: &str = "apiKey";

/// A Secret as far as it matters here.
#[derive(Clone, Debug, Default)]
pub struct SecretData {
    pub annotations: BTreeMap<String, String>,
    pub data: BTreeMap<String, Vec<u8>>,
}

/// Reads Secrets.
pub trait Secrets: Send + Sync {
    /// The Secret, or nothing if there is none.
    fn read<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<SecretData>, String>>;
}

/// Reads them from the apiserver.
pub(crate) struct KubeSecrets(pub kube::Client);

impl Secrets for KubeSecrets {
    fn read<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<SecretData>, String>> {
        Box::pin(async move {
            let api: kube::Api<Secret> = kube::Api::namespaced(self.0.clone(), namespace);
            let asked = tokio::time::timeout(Duration::from_secs(5), api.get_opt(name)).await;
            let found = asked.map_err(|_| "the apiserver does not answer".to_owned())?;
            Ok(found.map_err(|e| e.to_string())?.map(|secret| SecretData {
                annotations: secret.metadata.annotations.unwrap_or_default(),
                data: secret.data.unwrap_or_default().into_iter().map(|(k, v)| (k, v.0)).collect(),
            }))
        })
    }
}

/// A provider's key.
struct Key {
    key: String,
    /// When its Secret is read again.
    until: Instant,
}

/// Namespace and name.
pub(crate) type Names = (String, String);

/// All providers.
pub struct Providers {
    store: Store<ModelProvider>,
    secrets: Box<dyn Secrets>,
    golden_namespace: String,
    health: Mutex<HashMap<Names, Arc<Health>>>,
    breakers: Breakers,
    shared: Option<Arc<SharedLimits>>,
    keys: Mutex<HashMap<Names, (Instant, SecretData)>>,
    endpoints: Endpoints,
}

impl Providers {
    pub fn new(store: Store<ModelProvider>, secrets: Box<dyn Secrets>, golden_namespace: &str) -> Self {
        Self {
            store,
            secrets,
            golden_namespace: golden_namespace.to_owned(),
            health: Mutex::default(),
            breakers: Breakers::default(),
            shared: None,
            keys: Mutex::default(),
            endpoints: Endpoints::default(),
        }
    }

    /// The same, with breakers that are seen among those of the service.
    #[must_use]
    pub fn with_breakers(mut self, breakers: &Breakers) -> Self {
        self.breakers = breakers.clone();
        self
    }

    /// The same, with limits that all replicas of the gateway count together.
    #[must_use]
    pub fn with_shared_limits(mut self, shared: Option<Arc<SharedLimits>>) -> Self {
        self.shared = shared;
        self
    }

    /// The endpoint of a binding, for a task in `namespace`. `voter`: the policy chose the model, not the team.
    /// `named`: the client's choice among the provider's models, where its protocol gives it one.
    pub async fn endpoint(
        &self,
        binding: &ModelBinding,
        namespace: &str,
        voter: bool,
        named: Option<&str>,
    ) -> Result<Arc<Endpoint>, CallError> {
        let fault = |why: String| CallError::Provider {
            namespace: binding.namespace.clone(),
            name: binding.provider.clone(),
            why,
        };
        let provider = self
            .named(&binding.namespace, &binding.provider)
            .ok_or_else(|| fault("does not exist".into()))?;
        if !voter && !offered(&provider, &binding.namespace, namespace, &self.golden_namespace) {
            return Err(fault(format!("is not offered to namespace {namespace}")));
        }
        self.made(&provider, &binding.namespace, named.unwrap_or(&binding.model), named.is_some()).await
    }

    /// A fallback that a provider of namespace `home` names: one of that namespace, or Golden's own that is offered
    /// to it. Whom the first provider is offered to is its owner's business, and so is what stands in for it.
    pub(crate) async fn fallback(&self, home: &str, wanted: &ModelRef) -> Result<Arc<Endpoint>, CallError> {
        let golden = self.golden_namespace.as_str();
        let own = self.named(home, &wanted.provider).map(|provider| (home, provider));
        let shared = || {
            let provider = self.named(golden, &wanted.provider)?;
            offered(&provider, golden, home, golden).then_some((golden, provider))
        };
        let (namespace, provider) = own.or_else(shared).ok_or_else(|| CallError::Provider {
            namespace: home.to_owned(),
            name: wanted.provider.clone(),
            why: format!("does not exist there and is not offered to it by {golden}"),
        })?;
        self.made(&provider, namespace, &wanted.model, false).await
    }

    fn named(&self, namespace: &str, name: &str) -> Option<Arc<ModelProvider>> {
        self.store.get(&ObjectRef::new(name).within(namespace))
    }

    /// A model of a provider with all that a call of it needs. `chosen`: the client chose the model itself.
    async fn made(
        &self,
        provider: &Arc<ModelProvider>,
        namespace: &str,
        model: &str,
        chosen: bool,
    ) -> Result<Arc<Endpoint>, CallError> {
        if let Some(known) = self.endpoints.get(provider, model, Instant::now()) {
            return Ok(known);
        }
        let name = provider.metadata.name.as_deref().unwrap_or_default();
        let fault =
            |why: String| CallError::Provider { namespace: namespace.to_owned(), name: name.to_owned(), why };
        let full_name = format!("{namespace}/{name}");
        let found = provider.spec.models.iter().find(|m| m.name == model).cloned();
        let model = found.ok_or_else(|| {
            if !chosen {
                return fault(format!("has no model {model}"));
            }
            CallError::UnknownModel {
                provider: full_name.clone(),
                model: model.chars().take(128).collect(),
                known: names(&provider.spec.models),
            }
        })?;
        let health = self.health(namespace, name);
        let base = provider.spec.base_url.trim_end_matches('/');
        let key = match &provider.spec.secret_ref {
            Some(secret) => self.key(namespace, &secret.name, base).await.map(Some),
            None => Ok(None),
        };
        let key = key.map_err(|why| {
            self.endpoints.follow(provider, &health, None);
            fault(why)
        })?;
        let (key, until) = key.map(|Key { key, until }| (key, until)).unzip();
        let endpoint = Arc::new(Endpoint {
            provider: full_name.into(),
            protocol: provider.spec.protocol,
            base: base.to_owned(),
            key,
            model: Arc::new(model),
            cap_field: output_cap::field(&provider.spec),
            fallbacks: provider.spec.fallbacks.clone(),
            timeouts: provider.spec.timeouts.clone().unwrap_or_default(),
            health: Arc::clone(&health),
        });
        let made = Made { endpoint: Arc::clone(&endpoint), until };
        self.endpoints.follow(provider, &health, Some(made));
        Ok(endpoint)
    }

    /// How all fare that were asked for and are still there, by namespace and name.
    pub(crate) fn health_of_all(&self) -> Vec<(Names, Arc<Health>)> {
        let is_there = |(namespace, name): &Names, health: &Health| {
            let present = self.named(namespace, name);
            present.is_some_and(|p| p.uid().and_then(|uid| uid.parse().ok()) == health.uid())
        };
        let health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let there = health.iter().filter(|(names, health)| is_there(names, health));
        there.map(|(names, health)| (names.clone(), Arc::clone(health))).collect()
    }

    fn health(&self, namespace: &str, name: &str) -> Arc<Health> {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || {
            let circuit = self.breakers.get(&format!("model/{namespace}/{name}"));
            Arc::new(Health::new(circuit, self.shared.clone()))
        };
        Arc::clone(health.entry((namespace.to_owned(), name.to_owned())).or_insert_with(made))
    }

    async fn key(&self, namespace: &str, name: &str, base_url: &str) -> Result<Key, String> {
        let (read, secret) = self.secret(namespace, name).await?;
        may_use(name, &secret.annotations, base_url).map_err(|e| format!("cannot be called: {e}"))?;
        let key =
            secret.data.get(API_KEY).ok_or_else(|| format!("needs Secret {name} to have a key {API_KEY}"))?;
        let key = std::str::from_utf8(key)
            .map_err(|_| format!("has a Secret {name} whose {API_KEY} is not text"))?;
        Ok(Key { key: key.trim().to_owned(), until: read + KEEP_KEY })
    }

    /// A Secret, and when it was read.
    async fn secret(&self, namespace: &str, name: &str) -> Result<(Instant, SecretData), String> {
        let names = (namespace.to_owned(), name.to_owned());
        let now = Instant::now();
        let kept = self.keys.lock().unwrap_or_else(PoisonError::into_inner).get(&names).cloned();
        if let Some((at, secret)) = kept
            && now.saturating_duration_since(at) < KEEP_KEY
        {
            return Ok((at, secret));
        }
        let read = self.secrets.read(namespace, name).await;
        let secret = read
            .map_err(|e| format!("has a Secret {name} that cannot be read: {e}"))?
            .ok_or_else(|| format!("names Secret {name}, which does not exist"))?;
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|_, (at, _)| now.saturating_duration_since(*at) < KEEP_KEY);
        keys.insert(names, (now, secret.clone()));
        Ok((now, secret))
    }
}

fn names(models: &[ModelSpec]) -> String {
    models.iter().map(|m| m.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// A provider serves its own namespace; one in Golden's also those that it names.
fn offered(provider: &ModelProvider, own: &str, namespace: &str, golden_namespace: &str) -> bool {
    own == namespace
        || own == golden_namespace
            && provider.spec.allowed_namespaces.iter().any(|allowed| allowed == "*" || allowed == namespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::runtime::watcher::Event;
    use serde_json::json;
    use uuid::Uuid;

    fn provider(allowed: &[&str]) -> ModelProvider {
        let spec = json!({"protocol": "OpenAI", "baseURL": "https://api.example/v1", "models": [],
            "allowedNamespaces": allowed});
        ModelProvider::new("shared", serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn only_goldens_own_providers_can_be_offered_to_others() {
        for (own, allowed, asking, want) in [
            ("checkout", vec![], "checkout", true),
            ("golden-system", vec!["*"], "checkout", true),
            ("golden-system", vec!["checkout"], "checkout", true),
            ("golden-system", vec!["other"], "checkout", false),
            ("evil", vec!["*"], "checkout", false),
        ] {
            assert_eq!(offered(&provider(&allowed), own, asking, "golden-system"), want, "{own} {allowed:?}");
        }
    }

    struct NoSecrets;

    impl Secrets for NoSecrets {
        fn read<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<Option<SecretData>, String>> {
            Box::pin(std::future::ready(Ok(None)))
        }
    }

    #[tokio::test]
    async fn nothing_is_said_of_a_provider_that_is_gone_or_was_made_anew_and_not_asked_since() {
        let (store, mut writer) = kube::runtime::reflector::store();
        let of = |uid: u128| {
            let spec = json!({"protocol": "OpenAI", "baseURL": "https://api.example/v1", "models": [
                {"name": "m", "contextWindow": 1, "maxOutputTokens": 1, "inputMicroUSDPerMToken": 1,
                 "outputMicroUSDPerMToken": 1}]});
            let mut provider = ModelProvider::new("shared", serde_json::from_value(spec).unwrap());
            provider.metadata.namespace = Some("golden-system".into());
            provider.metadata.uid = Some(Uuid::from_u128(uid).to_string());
            provider
        };
        let providers = Providers::new(store, Box::new(NoSecrets), "golden-system");
        let binding = ModelBinding {
            namespace: "golden-system".into(),
            provider: "shared".into(),
            model: "m".into(),
            context_window: None,
        };
        writer.apply_watcher_event(&Event::Apply(of(1)));
        providers.endpoint(&binding, "golden-system", false, None).await.unwrap();
        assert_eq!(providers.health_of_all().len(), 1);
        writer.apply_watcher_event(&Event::Apply(of(2)));
        assert!(providers.health_of_all().is_empty(), "another one of that name");
        providers.endpoint(&binding, "golden-system", false, None).await.unwrap();
        assert_eq!(providers.health_of_all().len(), 1);
        writer.apply_watcher_event(&Event::Delete(of(2)));
        assert!(providers.health_of_all().is_empty());
    }
}
