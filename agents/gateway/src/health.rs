//! How a provider fares, as this process sees it.

use crate::known::Known;
use crate::line::Line;
use crate::retry::Failure;
use crate::shared::SharedLimits;
use crate::upstream::Failed;
use golden_crds::conditions::model_provider::{BREAKER_OPEN, ENDPOINT_UNREACHABLE, KEY_REFUSED};
use golden_crds::model_provider::{ModelProviderSpec, ProviderBreaker, ProviderLimits};
use golden_platform::breaker::{Circuit, Refused, Settings, State};
use golden_platform::provider_health::Standing;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// What this process knows of one provider.
pub struct Health {
    circuit: Arc<Circuit>,
    pub(crate) line: Arc<Line>,
    pub(crate) known: Known,
    /// Where it was called.
    place: Mutex<Option<Place>>,
    last: Mutex<Last>,
}

/// What is known of the last calls.
#[derive(Default)]
struct Last {
    asked: Option<Instant>,
    /// How the last one went: why it failed, as a reason and in words.
    went: Option<Result<(), (&'static str, String)>>,
}

/// What decides whether earlier failures say anything about the next call.
#[derive(Clone, PartialEq, Eq)]
struct Place {
    uid: Option<String>,
    base_url: String,
    secret: Option<String>,
}

impl Health {
    pub(crate) fn new(circuit: Arc<Circuit>, shared: Option<Arc<SharedLimits>>) -> Self {
        Self {
            circuit,
            line: Line::new(ProviderLimits::default(), shared),
            known: Known::default(),
            place: Mutex::default(),
            last: Mutex::default(),
        }
    }

    /// Goes by a spec from now on. A provider that is called elsewhere, or with another key, begins anew: what failed
    /// before was mended, perhaps.
    pub(crate) fn follow(&self, uid: Option<&str>, spec: &ModelProviderSpec) {
        let own = uid.and_then(|uid| uid.parse().ok());
        self.line.limit(own, &spec.limits.clone().unwrap_or_default());
        let breaker = spec.breaker.clone().unwrap_or_default();
        self.circuit.set(settings(&breaker));
        let place = Place {
            uid: uid.map(ToOwned::to_owned),
            base_url: spec.base_url.clone(),
            secret: spec.secret_ref.as_ref().map(|s| s.name.clone()),
        };
        let mut known = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref() != Some(&place) {
            if known.is_some() {
                self.circuit.close();
                self.last().went = None;
                self.known.forget();
            }
            *known = Some(place);
        }
    }

    pub(crate) fn admit(&self) -> Result<(), Refused> {
        let now = Instant::now();
        self.last().asked = Some(now);
        self.circuit.admit(now)
    }

    /// The answer to a call that was let through is whole, or broke off.
    pub(crate) fn ended(&self, whole: bool) {
        let broke = || Err((ENDPOINT_UNREACHABLE, "its answers break off".to_owned()));
        self.last().went = Some(if whole { Ok(()) } else { broke() });
        self.circuit.report(whole, Instant::now());
    }

    /// One that was let through failed.
    pub(crate) fn failed(&self, failed: &Failed) {
        let reason = match failed.failure {
            Failure::Status { code: 401 | 403, .. } => Some(KEY_REFUSED),
            Failure::Status { .. } if failed.failure.is_the_providers() => Some(BREAKER_OPEN),
            // The request itself was refused, which is an answer.
            Failure::Status { .. } => None,
            _ => Some(ENDPOINT_UNREACHABLE),
        };
        self.last().went = Some(reason.map_or(Ok(()), |reason| Err((reason, failed.why.clone()))));
        self.circuit.report(!failed.failure.is_the_providers(), Instant::now());
    }

    /// How the provider fares; nothing while that is not known. Single failures say little: the breaker counts them.
    pub(crate) fn standing(&self) -> Option<Standing> {
        let state = self.circuit.state();
        let went = self.last().went.clone()?;
        let failures = if let State::Closed { failures } = state { failures } else { 0 };
        let open = !matches!(state, State::Closed { .. });
        let (trouble, message) = match went {
            Err((reason, message)) if open || reason == KEY_REFUSED => (Some(reason), message),
            // A probe that nobody reported about, after late news from before the breaker opened.
            Ok(()) if open => (Some(BREAKER_OPEN), "it failed repeatedly".to_owned()),
            Ok(()) => (None, String::new()),
            Err(_) => return None,
        };
        // A probe under way is no news.
        let state = if open { "OPEN" } else { state.name() };
        Some(Standing { state, failures, trouble, message, limits: self.line.counting() })
    }

    pub(crate) fn asked(&self) -> Option<Instant> {
        self.last().asked
    }

    /// Of the ModelProvider.
    pub(crate) fn uid(&self) -> Option<Uuid> {
        let known = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref()?.uid.as_ref()?.parse().ok()
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn settings(breaker: &ProviderBreaker) -> Settings {
    Settings {
        failure_threshold: u32::try_from(breaker.failure_threshold).unwrap_or(u32::MAX).max(1),
        recovery: Duration::from_secs(u64::try_from(breaker.recovery_seconds).unwrap_or(0)),
    }
}
