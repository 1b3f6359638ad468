//! What makes two failures the same one.

use super::fold::fold;
use crate::fact::GuardFact;
use crate::parts::Parts;
use std::collections::BTreeSet;

/// The fingerprint of all guards that failed on one result; none if none did.
///
/// Of each guard its name, how its run ended, and the lines of its excerpt as [`fold`](super::fold) has them: their order
/// does not count, for tests run in any, and their number does, so that one finding less is another failure. One guard more
/// or fewer is another failure too.
pub fn failure_fingerprint<'a>(failed: impl IntoIterator<Item = &'a GuardFact>) -> Option<String> {
    let one: BTreeSet<String> = failed.into_iter().map(guard).collect();
    all("guards", &one)
}

fn guard(fact: &GuardFact) -> String {
    let mut lines: Vec<String> = fact.excerpt.lines().map(fold).filter(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    let mut parts = Parts::default();
    parts.add(&fact.guard);
    parts.add(&fact.reason);
    parts.add(fact.exit_code.map_or_else(String::new, |code| code.to_string()));
    parts.add_all(lines);
    parts.digest()
}

/// What an objection points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cited<'a> {
    /// Path of a file of the judged tree.
    pub file: &'a str,
    /// Words that stand in it.
    pub quote: &'a str,
}

/// The fingerprint of what a rejection points at; none if it points at nothing, since then it is not known whether
/// another one means the same.
///
/// Files and quotes, white space aside. Not what was said about them, which no two answers of a model say alike; not who
/// said it, nor how often; not line numbers, which move with every change above them.
pub fn objection_fingerprint<'a>(cited: impl IntoIterator<Item = Cited<'a>>) -> Option<String> {
    let one: BTreeSet<String> = cited.into_iter().filter_map(place).collect();
    all("peers", &one)
}

fn place(cited: Cited<'_>) -> Option<String> {
    let words: Vec<&str> = cited.quote.split_whitespace().collect();
    let mut parts = Parts::default();
    parts.add(cited.file);
    parts.add(words.join(" "));
    (!words.is_empty()).then(|| parts.digest())
}

fn all(kind: &str, fingerprints: &BTreeSet<String>) -> Option<String> {
    let mut parts = Parts::default();
    parts.add(kind);
    parts.add_all(fingerprints);
    (!fingerprints.is_empty()).then(|| parts.digest())
}
