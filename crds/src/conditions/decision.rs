//! Reasons of Decision, in its condition `Accepted`.

use super::reasons;
pub use super::shared;
pub use super::shared::{DATABASE_UNREACHABLE, INTERNAL_ERROR};

reasons! {
    /// The decision was accepted and counts.
    ACCEPTED = "Accepted";
    /// Nothing has looked at the decision yet.
    PENDING = "Pending";
    /// The target does not exist.
    TARGET_NOT_FOUND = "TargetNotFound";
    /// An object with the target's name exists but has another uid: it was recreated.
    TARGET_REPLACED = "TargetReplaced";
    /// The target has another digest now. Look at the new one and decide again.
    DIGEST_STALE = "DigestStale";
    /// The target asks no question now: it was answered, went on, or ended.
    NOTHING_TO_DECIDE = "NothingToDecide";
    /// The answer came after the deadline.
    TOO_LATE = "TooLate";
    /// Who submitted or proposed the target, or a task that waits for a Budget's answer, cannot approve it. They may
    /// still deny it, or choose another option.
    SELF_APPROVAL = "SelfApproval";
    /// The same person has answered this question, and the answer counted; approvals must be by distinct people.
    ALREADY_DECIDED = "AlreadyDecided";
    /// The answer is none of the options the escalation offers (`Approve` stands for `Accept`, `Deny` for `Reject`). It is
    /// not used up: the message says what may be answered.
    OPTION_NOT_OFFERED = "OptionNotOffered";
}
