//! What Golden promises, played on a real cluster with the tools a user has: helm, kubectl and golden.
//!
//! The demo and the end-to-end tests share these stories, so that what is shown is what is tested.

pub mod clock;
pub mod faults;
pub mod figures;
pub mod fit;
pub mod install;
pub mod memory;
pub mod preflight;
pub mod report;
pub mod stories;
pub mod tools;
pub mod writes;
