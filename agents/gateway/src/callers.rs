//! Callers that are known already: a caller's rows are read at most so often, not for each of its calls.
//!
//! A try that is over may therefore begin a call for as long as its rows are believed. What it spends is its task's
//! money all the same, and no more than there is.

use crate::error::CallError;
use crate::identity::{Known, attempt_pod};
use sqlx::PgPool;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long a caller's rows are believed.
const FRESH: Duration = Duration::from_secs(1);
/// Callers in memory; beyond so many, those whose rows are not believed any more go.
const MANY: usize = 1024;

/// What was read, and when it was asked for; locked while it is read, so that calls that come together ask once.
type Place = Arc<tokio::sync::Mutex<Option<(Instant, Result<Known, CallError>)>>>;

/// The pods that called lately.
#[derive(Default)]
pub(crate) struct Callers {
    places: Mutex<HashMap<Uuid, Place>>,
}

impl Callers {
    /// The work of a pod, as it was a moment ago.
    pub(crate) async fn pod(&self, pool: &PgPool, uid: Uuid) -> Result<Known, CallError> {
        let (place, came) = (self.place(uid), Instant::now());
        let mut read = place.lock().await;
        match read.as_ref() {
            Some((at, Ok(known))) if at.elapsed() < FRESH => return Ok(known.clone()),
            // Who waited while it was asked in vain does not ask in vain again.
            Some((at, Err(error))) if came <= *at => return Err(error.clone()),
            _ => {}
        }
        // From before it is asked: what changes meanwhile is read after that time.
        let at = Instant::now();
        *read = None;
        let known = attempt_pod(pool, uid).await;
        *read = Some((at, known.clone()));
        known
    }

    /// Its rows are written: they are read again for its next call.
    pub(crate) fn forget(&self, uid: Uuid) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).remove(&uid);
    }

    fn place(&self, uid: Uuid) -> Place {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= MANY && !places.contains_key(&uid) {
            places.retain(|_, place| in_use(place));
        }
        Arc::clone(places.entry(uid).or_default())
    }
}

/// Whether it is being read, or was a moment ago.
fn in_use(place: &Place) -> bool {
    place.try_lock().map_or(true, |read| read.as_ref().is_some_and(|(at, _)| at.elapsed() < FRESH))
}
