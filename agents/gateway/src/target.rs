//! A model of a provider, and one call as it is made there.

use crate::endpoint::Endpoint;
use crate::error::CallError;
use crate::known::Scope;
use crate::plan::{Plan, Request, image, plan};
use crate::protocol::{Fields, Protocol};
use crate::relay::Charge;
use bytes::Bytes;
use http::HeaderMap;
use std::sync::Arc;
use std::time::Instant;

/// Where a call goes.
pub(crate) struct Target {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) request: Request,
    /// With all the output that its model gives; what is paid for may have less.
    pub(crate) plan: Arc<Plan>,
    pub(crate) url: String,
    /// Calls that the provider counts alike.
    scope: Scope,
    /// 0: the model that the role is bound to; else which of its provider's fallbacks.
    pub(crate) place: usize,
}

impl Target {
    pub(crate) fn new(
        endpoint: Arc<Endpoint>,
        protocol: Protocol,
        raw: Bytes,
        (query, headers): (Option<&str>, &HeaderMap),
        place: usize,
    ) -> Result<Self, CallError> {
        let request = Request {
            protocol,
            raw,
            provider: Arc::clone(&endpoint.provider),
            model: Arc::clone(&endpoint.model),
            cap_field: endpoint.cap_field,
        };
        let mut plan = plan(&request, None)?;
        let url = endpoint.url(protocol.path(), query);
        let model = endpoint.model.upstream_name.as_ref().unwrap_or(&endpoint.model.name);
        let scope = Scope::new(model, &url, headers);
        let known = &endpoint.health.known;
        let most = |outline| known.most(scope, outline, image(endpoint.protocol), Instant::now());
        if let Some(most) = plan.outline.as_deref().and_then(most) {
            plan = plan.within(most);
        }
        Ok(Self { plan: Arc::new(plan), endpoint, request, url, scope, place })
    }

    /// Remembers what the provider counted for this call's prompt: the next ones are bounded by it.
    pub(crate) fn learn(&self, charge: Charge) {
        if let (Charge::Known { input_tokens, .. }, Some(outline)) = (charge, self.plan.outline.as_deref())
            && let Ok(tokens) = u64::try_from(input_tokens)
        {
            self.endpoint.health.known.learn(self.scope, outline, tokens, Instant::now());
        }
    }

    /// Whether another provider's model could answer the call instead. One that continues an answer kept by its
    /// provider means nothing elsewhere, and vectors of two models cannot be compared.
    pub(crate) fn is_portable(&self) -> bool {
        let Request { protocol, raw, .. } = &self.request;
        let kept = || Fields::parse(raw).is_ok_and(|fields| fields.raw("previous_response_id").is_some());
        !protocol.client_names_model() && !kept()
    }
}
