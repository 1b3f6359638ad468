//! The operator on a real apiserver, Postgres and NATS. There is no kubelet and no controller manager: the tests
//! play them by writing the statuses of pods and Deployments.

// Helpers of tests are tests too; clippy only knows functions marked as such.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "it/budget.rs"]
mod budget;
#[path = "it/decision.rs"]
mod decision;
#[path = "it/dependencies.rs"]
mod dependencies;
#[path = "it/faults.rs"]
mod faults;
#[path = "it/forecast.rs"]
mod forecast;
#[path = "it/forecast_asks.rs"]
mod forecast_asks;
#[path = "it/objects.rs"]
mod objects;
#[path = "it/policy.rs"]
mod policy;
#[path = "it/provider.rs"]
mod provider;
#[path = "it/release.rs"]
mod release;
#[path = "it/run.rs"]
mod run;
#[path = "it/status.rs"]
mod status;
#[path = "it/task.rs"]
mod task;
#[path = "it/team.rs"]
mod team;
#[path = "it/world.rs"]
mod world;
