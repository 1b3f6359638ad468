//! One voter's judgement of one digest.

use serde::{Deserialize, Deserializer, Serialize};

/// A ballot. It binds the digest it judged and counts for no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ballot {
    /// Who voted; one ballot per voter and digest counts, in whatever role.
    pub voter: String,
    /// The role whose weight the ballot carries.
    pub role: String,
    /// The model that judged, for the record and for rules of independence; a `provider/` may stand before it.
    #[serde(default)]
    pub model: String,
    /// Every name of every model that really answered, fallbacks included, each as `namespace/provider/name`: the one in
    /// its ModelProvider, and the one it is sent under where that is another. Sorted, without duplicates, two at most for
    /// each call. Empty where the gateway did not say, as in records of earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answered_by: Vec<String>,
    pub verdict: Verdict,
    #[serde(default)]
    pub severity: Severity,
    /// Percent, 0 to 100. A number written with a decimal point is read as a share (`0.9` is 90).
    /// Kept for people; it does not change the weight.
    #[serde(default, deserialize_with = "percent")]
    pub confidence: u8,
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    #[serde(default)]
    pub rationale: String,
    /// Digest of what was judged.
    #[serde(default)]
    pub digest: String,
    /// The round it was cast in, from 1. A voter's ballot of a later round replaces the earlier one.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub round: u32,
    /// Seconds of the review's clock when it came; without it, it is in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cast_after_seconds: Option<u32>,
}

fn first() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_first(round: &u32) -> bool {
    *round == 1
}

impl Ballot {
    /// The models that may have judged: the one it is said to be of, and all that answered.
    pub(crate) fn models(&self) -> impl Iterator<Item = &str> {
        let answered = self.answered_by.iter().map(String::as_str);
        std::iter::once(self.model.as_str()).chain(answered).filter(|name| !name.trim().is_empty())
    }

    /// Whether at least one piece of its evidence was found to be true.
    pub fn has_verified_evidence(&self) -> bool {
        self.evidence.iter().any(|e| e.verified)
    }
}

/// What a voter says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verdict {
    Approve,
    Reject,
    /// Present without an opinion: counts towards the quorum, not towards the shares.
    Abstain,
}

impl Verdict {
    /// The opposite opinion; an abstention has none.
    pub fn opposite(self) -> Option<Self> {
        match self {
            Self::Approve => Some(Self::Reject),
            Self::Reject => Some(Self::Approve),
            Self::Abstain => None,
        }
    }
}

/// How bad the worst finding is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    #[default]
    Info,
    Minor,
    Major,
    Blocker,
}

/// A place in what was judged, with its words.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Evidence {
    /// Path relative to the tree.
    pub file: String,
    /// First line, from 1.
    pub start_line: u32,
    /// Last line, inclusive.
    pub end_line: u32,
    pub quote: String,
    /// Set by Golden, never by the voter, once the place exists and the quote matches.
    pub verified: bool,
}

/// Reads `90` and `0.9` alike; refuses anything outside the range.
fn percent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    let refuse = || serde::de::Error::custom(format!("confidence {number} is outside 0 to 100 percent"));
    if let Some(whole) = number.as_u64() {
        return u8::try_from(whole).ok().filter(|p| *p <= 100).ok_or_else(refuse);
    }
    let share = number.as_f64().filter(|s| (0.0..=1.0).contains(s)).ok_or_else(refuse)?;
    (0..=100u8).find(|p| f64::from(*p) + 0.5 > share * 100.0).ok_or_else(refuse)
}
