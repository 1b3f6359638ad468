//! Reserving.

use std::time::Duration;

use golden_platform::cache::Cache;
use golden_platform::http;
use golden_platform::telemetry::Metrics;
use golden_platform::wire::{LedgerAnswer, LedgerOperation, Refusal, ReserveAnswer, ReserveRequest};
use sqlx::PgPool;

use crate::Error;
use crate::answers::Answers;
use crate::engine::Engine;
use crate::metrics::Figures;

/// Longest text field of a request.
pub(crate) const MAX_TEXT: usize = 253;
/// How long the ledger waits to hear of a call again.
#[derive(Clone, Copy, Debug)]
pub struct Leases {
    /// From reserve to dispatch; then the money goes back.
    pub reserved: Duration,
    /// From dispatch to settlement; then the bound counts as spent.
    pub dispatched: Duration,
}

impl Default for Leases {
    fn default() -> Self {
        Self { reserved: Duration::from_mins(1), dispatched: Duration::from_mins(10) }
    }
}

/// The ledger over its database. Cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    pub(crate) pool: PgPool,
    pub(crate) engine: Engine,
    /// How calls ended; none where nothing is remembered.
    pub(crate) answers: Option<Answers>,
}

impl Ledger {
    /// Starts its writer on the current runtime; it ends with the last clone.
    pub fn new(pool: PgPool, leases: Leases) -> Self {
        Self { engine: Engine::start(&pool, leases, None), pool, answers: None }
    }

    /// The same, with metrics.
    pub fn measured(pool: PgPool, leases: Leases, metrics: &Metrics) -> Result<Self, prometheus::Error> {
        let figures = Some(Figures::new(metrics)?);
        Ok(Self { engine: Engine::start(&pool, leases, figures), pool, answers: None })
    }

    /// The same, which remembers for five minutes how calls ended, if there is a Redis to keep it in.
    pub fn remembering(self, cache: Option<&Cache>, metrics: &Metrics) -> Result<Self, prometheus::Error> {
        let begin = |cache: &Cache| Answers::start(cache.clone(), self.pool.clone(), metrics);
        let answers = cache.map(begin).transpose()?;
        Ok(Self { answers, ..self })
    }

    /// Reserves on every account of the task's path, or on none. The same key with the same request is answered
    /// with what became of it.
    pub async fn reserve(&self, request: &ReserveRequest) -> Result<ReserveAnswer, Error> {
        check(request)?;
        let Some(answers) = &self.answers else { return self.engine.reserve(request.clone()).await };
        if let Some(answer) = answers.of_reserve(request) {
            return Ok(answer);
        }
        let answer = self.engine.reserve(request.clone()).await?;
        answers.reserved(request, &answer);
        Ok(answer)
    }

    /// Any operation, as it is asked for and answered among others.
    pub async fn operate(&self, operation: &LedgerOperation) -> LedgerAnswer {
        self.try_operate(operation).await.unwrap_or_else(refused)
    }

    pub(crate) async fn try_operate(&self, operation: &LedgerOperation) -> Result<LedgerAnswer, Error> {
        match operation {
            LedgerOperation::Reserve(request) => self.reserve(request).await.map(LedgerAnswer::Reserved),
            LedgerOperation::Dispatch(call) => self.dispatch(&call.op_key).await.map(LedgerAnswer::Moved),
            LedgerOperation::Settle(request) => self.settle(request).await.map(LedgerAnswer::Moved),
            LedgerOperation::Release(call) => self.release(&call.op_key).await.map(LedgerAnswer::Moved),
            LedgerOperation::Abandon(call) => self.abandon(&call.op_key).await.map(LedgerAnswer::Moved),
        }
    }
}

/// A refusal as it is told among other answers.
pub(crate) fn refused(error: Error) -> LedgerAnswer {
    let http::Error { status, reason, message } = error.into();
    LedgerAnswer::Refused(Refusal { status: status.as_u16(), reason: reason.to_owned(), message })
}

fn check(request: &ReserveRequest) -> Result<(), Error> {
    let texts = [
        ("opKey", &request.op_key),
        ("requestHash", &request.request_hash),
        ("role", &request.role),
        ("provider", &request.provider),
        ("model", &request.model),
        ("promptDigest", &request.prompt_digest),
    ];
    for (field, text) in texts {
        if text.len() > MAX_TEXT || text.contains('\0') {
            return Err(Error::Invalid { field, why: "is longer than 253 bytes or has a NUL character" });
        }
    }
    if request.op_key.is_empty() || request.request_hash.is_empty() {
        return Err(Error::Invalid { field: "opKey and requestHash", why: "must not be empty" });
    }
    if request.cost_micro_usd < 0 || request.tokens < 0 {
        return Err(Error::Invalid { field: "costMicroUsd and tokens", why: "must not be negative" });
    }
    let within = |part: i64, whole: i64| (0..=whole).contains(&part);
    if request.least.is_some_and(|least| {
        !within(least.cost_micro_usd, request.cost_micro_usd) || !within(least.tokens, request.tokens)
    }) {
        return Err(Error::Invalid { field: "least", why: "must be between nothing and the whole" });
    }
    Ok(())
}
