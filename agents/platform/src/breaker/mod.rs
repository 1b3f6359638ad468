//! Circuit breakers: one implementation for every call that leaves a service, and a registry in which they are seen.
//!
//! A breaker stands where many callers would otherwise wait for the same dead thing: a model's endpoint, a git host, the
//! artifact store. It does not stand before a single query: a pool fails fast by itself, and refusing longer than the
//! outage lasts would only add to it.

mod metrics;
mod registry;
mod state;
mod view;

pub use metrics::Collector;
pub use registry::{Breakers, Called, Circuit, MAX_NAMES};
pub use state::{Breaker, Refused, Settings, State, Statistics};
pub use view::{Counts, View};
