//! ModelProviders: where they are, whether a task may use them, their keys, and how they fare.

use crate::error::CallError;
use crate::protocol::ClientProtocol;
use crate::secret::may_use;
use futures::future::BoxFuture;
use golden_crds::ModelProvider;
use golden_crds::model_provider::{ModelSpec, Protocol};
use golden_platform::breaker::{Breakers, Circuit, Refused};
use golden_platform::wire::ModelBinding;
use http::StatusCode;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::reflector::{ObjectRef, Store};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Calls of one provider under way in this process.
const CONCURRENCY: usize = 64;
/// How long a call waits for a free slot: well within the lease of its reservation.
const SLOT: Duration = Duration::from_secs(30);
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

/// What this process knows of one provider.
pub struct Health {
    circuit: Arc<Circuit>,
    pub(crate) slots: Arc<Semaphore>,
}

impl Health {
    fn new(circuit: Arc<Circuit>) -> Self {
        Self { circuit, slots: Arc::new(Semaphore::new(CONCURRENCY)) }
    }

    pub(crate) fn admit(&self) -> Result<(), Refused> {
        self.circuit.admit(Instant::now())
    }

    /// Reports how a call went that was let through.
    pub(crate) fn report(&self, well: bool) {
        self.circuit.report(well, Instant::now());
    }
}

/// A model, ready to be called.
#[derive(Clone)]
pub struct Endpoint {
    /// `namespace/name` of the provider.
    pub provider: String,
    pub protocol: Protocol,
    /// The provider's baseURL, without a slash at its end.
    pub base: String,
    pub key: Option<String>,
    pub model: ModelSpec,
    /// OpenAI's own servers want the newer field for the output cap; others know only the older one.
    pub modern_cap: bool,
    pub health: Arc<Health>,
}

impl Endpoint {
    /// Where a client's protocol is served. Its query goes along: it names variants of the protocol.
    pub(crate) fn url(&self, path: &str, query: Option<&str>) -> String {
        let base = &self.base;
        let version = match self.protocol {
            Protocol::Anthropic if !base.ends_with("/v1") => "/v1",
            _ => "",
        };
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("{base}{version}/{path}{query}")
    }

    /// Lets a call through, unless the provider failed too often.
    pub(crate) fn admit(&self) -> Result<(), CallError> {
        self.health.admit().map_err(|refused| CallError::Upstream {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: "circuit_open",
            message: format!("ModelProvider {}: {refused}", self.provider),
            retry_after: Some(u32::try_from(refused.retry_after.as_secs() + 1).unwrap_or(u32::MAX)),
        })
    }

    /// A slot, if one is free now.
    pub(crate) fn free_slot(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.health.slots).try_acquire_owned().ok()
    }

    /// A free slot.
    pub(crate) async fn slot(&self) -> Result<OwnedSemaphorePermit, CallError> {
        let slots = Arc::clone(&self.health.slots);
        match tokio::time::timeout(SLOT, slots.acquire_owned()).await {
            Ok(Ok(slot)) => Ok(slot),
            _ => Err(CallError::Unavailable(format!(
                "too many calls of ModelProvider {} are under way",
                self.provider
            ))),
        }
    }

    /// Whether the provider speaks what the client does.
    pub(crate) fn speaks(&self, asked: &dyn ClientProtocol, role: &str) -> Result<(), CallError> {
        if self.protocol == asked.provider() {
            return Ok(());
        }
        let (speaks, instead) = match self.protocol {
            Protocol::OpenAI => ("OpenAI", "/v1/chat/completions or /v1/responses"),
            Protocol::Anthropic => ("Anthropic", "/v1/messages"),
        };
        let (provider, role) = (self.provider.clone(), role.to_owned());
        Err(CallError::OtherProtocol { provider, speaks, asked: asked.name(), instead, role })
    }
}

type Names = (String, String);

/// All providers.
pub struct Providers {
    store: Store<ModelProvider>,
    secrets: Box<dyn Secrets>,
    golden_namespace: String,
    health: Mutex<HashMap<Names, Arc<Health>>>,
    breakers: Breakers,
    keys: Mutex<HashMap<Names, (Instant, SecretData)>>,
}

impl Providers {
    pub fn new(store: Store<ModelProvider>, secrets: Box<dyn Secrets>, golden_namespace: &str) -> Self {
        Self {
            store,
            secrets,
            golden_namespace: golden_namespace.to_owned(),
            health: Mutex::default(),
            breakers: Breakers::default(),
            keys: Mutex::default(),
        }
    }

