//! Faults on a cluster with Golden in it, on order: processes killed while they hold work, objects deleted at every
//! stage. After each fault the promises are checked from the outside: by SQL, the streams' figures, the model
//! server's own tally, the git server and `golden record verify`.
//!
//! Every run is named and seeded: `cargo xtask chaos NAME --seed N` plays it again. The seed decides the order of
//! the runs and the moment of each kill within the time in which the victim holds work.

mod catalogue;
mod deletions;
mod drill;
mod evidence;
mod home;
mod invariants;
mod kills;
mod matrix;
mod people;
mod probe;
mod report;
mod seed;
mod snapshot;
mod stages;
mod victim;
mod world;

pub use catalogue::{SCENARIOS, Scenario};
pub use matrix::{Options, run};
pub use report::{Report, Run};
pub use seed::Seed;
pub use world::World;
