//! Reasons of PromptRevision. This version stores revisions; it does not evaluate them yet.

use super::reasons;
pub use super::shared;
pub use super::shared::{INTERNAL_ERROR, INVALID_SPEC};

reasons! {
    /// The revision is stored and a team may name it.
    STORED = "Stored";
    /// The revision has not been looked at yet.
    PROGRESSING = "Progressing";
    /// `spec.teamRef` names no AgentTeam of this namespace.
    TEAM_NOT_FOUND = "TeamNotFound";
    /// The team has no role of this name.
    ROLE_NOT_FOUND = "RoleNotFound";
}
