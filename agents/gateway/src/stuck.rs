//! Calls that come to nothing for now: the task says so until one is answered again.
//!
//! The client itself makes the call again, after growing pauses; without this, whoever looks at its task sees an
//! agent at work. Told once per trouble, under keys that are counted in the database: another process may see its end.

use crate::app::Gateway;
use crate::error::CallError;
use crate::facts::tell;
use crate::identity::{Known, Troubles, is_current};
use crate::retry::Failure;
use crate::upstream::Failed;
use axum::http::StatusCode;
use golden_crds::conditions::agent_task as reason;
use golden_platform::wire::Fact;

/// Troubles told for one caller; more are only logged.
const MOST: i64 = 50;

/// Why calls come to nothing: a documented reason, and words that say what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    reason: &'static str,
    message: String,
}

/// What a failed try of the provider means for the task, if it is more than this one request's fault.
pub(crate) fn of_try(provider: &str, failed: &Failed) -> Option<Trouble> {
    let (reason, what) = match failed.failure {
        Failure::NotSent | Failure::NotConnected | Failure::Broken | Failure::Silent => (
            reason::MODEL_UNREACHABLE,
            format!("does not answer ({}); check its baseURL and its endpoint", failed.why),
        ),
        Failure::Status { code: 401 | 403, .. } => (
            reason::MODEL_REFUSED,
            format!("refuses its key ({}); correct the Secret that it names", failed.why),
        ),
        Failure::Status { code: 429, .. } => {
            (reason::MODEL_RATE_LIMITED, format!("asks for fewer calls ({})", failed.why))
        }
        Failure::Malformed | Failure::Status { code: 500.., .. } => {
            (reason::MODEL_UNREACHABLE, format!("fails ({}); check its endpoint", failed.why))
        }
        Failure::Status { .. } => return None,
    };
    Some(Trouble { reason, message: format!("ModelProvider {provider} {what}; calls are tried again") })
}

/// What a refused call means for the task, likewise.
pub(crate) fn of_refusal(error: &CallError) -> Option<Trouble> {
    let reason = match error {
        CallError::Upstream { status: StatusCode::SERVICE_UNAVAILABLE, .. } => reason::MODEL_UNREACHABLE,
        CallError::Upstream { status: StatusCode::TOO_MANY_REQUESTS, .. } => reason::MODEL_RATE_LIMITED,
        CallError::Ledger | CallError::LedgerOutdated => reason::LEDGER_UNREACHABLE,
        CallError::Provider { .. } | CallError::OtherProtocol { .. } => reason::PROVIDER_NOT_READY,
        CallError::Unpriced { .. } => reason::MODEL_UNPRICED,
        _ => return None,
    };
    Some(Trouble { reason, message: format!("{error}; calls are tried again") })
}

/// Tells that the caller is stuck, unless that is known or the caller is not wanted any more.
pub(crate) async fn begin(gateway: &Gateway, caller: &Known, trouble: Trouble) {
    let (identity, Troubles { told, ended }) = (&caller.identity, caller.troubles);
    if told > ended || told >= MOST {
        return;
    }
    // Rare and large: boxed, or each call would have room for it.
    if Box::pin(is_current(&gateway.pool, identity)).await.is_err() {
        return;
    }
    let Trouble { reason, message } = trouble;
    tracing::warn!(task = %identity.task_uid, role = identity.role, reason, message, "calls come to nothing");
    let key = format!("stuck/{}/{}", identity.scope, ended + 1);
    let (caller_name, attempt, reason) = (identity.scope.clone(), identity.attempt, reason.to_owned());
    told_now(gateway, caller, key, Fact::CallStuck { caller: caller_name, attempt, reason, message }).await;
}

/// Tells that a call was answered, if the caller was stuck.
pub(crate) async fn end(gateway: &Gateway, caller: &Known) {
    let (identity, Troubles { told, ended }) = (&caller.identity, caller.troubles);
    if told > ended {
        let key = format!("unstuck/{}/{told}", identity.scope);
        told_now(gateway, caller, key, Fact::CallUnstuck { caller: identity.scope.clone() }).await;
    }
}

/// Writes, so that the caller's next call knows of it.
async fn told_now(gateway: &Gateway, caller: &Known, key: String, fact: Fact) {
    tell(&gateway.pool, &caller.identity, key, fact).await;
    if let Some(pod) = caller.identity.try_uid {
        gateway.memory.callers.forget(pod);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_names_the_provider_and_a_documented_reason() {
        let status = |code| Failure::Status { code, retry_after: None };
        for (failure, want) in [
            (Failure::NotSent, Some("ModelUnreachable")),
            (Failure::Broken, Some("ModelUnreachable")),
            (Failure::Malformed, Some("ModelUnreachable")),
            (status(503), Some("ModelUnreachable")),
            (status(401), Some("ModelRefused")),
            (status(429), Some("ModelRateLimited")),
            (status(400), None),
        ] {
            let failed = Failed { failure, said: None, why: "why".into() };
            let trouble = of_try("ns/shared", &failed);
            assert_eq!(trouble.as_ref().map(|t| t.reason), want, "{failure:?}");
            assert!(trouble.is_none_or(|t| t.message.contains("ns/shared") && t.message.contains("why")));
        }
    }
}
