//! The kinds of Golden: their types, rules, conditions and reasons. No I/O.
//!
//! Everything a person may write is a `*Spec` here, everything Golden reports is a `*Status`.
//! Cross-object faults are not rules but conditions; see [`conditions`].

// KubeSchema copies each struct, with its visibility, into a function body.
#![allow(unreachable_pub)]
// Columns of one kind share type and priority, which the lint takes for one attribute written twice.
#![allow(clippy::duplicated_attributes)]

pub mod agent_task;
pub mod agent_team;
pub mod budget;
pub mod common;
pub mod conditions;
pub mod crdgen;
pub mod decision;
pub mod governance_policy;
pub mod labels;
pub mod model_provider;
pub mod prompt_revision;
pub mod reference;
mod rules;
pub mod sandbox_run;
mod schema;

pub use agent_task::{AgentTask, AgentTaskSpec, AgentTaskStatus};
pub use agent_team::{AgentTeam, AgentTeamSpec, AgentTeamStatus};
pub use budget::{Budget, BudgetSpec, BudgetStatus};
pub use crdgen::generate;
pub use decision::{Decision, DecisionSpec, DecisionStatus};
pub use governance_policy::{GovernancePolicy, GovernancePolicySpec, GovernancePolicyStatus};
pub use model_provider::{ModelProvider, ModelProviderSpec, ModelProviderStatus};
pub use prompt_revision::{PromptRevision, PromptRevisionSpec, PromptRevisionStatus};
pub use sandbox_run::{SandboxRun, SandboxRunSpec, SandboxRunStatus};

/// The API group of every kind.
pub const GROUP: &str = "goldenarch.dev";
/// The version served.
pub const VERSION: &str = "v1alpha1";
