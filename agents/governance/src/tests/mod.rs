//! What merging, matching and approvals promise.

mod approval;
mod globs;
mod merging;
mod selectors;
mod support;
