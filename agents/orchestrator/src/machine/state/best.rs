//! The best of the attempts that were judged and not accepted: what is worth a person's look when a task fails.

use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

/// What an attempt came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BestAttempt {
    pub attempt: u32,
    pub tree: String,
    pub patch: String,
    /// Required guards that did not pass on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_guards: Vec<String>,
    /// Weight of the ballots for it; 0 where no peer was asked.
    pub approve_weight: u64,
}

impl BestAttempt {
    /// The better of two: guards that all passed, then weight of approval, then fewer guards that failed. Of equal ones
    /// the later, which had more to go by.
    pub fn of(before: Option<Self>, now: Self) -> Self {
        match before {
            Some(before) if before.rank() > now.rank() => before,
            _ => now,
        }
    }

    fn rank(&self) -> (bool, u64, Reverse<usize>) {
        (self.failed_guards.is_empty(), self.approve_weight, Reverse(self.failed_guards.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(attempt: u32, failed: &[&str], approve_weight: u64) -> BestAttempt {
        BestAttempt {
            attempt,
            tree: format!("tree-{attempt}"),
            patch: String::new(),
            failed_guards: failed.iter().map(|g| (*g).to_owned()).collect(),
            approve_weight,
        }
    }

    fn best(attempts: &[BestAttempt]) -> u32 {
        attempts.iter().cloned().fold(None, |best, now| Some(BestAttempt::of(best, now))).unwrap().attempt
    }

    #[test]
    fn guards_come_before_votes_and_votes_before_the_number_of_failures() {
        let two = attempt(1, &["a", "b"], 0);
        let one = attempt(2, &["a"], 0);
        let refused = attempt(3, &[], 0);
        let liked = attempt(4, &[], 3);
        assert_eq!(best(&[two.clone(), one.clone()]), 2);
        assert_eq!(best(&[one.clone(), two.clone()]), 2);
        assert_eq!(
            best(&[refused.clone(), one.clone()]),
            3,
            "a result that only peers refused passed all guards"
        );
        assert_eq!(best(&[liked.clone(), refused.clone(), one, two]), 4);
        assert_eq!(best(&[refused, attempt(5, &[], 0)]), 5, "of equal ones the later");
    }
}
