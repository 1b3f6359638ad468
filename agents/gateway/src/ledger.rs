//! The ledger: the install's service over HTTP or, outside a cluster, one in this process. Every call of it may be
//! repeated; while it is away it is asked again.

use crate::batches::Batches;
use golden_platform::http::{CallError, ServiceClient};
use golden_platform::wire::{
    LedgerAnswer, LedgerOperation, OpRequest, Refusal, ReserveAnswer, ReserveRequest, SettleRequest,
};
use golden_platform::{Class, Classify};
use std::sync::Arc;
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
    Service(Batches),
    Here(golden_ledger_service::Ledger),
}

impl Ledger {
    /// The install's service.
    pub fn new(service: ServiceClient) -> Self {
        Self { at: At::Service(Batches::new(service)) }
    }

    /// A ledger in this process, with the same answers and errors.
    pub fn here(ledger: golden_ledger_service::Ledger) -> Self {
        Self { at: At::Here(ledger) }
    }

    pub async fn reserve(&self, request: ReserveRequest) -> Result<ReserveAnswer, CallError> {
        match self.operate(PATIENCE, LedgerOperation::Reserve(Box::new(request))).await? {
            LedgerAnswer::Reserved(answer) => Ok(answer),
            other => Err(malformed(&other)),
        }
    }

    /// Durable before the first byte goes upstream.
    pub async fn dispatch(&self, op_key: &str) -> Result<(), CallError> {
        self.r#move(PATIENCE, LedgerOperation::Dispatch(call(op_key))).await
    }

    pub async fn release(&self, op_key: &str) -> Result<(), CallError> {
        self.r#move(PATIENCE, LedgerOperation::Release(call(op_key))).await
    }

    /// Settles, and goes on trying while the ledger is away; what cannot be settled is charged in full by the
    /// ledger itself when its lease ends.
    pub async fn settle(&self, request: SettleRequest) -> Result<(), CallError> {
        self.r#move(SETTLE_PATIENCE, LedgerOperation::Settle(request)).await
    }

    /// Nobody will see the end of this call: the ledger lists it as Unknown and charges it in full.
    pub async fn abandon(&self, op_key: &str) -> Result<(), CallError> {
        self.r#move(SETTLE_PATIENCE, LedgerOperation::Abandon(call(op_key))).await
    }

    async fn r#move(&self, patience: Duration, operation: LedgerOperation) -> Result<(), CallError> {
        match self.operate(patience, operation).await? {
            LedgerAnswer::Moved(_) => Ok(()),
            other => Err(malformed(&other)),
        }
    }

    async fn operate(
        &self,
        patience: Duration,
        operation: LedgerOperation,
    ) -> Result<LedgerAnswer, CallError> {
        let operation = &Arc::new(operation);
        let ask = || async move {
            match &self.at {
                At::Service(batches) => told("the ledger", batches.ask(operation).await?),
                At::Here(ledger) => told("the ledger in this process", ledger.operate(operation).await),
            }
        };
        patiently(patience, ask).await
    }

    /// Whether the ledger answers, in words for a readiness gate. A gateway that is upgraded before its ledger is not ready
    /// until that is too, and the one before goes on serving. One in this process stands on its database alone,
    /// which has a gate of its own.
    pub async fn ping(&self) -> Result<(), String> {
        let At::Service(batches) = &self.at else { return Ok(()) };
        batches.ping().await.map_err(|e| format!("the ledger does not answer: {e}"))
    }
}

fn call(op_key: &str) -> OpRequest {
    OpRequest { op_key: op_key.to_owned() }
}

/// An operation that was refused is an error, as a request of its own would have been.
fn told(ledger: &str, answer: LedgerAnswer) -> Result<LedgerAnswer, CallError> {
    match answer {
        LedgerAnswer::Refused(refusal) => {
            let Refusal { status, reason, message } = refusal;
            Err(CallError::Refused { url: ledger.to_owned(), status, reason, message })
        }
        answered => Ok(answered),
    }
}

fn malformed(answer: &LedgerAnswer) -> CallError {
    CallError::Malformed {
        url: "the ledger".to_owned(),
        message: format!("{answer:?} answers another question"),
    }
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
    use golden_platform::http;

    #[test]
    fn what_may_be_asked_again_is_told_apart() {
        let lost = || Error::Database(std::sync::Arc::new(sqlx::Error::PoolTimedOut));
        for (error, class) in [
            (Error::Invalid { field: "role", why: "is too long" }, Class::Invalid),
            (Error::UnknownKey("key".into()), Class::Invalid),
            (Error::StaleTry(uuid::Uuid::nil()), Class::Conflict),
            (Error::AccountMissing(uuid::Uuid::nil()), Class::Dependency),
            (Error::Busy, Class::Dependency),
            (Error::Stopped, Class::Dependency),
            (lost(), Class::Dependency),
        ] {
            let http::Error { status, reason, message } = error.into();
            let refusal = Refusal { status: status.as_u16(), reason: reason.to_owned(), message };
            let error = told("the ledger", LedgerAnswer::Refused(refusal)).unwrap_err();
            assert_eq!(error.class(), class, "{error}");
        }
    }
}
