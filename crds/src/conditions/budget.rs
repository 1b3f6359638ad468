//! Reasons of Budget.

use super::reasons;
pub use super::shared;
pub use super::shared::{
    DATABASE_UNREACHABLE, DELETING, INTERNAL_ERROR, INVALID_SPEC, LEDGER_UNREACHABLE, UNSERVED_FIELD,
};

reasons! {
    /// The account exists with the limits of the spec, and there is something left.
    ACTIVE = "Active";
    /// The account is being created or its limits changed.
    PROGRESSING = "Progressing";
    /// Nothing is left. The Budget is Ready, since it does what it says; calls wait or fail as it says.
    EXHAUSTED = "Exhausted";
    /// More was committed than the limit is now, since the limit was lowered. Nothing new is granted.
    OVER_LIMIT = "OverLimit";
    /// A provider charged more than was reserved; nothing new is granted until the limits are changed, or what a Budget with
    /// `onExhausted: Ask` asks for is approved.
    OVERAGE_UNCONFIRMED = "OverageUnconfirmed";
    /// Event: a provider charged more than was reserved. The message says how much there is of that.
    OVERAGE_CHARGED = "OverageCharged";
    /// Calls wait and a person is asked for more. The message says what is missing, what an approval adds, and how to
    /// answer.
    QUESTION_OPEN = "QuestionOpen";
    /// The deadline passed without an answer. Calls wait on, and can still be answered for.
    QUESTION_OVERDUE = "QuestionOverdue";
    /// The deadline passed without an answer, and `onDeadline` is Fail: calls that cannot be paid fail until the period
    /// ends or the limits are edited.
    QUESTION_EXPIRED = "QuestionExpired";
    /// A person granted more for this period. The message says who, and how much in all.
    MORE_GRANTED = "MoreGranted";
    /// A person refused more: calls that cannot be paid fail until the period ends or the limits are edited. The message
    /// says who.
    MORE_DENIED = "MoreDenied";
    /// `spec.parentRef` names no Budget.
    PARENT_NOT_FOUND = "ParentNotFound";
    /// The parent is in another namespace and its `allowedNamespaces` does not name this one.
    PARENT_NOT_ALLOWED = "ParentNotAllowed";
    /// The parent is not Ready. The message repeats its reason.
    PARENT_NOT_READY = "ParentNotReady";
    /// The chain of parents leads back to this Budget. The message shows it.
    PARENT_CYCLE = "ParentCycle";
    /// The chain of parents is longer than is served.
    PARENT_TOO_DEEP = "ParentTooDeep";
    /// A share of `spec.alertPercents` is spent. An event, once per period; `status.alertsReached` keeps it.
    ALERT_PERCENT_REACHED = "AlertPercentReached";
    /// `spec.timeZone` is no zone that this version knows.
    TIME_ZONE_UNKNOWN = "TimeZoneUnknown";
    /// `spec.selector` is not a usable label selector.
    SELECTOR_INVALID = "SelectorInvalid";
}
