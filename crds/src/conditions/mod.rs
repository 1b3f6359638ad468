//! Condition types and every reason, documented, and the one way to set them.
//!
//! Conditions follow kstatus, so that `kubectl wait`, Helm, Argo CD and Flux understand them: long-lived kinds
//! carry `Ready`; AgentTask and SandboxRun carry `Complete` and `Failed`; all carry `Reconciling` while work is
//! under way and `Stalled` while it cannot go on. The last two are present only while they are true.
//!
//! A reason is a promise: scripts and alerts match it. Its documentation says what happened and what to do; the
//! condition's message says to which object. Every module lists its reasons in `ALL`, from which the API
//! reference is made and which tests hold to be CamelCase and unique.

mod kstatus;
mod set;
#[cfg(test)]
mod tests;
mod types;

pub mod agent_task;
pub mod agent_team;
pub mod budget;
pub mod decision;
pub mod governance_policy;
pub mod model_provider;
pub mod prompt_revision;
pub mod sandbox_run;
pub mod shared;

pub use kstatus::{KStatus, Lifecycle, RunState, kstatus, set_lifecycle, set_run_state};
pub use set::{MAX_MESSAGE_BYTES, Status, find, is_true, remove_condition, set_condition};
pub use types::{
    ACCEPTED, ADMITTED, ANSWERED, APPROVED, BUDGET_AVAILABLE, COMPLETE, CONSENSUS_REACHED, FAILED,
    FALLBACKS_USABLE, GUARDS_PASSED, LIMITS_SHARED, REACHABLE, READY, RECONCILING, STALLED,
};

/// The condition types with their documentation.
pub use types::ALL as TYPES;

/// One documented reason, or one documented condition type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The value of `reason` (or `type`) in a condition, for example `TeamNotFound`.
    pub name: &'static str,
    /// What it means and what to do.
    pub doc: &'static str,
}

/// Declares documented reasons as constants and lists them in `ALL`, so that none can lack its documentation.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $value:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: &str = $value;)+
        /// Every reason of this module with its documentation.
        pub const ALL: &[$crate::conditions::Reason] = &[
            $($crate::conditions::Reason { name: $value, doc: concat!($($doc, "\n"),+) }),+
        ];
    };
}
pub(crate) use reasons;
