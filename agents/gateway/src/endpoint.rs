//! A model of a provider, ready to be called.

use crate::error::CallError;
use crate::health::Health;
use crate::line::Pass;
use crate::plan::Plan;
use crate::protocol::ClientProtocol;
use golden_crds::agent_team::ModelRef;
use golden_crds::model_provider::{ModelSpec, OutputCapField, Protocol, ProviderTimeouts};
use http::StatusCode;
use std::sync::Arc;

/// A model, ready to be called.
pub struct Endpoint {
    /// `namespace/name` of the provider.
    pub provider: Arc<str>,
    pub protocol: Protocol,
    /// The provider's baseURL, without a slash at its end.
    pub base: String,
    pub key: Option<String>,
    pub model: Arc<ModelSpec>,
    /// The one field it takes the output cap of Chat Completions in; absent where it takes either.
    pub cap_field: Option<OutputCapField>,
    /// Of this provider: models that are asked where it cannot answer.
    pub fallbacks: Vec<ModelRef>,
    pub timeouts: ProviderTimeouts,
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

    /// Lets a call go at once, if the provider's limits have room and nobody waits.
    pub(crate) async fn pass_now(&self, plan: &Plan) -> Option<Pass> {
        self.health.line.pass_now(tokens(plan)).await
    }

    /// Waits in line until the provider's limits have room for a call.
    pub(crate) async fn pass(&self, plan: &Plan) -> Result<Pass, CallError> {
        self.in_line(tokens(plan)).await
    }

    /// The same for a call that uses no tokens.
    pub(crate) async fn pass_free(&self) -> Result<Pass, CallError> {
        self.in_line(0).await
    }

    async fn in_line(&self, tokens: u64) -> Result<Pass, CallError> {
        self.health.line.pass(tokens).await.map_err(|full| CallError::Upstream {
            status: StatusCode::TOO_MANY_REQUESTS,
            code: "provider_busy",
            message: format!(
                "ModelProvider {}: its limits leave no room, and too many calls wait for it or this one has waited long \
                 enough; nothing was sent or charged",
                self.provider
            ),
            retry_after: Some(u32::try_from(full.retry_after.as_secs().max(1)).unwrap_or(u32::MAX)),
        })
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
        let (provider, role) = (self.provider.to_string(), role.to_owned());
        Err(CallError::OtherProtocol { provider, speaks, asked: asked.name(), instead, role })
    }
}

fn tokens(plan: &Plan) -> u64 {
    u64::try_from(plan.bound.tokens).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ChatCompletions, Messages, Responses};
    use golden_platform::breaker::Breakers;

    fn endpoint(protocol: Protocol, base: &str) -> Endpoint {
        Endpoint {
            provider: "golden-system/shared".into(),
            protocol,
            base: base.into(),
            key: None,
            model: Arc::default(),
            cap_field: None,
            fallbacks: vec![],
            timeouts: ProviderTimeouts::default(),
            health: Arc::new(Health::new(Breakers::default().get("models"), None)),
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
