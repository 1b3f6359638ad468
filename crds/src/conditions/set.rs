//! The one way to set a condition. Pure: the time is passed in.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The API's bound on a condition's message. Longer messages are cut, so that a status write never fails for it.
pub const MAX_MESSAGE_BYTES: usize = 32_768;

const CUT_MARK: &str = "… (cut)";

/// The status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The condition holds.
    True,
    /// The condition does not hold.
    False,
    /// It cannot be said yet.
    Unknown,
}

impl Status {
    /// As written in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for Status {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// Sets the condition of this type, appending it if it is missing. Returns whether anything but the observed
/// generation changed, which is when an event is worth sending.
///
/// `lastTransitionTime` changes only when the status does, as the API conventions ask. A message over
/// [`MAX_MESSAGE_BYTES`] is cut at a character.
pub fn set_condition(
    conditions: &mut Vec<Condition>,
    type_: &str,
    status: Status,
    reason: &str,
    message: &str,
    generation: Option<i64>,
    now: Timestamp,
) -> bool {
    let message = cut(message);
    let Some(old) = conditions.iter_mut().find(|c| c.type_ == type_) else {
        conditions.push(Condition {
            type_: type_.into(),
            status: status.as_str().into(),
            reason: reason.into(),
            message,
            observed_generation: generation,
            last_transition_time: Time(now),
        });
        return true;
    };
    old.observed_generation = generation;
    let changed = old.status != status.as_str() || old.reason != reason || old.message != message;
    if old.status != status.as_str() {
        old.last_transition_time = Time(now);
        old.status = status.as_str().into();
    }
    if changed {
        old.reason = reason.into();
        old.message = message;
    }
    changed
}

/// Removes the condition of this type. Returns whether it was there.
pub fn remove_condition(conditions: &mut Vec<Condition>, type_: &str) -> bool {
    let before = conditions.len();
    conditions.retain(|c| c.type_ != type_);
    conditions.len() != before
}

/// The condition of this type.
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|c| c.type_ == type_)
}

/// Whether the condition of this type is there and true.
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    find(conditions, type_).is_some_and(|c| c.status == "True")
}

fn cut(message: &str) -> String {
    if message.len() <= MAX_MESSAGE_BYTES {
        return message.into();
    }
    let end = message.floor_char_boundary(MAX_MESSAGE_BYTES - CUT_MARK.len());
    format!("{}{CUT_MARK}", &message[..end])
}
