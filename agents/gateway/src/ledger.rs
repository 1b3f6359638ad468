//! The ledger, over HTTP. Every call of it may be repeated; while it is away it is asked again.

use golden_platform::http::{CallError, ServiceClient};
use golden_platform::wire::{OpAnswer, OpRequest, ReserveAnswer, ReserveRequest, SettleRequest};
use golden_platform::{Class, Classify};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::{Duration, Instant};

/// How long reserve and dispatch are repeated while the ledger is away, and how long a settlement is.
const PATIENCE: Duration = Duration::from_secs(10);
const SETTLE_PATIENCE: Duration = Duration::from_mins(15);

/// A client of the ledger.
#[derive(Clone)]
pub struct Ledger {
    service: ServiceClient,
}

impl Ledger {
    pub fn new(service: ServiceClient) -> Self {
        Self { service }
    }

    pub async fn reserve(&self, request: &ReserveRequest) -> Result<ReserveAnswer, CallError> {
        self.patiently(PATIENCE, "/v1/reserve", request).await
    }

    /// Durable before the first byte goes upstream.
    pub async fn dispatch(&self, op_key: &str) -> Result<(), CallError> {
        self.operate("/v1/dispatch", op_key).await
    }

    pub async fn release(&self, op_key: &str) -> Result<(), CallError> {
        self.operate("/v1/release", op_key).await
    }

    /// Settles, and goes on trying while the ledger is away; what cannot be settled is charged in full by the
    /// ledger itself when its lease ends.
    pub async fn settle(&self, request: &SettleRequest) -> Result<(), CallError> {
        self.patiently::<_, OpAnswer>(SETTLE_PATIENCE, "/v1/settle", request).await.map(drop)
    }

    /// Nobody will see the end of this call: the ledger lists it as Unknown and charges it in full.
    pub async fn abandon(&self, op_key: &str) -> Result<(), CallError> {
        let request = OpRequest { op_key: op_key.to_owned() };
        self.patiently::<_, OpAnswer>(SETTLE_PATIENCE, "/v1/abandon", &request).await.map(drop)
    }

    /// Whether the ledger answers, in words for a readiness gate.
    pub async fn ping(&self) -> Result<(), String> {
        let request = self.service.request(http::Method::GET, "/healthz").await;
        match self.service.send(request.map_err(|e| e.to_string())?).await {
            Ok(_) => Ok(()),
            Err(e) => Err(format!("the ledger does not answer: {e}")),
        }
    }

    async fn operate(&self, path: &str, op_key: &str) -> Result<(), CallError> {
        let request = OpRequest { op_key: op_key.to_owned() };
        self.patiently::<_, OpAnswer>(PATIENCE, path, &request).await.map(drop)
    }

    /// Repeats with growing pauses, for at most `patience`.
    async fn patiently<B: Serialize, A: DeserializeOwned>(
        &self,
        patience: Duration,
        path: &str,
        body: &B,
    ) -> Result<A, CallError> {
        let begun = Instant::now();
        let mut pause = Duration::from_millis(100);
        loop {
            let error = match self.service.post(path, body).await {
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
}
