//! What is kept of a result that was sent back: enough to see whether a later one got any further.

use serde::{Deserialize, Serialize};

/// A judged result that was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Setback {
    pub attempt: u32,
    pub by: Judge,
    pub tree: String,
    /// [`golden_guard::change_fingerprint`] of it; empty where that is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub change: String,
    /// [`golden_guard::failure_fingerprint`] or [`golden_guard::objection_fingerprint`]; absent where nothing tells one
    /// failure from another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// A person asked for another attempt since: guards may then look at the same result once more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answered: bool,
}

/// Who sent it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Judge {
    Guards,
    Peers,
}

impl Setback {
    /// Whether `later` stands where this one stood: the very same result, or the same failure of the same change.
    pub fn is_repeated_by(&self, later: &Self) -> bool {
        let same_change = !self.change.is_empty() && self.change == later.change;
        let same_failure = self.failure.is_some() && self.failure == later.failure;
        self.by == later.by && (self.tree == later.tree || (same_change && same_failure))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setback(by: Judge, tree: &str, change: &str, failure: Option<&str>) -> Setback {
        let failure = failure.map(str::to_owned);
        Setback { attempt: 1, by, tree: tree.into(), change: change.into(), failure, answered: false }
    }

    #[test]
    fn only_the_same_failure_of_the_same_change_is_standing_still() {
        let first = setback(Judge::Guards, "t1", "c1", Some("f1"));
        let later = [
            (setback(Judge::Guards, "t1", "c1", Some("f2")), true, "the very same result"),
            (setback(Judge::Guards, "t2", "c1", Some("f1")), true, "nothing but comments"),
            (setback(Judge::Guards, "t2", "c1", Some("f2")), false, "comments, and another failure"),
            (setback(Judge::Guards, "t2", "c2", Some("f1")), false, "another try, the same failure"),
            (setback(Judge::Guards, "t2", "c1", None), false, "nothing is known of the failure"),
            (setback(Judge::Peers, "t1", "c1", Some("f1")), false, "others judged it"),
        ];
        for (later, repeats, why) in later {
            assert_eq!(first.is_repeated_by(&later), repeats, "{why}");
            assert_eq!(later.is_repeated_by(&first), repeats, "{why}");
        }
        let unknown = setback(Judge::Peers, "t1", "", None);
        assert!(
            !unknown.is_repeated_by(&setback(Judge::Peers, "t2", "", None)),
            "what is not known is not equal"
        );
    }
}
