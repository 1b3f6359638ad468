//! The ledger: the install's service over HTTP or, outside a cluster, one in this process. Every call of it may be
//! repeated; while it is away it is asked again.

use golden_platform::http::{CallError, ServiceClient};
use golden_platform::wire::{OpAnswer, OpRequest, ReserveAnswer, ReserveRequest, SettleRequest};
use golden_platform::{Class, Classify};
use std::time::{Duration, Instant};

/// How long reserve and dispatch are repeated while the ledger is away, and how long a settlement is.
const PATIENCE: Duration = Duration::from_secs(10);
const SETTLE_PATIENCE: Duration = Duration::from_mins(15);

/// A client of the ledger.
#[derive(Clone)]
pub struct Ledger {
    at: At,
}

/// Where the ledger is.
#[derive(Clone)]
enum At {
    Service(ServiceClient),
    Here(golden_ledger_service::Ledger),
}

impl Ledger {
    /// The install's service.
    pub fn new(service: ServiceClient) -> Self {
        Self { at: At::Service(service) }
    }

    /// A ledger in this process, with the same answers and errors.
    pub fn here(ledger: golden_ledger_service::Ledger) -> Self {
        Self { at: At::Here(ledger) }
    }

    pub async fn reserve(&self, request: &ReserveRequest) -> Result<ReserveAnswer, CallError> {
        let ask = || async move {
            match &self.at {
                At::Service(service) => service.post("/v1/reserve", request).await,
                At::Here(ledger) => ledger.reserve(request).await.map_err(|e| refused("reserve", e)),
            }
        };
        patiently(PATIENCE, ask).await
    }

    /// Durable before the first byte goes upstream.
    pub async fn dispatch(&self, op_key: &str) -> Result<(), CallError> {
        let ask = || async move {
            match &self.at {
                At::Service(service) => operate(service, "/v1/dispatch", op_key).await,
                At::Here(ledger) => ledger.dispatch(op_key).await.map_err(|e| refused("dispatch", e)),
            }
        };
        patiently(PATIENCE, ask).await.map(drop)
    }

    pub async fn release(&self, op_key: &str) -> Result<(), CallError> {
        let ask = || async move {
            match &self.at {
                At::Service(service) => operate(service, "/v1/release", op_key).await,
                At::Here(ledger) => ledger.release(op_key).await.map_err(|e| refused("release", e)),
            }
        };
        patiently(PATIENCE, ask).await.map(drop)
    }

    /// Settles, and goes on trying while the ledger is away; what cannot be settled is charged in full by the
    /// ledger itself when its lease ends.
    pub async fn settle(&self, request: &SettleRequest) -> Result<(), CallError> {
        let ask = || async move {
            match &self.at {
                At::Service(service) => service.post::<_, OpAnswer>("/v1/settle", request).await,
                At::Here(ledger) => ledger.settle(request).await.map_err(|e| refused("settle", e)),
            }
        };
        patiently(SETTLE_PATIENCE, ask).await.map(drop)
    }

    /// Nobody will see the end of this call: the ledger lists it as Unknown and charges it in full.
    pub async fn abandon(&self, op_key: &str) -> Result<(), CallError> {
        let ask = || async move {
            match &self.at {
                At::Service(service) => operate(service, "/v1/abandon", op_key).await,
                At::Here(ledger) => ledger.abandon(op_key).await.map_err(|e| refused("abandon", e)),
            }
        };
        patiently(SETTLE_PATIENCE, ask).await.map(drop)
    }

    /// Whether the ledger answers, in words for a readiness gate. One in this process stands on its database alone,
    /// which has a gate of its own.
    pub async fn ping(&self) -> Result<(), String> {
        let At::Service(service) = &self.at else { return Ok(()) };
        let request = service.request(http::Method::GET, "/healthz").await;
        match service.send(request.map_err(|e| e.to_string())?).await {
            Ok(_) => Ok(()),
            Err(e) => Err(format!("the ledger does not answer: {e}")),
        }
    }
}

async fn operate(service: &ServiceClient, path: &str, op_key: &str) -> Result<OpAnswer, CallError> {
    service.post(path, &OpRequest { op_key: op_key.to_owned() }).await
}

/// What the ledger's routes would have answered: whoever calls it tells its errors apart in one way.
fn refused(operation: &str, error: golden_ledger_service::Error) -> CallError {
    let golden_platform::http::Error { status, reason, message } = error.into();
    let url = format!("the ledger in this process, asked to {operation},");
    CallError::Refused { url, status: status.as_u16(), reason: reason.to_owned(), message }
}

/// Repeats with growing pauses, for at most `patience`.
async fn patiently<A, F: Future<Output = Result<A, CallError>>>(
    patience: Duration,
    ask: impl Fn() -> F,
) -> Result<A, CallError> {
    let begun = Instant::now();
    let mut pause = Duration::from_millis(100);
    loop {
        let error = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let passes = matches!(error.class(), Class::Dependency | Class::Transient);
        if !passes || begun.elapsed() + pause > patience {
            return Err(error);
        }
        tracing::debug!(%error, ?pause, "the ledger is asked again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use golden_ledger_service::Error;

    #[test]
    fn a_ledger_in_this_process_is_told_apart_as_its_routes_are() {
        let lost = || Error::Database(std::sync::Arc::new(sqlx::Error::PoolTimedOut));
        for (error, status, class) in [
            (Error::Invalid { field: "role", why: "is too long" }, 400, Class::Invalid),
            (Error::UnknownKey("key".into()), 404, Class::Invalid),
            (Error::StaleTry(uuid::Uuid::nil()), 409, Class::Conflict),
            (Error::AccountMissing(uuid::Uuid::nil()), 503, Class::Dependency),
            (Error::Busy, 503, Class::Dependency),
            (Error::Stopped, 503, Class::Dependency),
            (lost(), 503, Class::Dependency),
        ] {
            let refused = refused("reserve", error);
            assert!(matches!(refused, CallError::Refused { status: is, .. } if is == status), "{refused}");
            assert_eq!(refused.class(), class, "{refused}");
        }
    }
}
