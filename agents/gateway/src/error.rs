//! What a caller is told, in words; its protocol gives them their shape.

use crate::protocol::ClientProtocol;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use golden_ledger::Amount;
use golden_platform::wire::HeldCall;

/// Why a call is not answered. The text says what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    #[error("{0}")]
    Unauthorized(String),
    #[error("{0}")]
    Forbidden(String),
    /// Not the newest try, or no longer wanted.
    #[error("{0}")]
    Superseded(String),
    #[error("the request cannot be read: {0}")]
    Malformed(String),
    #[error("the request is too large: {0}")]
    TooLarge(String),
    #[error("{field} is not served: {why}")]
    Unsupported { field: String, why: String },
    /// The provider does not speak what the client does.
    #[error(
        "ModelProvider {provider} speaks {speaks}'s protocol and cannot answer {asked}; bind role {role} to a provider \
         that speaks it, or let the agent call {instead}"
    )]
    OtherProtocol {
        provider: String,
        speaks: &'static str,
        asked: &'static str,
        instead: &'static str,
        role: String,
    },
    #[error("ModelProvider {provider} has no model {model:?}; it has {known}")]
    UnknownModel { provider: String, model: String, known: String },
    /// Outside a cluster: the configuration's map has no line for what was asked for.
    #[error("no model of this gateway's configuration answers {model:?} in {protocol}; it answers {known}")]
    NotMapped { model: String, protocol: &'static str, known: String },
    #[error("{0}")]
    NotFound(String),
    #[error("role {role} of this task has no model; the team or policy must name one")]
    NoModel { role: String },
    #[error("ModelProvider {namespace}/{name} {why}")]
    Provider { namespace: String, name: String, why: String },
    #[error(
        "model {model} of ModelProvider {provider} has no price; write its prices there (zero, if it is free)"
    )]
    Unpriced { provider: String, model: String },
    #[error("{0}")]
    Exhausted(String),
    #[error("{account} is exhausted and more was refused: {denied}")]
    Denied { account: String, denied: String },
    #[error(
        "nothing pays for the task: a Budget that it is paid from was deleted, or the task was not admitted or is gone; \
         submit it again under a Budget"
    )]
    NoAccount,
    /// A store or service of Golden's is away.
    #[error("{0}")]
    Unavailable(String),
    #[error("Golden's ledger does not answer; nothing was sent or charged, send it again")]
    Ledger,
    #[error(
        "Golden's ledger is of an earlier version than its gateway: upgrade the ledger first; nothing was sent or \
         charged, send it again"
    )]
    LedgerOutdated,
    /// The model's side is busy or failing.
    #[error("{message}")]
    Upstream { status: StatusCode, code: &'static str, message: String, retry_after: Option<u32> },
}

impl CallError {
    /// Status, `error.type` and `error.code`.
    pub fn classify(&self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::Unauthorized(_) => (S::UNAUTHORIZED, "authentication_error", "invalid_token"),
            Self::Forbidden(_) => (S::FORBIDDEN, "permission_error", "forbidden"),
            Self::Superseded(_) => (S::CONFLICT, "permission_error", "superseded"),
            Self::Malformed(_) => (S::BAD_REQUEST, "invalid_request_error", "malformed"),
            Self::TooLarge(_) => (S::PAYLOAD_TOO_LARGE, "invalid_request_error", "too_large"),
            Self::OtherProtocol { .. } => (S::BAD_REQUEST, "invalid_request_error", "other_protocol"),
            Self::UnknownModel { .. } | Self::NotMapped { .. } => {
                (S::NOT_FOUND, "invalid_request_error", "model_not_found")
            }
            Self::NotFound(_) => (S::NOT_FOUND, "invalid_request_error", "not_found"),
            Self::Unsupported { .. } => (S::BAD_REQUEST, "invalid_request_error", "unsupported"),
            Self::NoModel { .. } => (S::NOT_FOUND, "invalid_request_error", "no_model"),
            Self::Provider { .. } => (S::SERVICE_UNAVAILABLE, "provider_error", "provider_unusable"),
            Self::Unpriced { .. } => (S::PAYMENT_REQUIRED, "billing_error", "model_unpriced"),
            Self::Exhausted(_) => (S::PAYMENT_REQUIRED, "billing_error", "budget_exhausted"),
            Self::Denied { .. } => (S::PAYMENT_REQUIRED, "billing_error", "budget_denied"),
            Self::NoAccount => (S::FORBIDDEN, "billing_error", "no_account"),
            Self::Unavailable(_) | Self::Ledger | Self::LedgerOutdated => {
                (S::SERVICE_UNAVAILABLE, "server_error", "unavailable")
            }
            Self::Upstream { status, code, .. } => (*status, "upstream_error", code),
        }
    }

    /// What the account lacks for the call, and what to do about it.
    pub(crate) fn exhausted(call: &HeldCall) -> Self {
        let account = call.account.clone();
        if let Some(denied) = call.denied.clone() {
            return Self::Denied { account, denied };
        }
        let missing = Amount::new(call.missing_micro_usd, call.missing_tokens).words();
        let overage = call.overage.and_then(|over| Amount::new(over.cost_micro_usd, over.tokens).words());
        Self::Exhausted(match (missing, overage) {
            (None, Some(over)) => format!(
                "{account} pays for nothing: a provider charged {over} beyond what was reserved; edit its limit to confirm"
            ),
            (Some(missing), _) => format!("{account} is exhausted: {missing} are missing; raise its limit"),
            (None, None) => format!("{account} is exhausted: money is missing; raise its limit"),
        })
    }

    /// Seconds after which another try makes sense.
    pub fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Unavailable(_) | Self::Ledger | Self::LedgerOutdated | Self::Provider { .. } => Some(2),
            Self::Upstream { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The answer to a client of this protocol.
    pub(crate) fn response(&self, protocol: &dyn ClientProtocol) -> Response {
        let mut response = (self.classify().0, Json(protocol.error(self))).into_response();
        if let Some(seconds) = self.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
