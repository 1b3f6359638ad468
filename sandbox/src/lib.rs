//! SandboxRuns: the pod a run becomes, what its end means, the program that holds the command inside the pod, and
//! the team's broker that turns guard requests into runs and runs into facts.

pub mod broker;
pub mod build;
pub mod files;
pub mod git;
pub mod outcome;
pub mod report;
pub mod runner;

pub use broker::{Args, run};
pub use build::{BuildContext, pod};
pub use outcome::{Outcome, RunOutcome, outcome};
