//! How a provider fares, as this process sees it.

use golden_platform::breaker::{Circuit, Refused};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;

/// Calls of one provider under way in this process.
const CONCURRENCY: usize = 64;

/// What this process knows of one provider.
pub struct Health {
    circuit: Arc<Circuit>,
    pub(crate) slots: Arc<Semaphore>,
}

impl Health {
    pub(crate) fn new(circuit: Arc<Circuit>) -> Self {
        Self { circuit, slots: Arc::new(Semaphore::new(CONCURRENCY)) }
    }

    pub(crate) fn admit(&self) -> Result<(), Refused> {
        self.circuit.admit(Instant::now())
    }

    /// Reports how a call went that was let through.
    pub(crate) fn report(&self, well: bool) {
        self.circuit.report(well, Instant::now());
    }
}
