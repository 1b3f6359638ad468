//! `golden sandbox`: turns a team's guard requests into SandboxRuns, and their ends into facts.
//!
//! Contract: a request may come again at any point, also to another replica, and ends in the same single fact. The
//! run's name is the request's, so it is made once; the fact is keyed by the run's uid, so it is written once; the
//! message is acknowledged last. What it waits for is an object in the apiserver: nothing is lost with this process.
//!
//! It also serves the run pods' way to the artifact store: a pod reads the trees its run names, and keeps bytes in its
//! own namespace.

mod http;
mod judge;
mod metrics;
mod request;
mod run;
mod tend;

pub use self::http::router;
pub use judge::{Evidence, guard_outcome};
pub use metrics::Metrics;
pub use request::sandbox_run;
pub use run::{Args, run};
pub use tend::Broker;
