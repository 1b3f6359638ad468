//! Calls of the ledger's service. What is asked of it while it is being asked goes with the next request: a lone call waits
//! for nobody, and under load many calls cost one request.

use golden_platform::http::{CallError, ServiceClient};
use golden_platform::wire::{
    LedgerAnswer, LedgerAnswers, LedgerOperation, LedgerOperations, MOST_OPERATIONS,
};
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

const PATH: &str = "/v1/operations";
/// Requests at once. The ledger writes one batch while the next one gathers: with one request there would be nothing to
/// gather, and more only make each smaller.
const AT_ONCE: usize = 2;
/// The reason told of a ledger that does not know the route.
const OUTDATED: &str = "LedgerOutdated";

/// The ledger's service.
#[derive(Clone)]
pub(crate) struct Batches(Arc<Shared>);

struct Shared {
    service: ServiceClient,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    requests: usize,
}

struct Waiting {
    operation: Arc<LedgerOperation>,
    answer: oneshot::Sender<Result<LedgerAnswer, CallError>>,
}

impl Batches {
    pub(crate) fn new(service: ServiceClient) -> Self {
        Self(Arc::new(Shared { service, queue: Mutex::default() }))
    }

    /// Asks. The operation goes on if nobody waits for its answer any more.
    pub(crate) async fn ask(&self, operation: &Arc<LedgerOperation>) -> Result<LedgerAnswer, CallError> {
        let (answer, answered) = oneshot::channel();
        let operation = Arc::clone(operation);
        if self.put(Waiting { operation, answer }) {
            let all = self.clone();
            tokio::spawn(async move {
                while let Some(batch) = all.next() {
                    all.send(batch).await;
                }
            });
        }
        answered.await.unwrap_or_else(|_| Err(self.malformed("nothing about this operation")))
    }

    /// Puts it into the queue; true where nobody empties it who has not enough to do already.
    fn put(&self, waiting: Waiting) -> bool {
        let mut queue = self.queue();
        queue.waiting.push_back(waiting);
        let more = queue.requests < AT_ONCE;
        queue.requests += usize::from(more);
        more
    }

    /// What goes with the next request; nothing ends the one who asks.
    fn next(&self) -> Option<Vec<Waiting>> {
        let mut queue = self.queue();
        if queue.waiting.is_empty() {
            queue.requests -= 1;
            return None;
        }
        let many = queue.waiting.len().min(MOST_OPERATIONS);
        Some(queue.waiting.drain(..many).collect())
    }

    async fn send(&self, batch: Vec<Waiting>) {
        let operations = batch.iter().map(|waiting| &*waiting.operation).collect();
        match self.post(&LedgerOperations { operations }).await {
            Ok(LedgerAnswers { answers }) if answers.len() == batch.len() => {
                for (waiting, answer) in batch.into_iter().zip(answers) {
                    let _ = waiting.answer.send(Ok(answer));
                }
            }
            Ok(_) => fail(batch, &self.malformed("another number of answers than it was asked for")),
            Err(error) => fail(batch, &error),
        }
    }

    /// Whether the ledger answers, and this version's questions.
    pub(crate) async fn ping(&self) -> Result<(), CallError> {
        let nothing: LedgerOperations = LedgerOperations { operations: Vec::new() };
        self.post(&nothing).await.map(drop)
    }

    async fn post<O: Serialize>(&self, operations: &LedgerOperations<O>) -> Result<LedgerAnswers, CallError> {
        self.0.service.post(PATH, operations).await.map_err(outdated)
    }

    fn malformed(&self, what: &str) -> CallError {
        CallError::Malformed { url: self.0.service.url(PATH), message: format!("it says {what}") }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A ledger that does not know the route is of an earlier version, and will be upgraded: an outage, which passes. What a
/// ledger says about one operation never comes as the status of the whole.
fn outdated(error: CallError) -> CallError {
    match error {
        CallError::Refused { url, status: 404, .. } => CallError::Refused {
            url,
            status: 503,
            reason: OUTDATED.to_owned(),
            message: "the ledger is of an earlier version than this gateway; upgrade the ledger first"
                .to_owned(),
        },
        other => other,
    }
}

/// Whether it is an outage that ends with an upgrade of the ledger.
pub(crate) fn is_outdated(error: &CallError) -> bool {
    matches!(error, CallError::Refused { reason, .. } if reason == OUTDATED)
}

fn fail(batch: Vec<Waiting>, error: &CallError) {
    for waiting in batch {
        let _ = waiting.answer.send(Err(error.clone()));
    }
}

#[cfg(test)]
mod tests;
