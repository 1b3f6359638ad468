//! What merging, matching and approvals promise.

mod approval;
mod explaining;
mod globs;
mod merging;
mod selectors;
mod simulating;
mod support;
