//! A place among the messages that are worked on at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Handlers of one consumer that may stand aside at once. Each still holds its message, and what it has read for it.
const ASIDE: usize = 64;

/// The places of one consumer.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    working: Arc<Semaphore>,
    aside: Arc<Semaphore>,
}

impl Slots {
    pub(super) fn new(concurrency: usize) -> Self {
        Self { working: Arc::new(Semaphore::new(concurrency)), aside: Arc::new(Semaphore::new(ASIDE)) }
    }

    /// Waits until one is free.
    pub(super) async fn take(&self) -> Option<Slot> {
        let place = Arc::clone(&self.working).acquire_owned().await.ok()?;
        let taken = Arc::new(Mutex::new(Some(Taken::Working(place))));
        Some(Slot { taken, aside: Arc::clone(&self.aside) })
    }
}

#[derive(Debug)]
enum Taken {
    Working(#[expect(dead_code, reason = "held")] OwnedSemaphorePermit),
    Aside(#[expect(dead_code, reason = "held")] OwnedSemaphorePermit),
}

/// One of them, for as long as its message is worked on. The default is of a message that is handled outside of a consumer.
#[derive(Clone, Debug)]
pub struct Slot {
    taken: Arc<Mutex<Option<Taken>>>,
    aside: Arc<Semaphore>,
}

impl Default for Slot {
    fn default() -> Self {
        Self { taken: Arc::default(), aside: Arc::new(Semaphore::new(0)) }
    }
}

impl Slot {
    /// The handler does nothing but wait from now on, for something that may be long in coming: another message is
    /// worked on meanwhile. It goes on without a place when that comes. While too many stand aside already it keeps its
    /// place; then this may be said again.
    pub fn stand_aside(&self) {
        let mut taken = self.taken();
        if matches!(*taken, Some(Taken::Working(_)))
            && let Ok(place) = Arc::clone(&self.aside).try_acquire_owned()
        {
            *taken = Some(Taken::Aside(place));
        }
    }

    /// The message is done with, whoever still knows of the slot.
    pub(super) fn free(&self) {
        self.taken().take();
    }

    fn taken(&self) -> MutexGuard<'_, Option<Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