    /// The same, with breakers that are seen among those of the service.
    #[must_use]
    pub fn with_breakers(mut self, breakers: &Breakers) -> Self {
        self.breakers = breakers.clone();
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
    ) -> Result<Endpoint, CallError> {
        let fault = |why: String| CallError::Provider {
            namespace: binding.namespace.clone(),
            name: binding.provider.clone(),
            why,
        };
        let reference = ObjectRef::new(&binding.provider).within(&binding.namespace);
        let provider = self.store.get(&reference).ok_or_else(|| fault("does not exist".into()))?;
        if !voter && !offered(&provider, &binding.namespace, namespace, &self.golden_namespace) {
            return Err(fault(format!("is not offered to namespace {namespace}")));
        }
        let full_name = format!("{}/{}", binding.namespace, binding.provider);
        let find = |name: &str| provider.spec.models.iter().find(|m| m.name == name).cloned();
        let model = match named {
            Some(named) => find(named).ok_or_else(|| CallError::UnknownModel {
                provider: full_name.clone(),
                model: named.chars().take(128).collect(),
                known: names(&provider.spec.models),
            })?,
            None => find(&binding.model).ok_or_else(|| fault(format!("has no model {}", binding.model)))?,
        };
        let base = provider.spec.base_url.trim_end_matches('/');
        let key = match &provider.spec.secret_ref {
            Some(secret) => Some(self.key(&binding.namespace, &secret.name, base).await.map_err(fault)?),
            None => None,
        };
        Ok(Endpoint {
            provider: full_name,
            protocol: provider.spec.protocol,
            base: base.to_owned(),
            key,
            model,
            modern_cap: base.starts_with("https://api.openai.com/"),
            health: self.health(&binding.namespace, &binding.provider),
        })
    }

    fn health(&self, namespace: &str, name: &str) -> Arc<Health> {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || Arc::new(Health::new(self.breakers.get(&format!("model/{namespace}/{name}"))));
        Arc::clone(health.entry((namespace.to_owned(), name.to_owned())).or_insert_with(made))
    }

    async fn key(&self, namespace: &str, name: &str, base_url: &str) -> Result<String, String> {
        let secret = self.secret(namespace, name).await?;
        may_use(name, &secret.annotations, base_url).map_err(|e| format!("cannot be called: {e}"))?;
        let key =
            secret.data.get(API_KEY).ok_or_else(|| format!("needs Secret {name} to have a key {API_KEY}"))?;
        let key = std::str::from_utf8(key)
            .map_err(|_| format!("has a Secret {name} whose {API_KEY} is not text"))?;
        Ok(key.trim().to_owned())
    }

    async fn secret(&self, namespace: &str, name: &str) -> Result<SecretData, String> {
        let names = (namespace.to_owned(), name.to_owned());
        let now = Instant::now();
        let kept = self.keys.lock().unwrap_or_else(PoisonError::into_inner).get(&names).cloned();
        if let Some((at, secret)) = kept
            && now.saturating_duration_since(at) < KEEP_KEY
        {
            return Ok(secret);
        }
        let read = self.secrets.read(namespace, name).await;
        let secret = read
            .map_err(|e| format!("has a Secret {name} that cannot be read: {e}"))?
            .ok_or_else(|| format!("names Secret {name}, which does not exist"))?;
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|_, (at, _)| now.saturating_duration_since(*at) < KEEP_KEY);
        keys.insert(names, (now, secret.clone()));
        Ok(secret)
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
    use crate::protocol::{ChatCompletions, Messages, Responses};
    use golden_crds::model_provider::ModelProviderSpec;

    fn provider(allowed: &[&str]) -> ModelProvider {
        ModelProvider::new(
            "shared",
            ModelProviderSpec {
                protocol: Protocol::OpenAI,
                base_url: "https://api.example/v1".into(),
                secret_ref: None,
                models: vec![],
                allowed_namespaces: allowed.iter().map(|a| (*a).to_owned()).collect(),
            },
        )
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

    fn endpoint(protocol: Protocol, base: &str) -> Endpoint {
        Endpoint {
            provider: "golden-system/shared".into(),
            protocol,
            base: base.into(),
            key: None,
            model: ModelSpec::default(),
            modern_cap: false,
            health: Arc::new(Health::new(Breakers::default().get("models"))),
        }
    }

    #[test]
    fn a_protocol_is_called_where_its_provider_serves_it() {
        let openai = endpoint(Protocol::OpenAI, "https://api.example/v1");
        assert_eq!(openai.url("responses", None), "https://api.example/v1/responses");
        for base in ["https://api.example", "https://api.example/v1"] {
            let anthropic = endpoint(Protocol::Anthropic, base);
            let url = anthropic.url("messages", Some("beta=true"));
            assert_eq!(url, "https://api.example/v1/messages?beta=true");
        }
    }

    #[test]
    fn another_protocol_is_refused_with_the_way_out() {
        let openai = endpoint(Protocol::OpenAI, "https://api.example/v1");
        assert_eq!(openai.speaks(&ChatCompletions, "developer"), Ok(()));
        assert_eq!(openai.speaks(&Responses, "developer"), Ok(()));
        let error = openai.speaks(&Messages, "developer").unwrap_err().to_string();
        for word in ["golden-system/shared", "OpenAI", "Anthropic Messages", "/v1/responses", "developer"] {
            assert!(error.contains(word), "{word}: {error}");
        }
        assert!(endpoint(Protocol::Anthropic, "https://x").speaks(&ChatCompletions, "developer").is_err());
    }
}
