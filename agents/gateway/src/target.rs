//! A model of a provider, and one call as it is made there.

use crate::endpoint::Endpoint;
use crate::error::CallError;
use crate::plan::{Plan, Request, plan};
use crate::protocol::{Fields, Protocol};
use bytes::Bytes;
use std::sync::Arc;

/// Where a call goes.
pub(crate) struct Target {
    pub(crate) endpoint: Endpoint,
    pub(crate) request: Request,
    /// With all the output that its model gives; what is paid for may have less.
    pub(crate) plan: Arc<Plan>,
    pub(crate) url: String,
    /// 0: the model that the role is bound to; else which of its provider's fallbacks.
    pub(crate) place: usize,
}

impl Target {
    pub(crate) fn new(
        endpoint: Endpoint,
        protocol: Protocol,
        raw: Bytes,
        query: Option<&str>,
        place: usize,
    ) -> Result<Self, CallError> {
        let request = Request {
            protocol,
            raw,
            provider: endpoint.provider.clone(),
            model: endpoint.model.clone(),
            modern_cap: endpoint.modern_cap,
        };
        let plan = Arc::new(plan(&request, None)?);
        let url = endpoint.url(protocol.path(), query);
        Ok(Self { endpoint, request, plan, url, place })
    }

    /// Whether another provider's model could answer the call instead. One that continues an answer kept by its
    /// provider means nothing elsewhere, and vectors of two models cannot be compared.
    pub(crate) fn is_portable(&self) -> bool {
        let Request { protocol, raw, .. } = &self.request;
        let kept = || Fields::parse(raw).is_ok_and(|fields| fields.raw("previous_response_id").is_some());
        !protocol.client_names_model() && !kept()
    }
}
