//! The engine: reads facts, lets the machine decide, and writes everything that follows in one transaction.
//!
//! Contract: a crash at any point loses nothing and repeats nothing that others see twice. What must be derived
//! before a decision (patches, trees) is stored by content first, so that doing it again is doing it once.

mod batch;
mod clock;
mod drive;
mod enrich;
mod error;
mod faults;
mod metrics;
mod money;
mod relay;
mod run;
mod slots;
mod store;
mod trees;
mod weights;
mod write;

pub use clock::Clock;
pub use drive::{Engine, Progress};
pub use error::Error;
pub use faults::{Faults, NoFaults, Point};
pub use metrics::EngineMetrics;
pub(crate) use store::{Loaded, load};
