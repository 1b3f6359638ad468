//! How many attempts a task may have, where that is another number than it was. The last one is another one: nobody is asked
//! about its going in circles, no other attempt can be asked for, and the task fails where it is sent back.

use super::course::{Attempt, Course};
use crate::merged::MergedPolicy;

/// The least and the most it can be, as far as the record says what the task itself asked for.
#[derive(Clone, Copy)]
struct Most(u32, u32);

/// What is known to be otherwise after an attempt.
pub(super) enum Otherwise {
    Nothing,
    /// It would have been the last one, by this policy.
    IsLast(String),
    /// It was the last one, and others may have followed.
    MoreMayFollow,
    /// The record does not say whether it would have been the last one.
    Unknown,
}

pub(super) struct Ceiling {
    was: Most,
    now: Most,
    /// The policy that sets it now.
    origin: String,
}

impl Most {
    /// Whether the attempt of this number is the last one.
    fn is_last(self, number: u32) -> Option<bool> {
        let Self(least, most) = self;
        if number < least {
            return Some(false);
        }
        (number >= most).then_some(true)
    }
}

impl Ceiling {
    /// None where the policies leave it as it was.
    pub(super) fn of(course: &Course, after: &MergedPolicy) -> Option<Self> {
        let set = |policy: &MergedPolicy| policy.max_attempts.as_ref().map(|most| most.value);
        let (before, now) = (&course.merged, set(after));
        if set(before) == now {
            return None;
        }
        let made = course.attempts.iter().map(|attempt| attempt.number).max().unwrap_or(1);
        // What the task asked for is known where no policy had lowered it.
        let (least, most) = match course.max_attempts {
            Some(recorded) if set(before).is_none_or(|set| recorded < set) => (recorded, recorded),
            Some(recorded) => (recorded, u32::MAX),
            None => (made, u32::MAX),
        };
        let under = |policy: &MergedPolicy| Most(policy.max_attempts(least), policy.max_attempts(most));
        let was = course.max_attempts.map_or_else(|| under(before), |recorded| Most(recorded, recorded));
        let origin = after.max_attempts.as_ref().map(|most| most.origin.clone()).unwrap_or_default();
        Some(Self { was, now: under(after), origin })
    }

    pub(super) fn after(&self, attempt: &Attempt, course: &Course) -> Otherwise {
        let went_on = course.attempts.iter().any(|later| later.number > attempt.number);
        let was = if went_on { Some(false) } else { self.was.is_last(attempt.number) };
        match (was, self.now.is_last(attempt.number)) {
            (Some(was), Some(now)) if was == now => Otherwise::Nothing,
            (Some(false), Some(true)) => Otherwise::IsLast(self.origin.clone()),
            (Some(true), _) => Otherwise::MoreMayFollow,
            _ => Otherwise::Unknown,
        }
    }
}
