//! Guards' facts, and the token that says all required guards passed.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What one guard found. A fact, not an opinion: it has no weight and cannot be outvoted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GuardFact {
    pub guard: String,
    pub verdict: GuardVerdict,
    /// Whether approval needs this guard; yes unless said otherwise.
    #[serde(default = "yes")]
    pub required: bool,
    /// Digest of what was examined; absent where the caller passes only facts about the subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

fn yes() -> bool {
    true
}

/// What a guard can say. A run that could not be judged (no image, no isolation) yields no fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum GuardVerdict {
    Passed,
    Failed,
}

/// Proof that every required guard passed on the subject. Only [`clear`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardsCleared {
    // Shared, since every hypothetical approval holds one too.
    passed: Arc<[String]>,
    subject: Arc<str>,
}

impl GuardsCleared {
    /// The required guards that passed, sorted.
    pub fn passed(&self) -> &[String] {
        &self.passed
    }

    /// The digest they passed on.
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

/// The required guards that stand in the way, each list sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardsBlocked {
    pub failed: Vec<String>,
    /// Without a fact about this subject.
    pub missing: Vec<String>,
}

/// Clears the guards or says which stand in the way.
///
/// Required are the named ones and those whose fact says so. A guard with facts both ways failed; a fact
/// about another digest is no fact about this one.
pub fn clear(
    required: &[String],
    facts: &[GuardFact],
    subject: &str,
) -> Result<GuardsCleared, GuardsBlocked> {
    let mut names: BTreeSet<&str> = required.iter().map(String::as_str).collect();
    names.extend(facts.iter().filter(|f| f.required).map(|f| f.guard.as_str()));
    let (mut passed, mut failed, mut missing) = (vec![], vec![], vec![]);
    for name in names {
        let mut verdicts =
            facts.iter().filter(|f| f.guard == name && concerns(f, subject)).map(|f| f.verdict);
        match verdicts.next() {
            None => missing.push(name.to_owned()),
            Some(GuardVerdict::Failed) => failed.push(name.to_owned()),
            Some(GuardVerdict::Passed) if verdicts.any(|v| v == GuardVerdict::Failed) => {
                failed.push(name.to_owned());
            }
            Some(GuardVerdict::Passed) => passed.push(name.to_owned()),
        }
    }
    if failed.is_empty() && missing.is_empty() {
        Ok(GuardsCleared { passed: passed.into(), subject: subject.into() })
    } else {
        Err(GuardsBlocked { failed, missing })
    }
}

fn concerns(fact: &GuardFact, subject: &str) -> bool {
    fact.digest.as_deref().is_none_or(|d| d == subject)
}
