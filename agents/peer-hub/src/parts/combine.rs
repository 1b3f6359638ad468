//! What a voter said about the parts of a patch, as one ballot.
//!
//! The first of these that applies is the verdict:
//! 1. a part was rejected: `Reject`, with the highest severity among the rejected parts. A fault is where it is, however
//!    good the rest;
//! 2. a part was not judged (see [`Fault`]): `Abstain`, naming it. What was not seen is not approved;
//! 3. a part was approved, and no opinion is held on the others: `Approve`, with the highest severity among the approved;
//! 4. no opinion on any part: `Abstain`.
//!
//! Confidence is the lowest, and evidence the union, of the parts that gave the verdict, not of the others: a quote that
//! supports an approval must not carry a veto. The order in which parts are answered changes nothing.

use crate::material::cut;
use golden_consensus::{Evidence, Severity, Verdict};
use std::collections::BTreeMap;

/// Most pieces of evidence of one ballot. Verified ones are kept first.
const MAX_EVIDENCE: usize = 32;
/// Longest rationale of one ballot, in bytes.
const MAX_RATIONALE: usize = 4096;

/// What a voter said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) verdict: Verdict,
    pub(crate) severity: Severity,
    /// Percent.
    pub(crate) confidence: u8,
    /// Checked against the judged tree.
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) rationale: String,
}

/// Why a question has no vote for an answer. Each is an abstention that begins with the fault's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the answer could not be read, also when asked again: {0}")]
    Malformed(String),
    #[error(
        "the answer repeats a word that the voter was told to keep to itself, so that the material may have steered it"
    )]
    CanaryLeaked,
    #[error("there was no answer: {0}")]
    NotAnswered(String),
    #[error(
        "the patch needs more than {parts} questions of {room} tokens; let the task be done in smaller steps"
    )]
    PatchTooLarge { parts: usize, room: usize },
    #[error(
        "the model's window of {window} tokens has no room for a part of the patch; name a model with a larger one in \
         the policy's review.voters[].modelRef"
    )]
    WindowTooSmall { window: usize },
}

impl Fault {
    /// Its name in ballots and metrics.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "Malformed",
            Self::CanaryLeaked => "CanaryLeaked",
            Self::NotAnswered(_) => "NotAnswered",
            Self::PatchTooLarge { .. } => "PatchTooLarge",
            Self::WindowTooSmall { .. } => "WindowTooSmall",
        }
    }

    /// The abstention that it comes to.
    pub(crate) fn abstention(&self) -> Said {
        abstention(cut(&format!("{}: {self}", self.name()), MAX_RATIONALE).to_owned())
    }
}

/// What came of one part's question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    /// The files of the part, in words.
    pub(crate) about: String,
    pub(crate) vote: Result<Said, Fault>,
}

/// One ballot of what was heard, by part, of `of` parts. A part that is missing counts as not answered in time.
pub(crate) fn combine(heard: &BTreeMap<usize, Heard>, of: usize) -> Said {
    if let (1, Some(only)) = (of, heard.get(&0)) {
        return only.vote.clone().unwrap_or_else(|fault| fault.abstention());
    }
    let voted = |verdict| votes(heard, verdict);
    let failed = failures(heard, of);
    if let Some(said) = united(Verdict::Reject, &voted(Verdict::Reject), of) {
        return Said { rationale: joined(std::iter::once(said.rationale).chain(failed)), ..said };
    }
    if !failed.is_empty() {
        return abstention(joined(failed));
    }
    united(Verdict::Approve, &voted(Verdict::Approve), of)
        .or_else(|| united(Verdict::Abstain, &voted(Verdict::Abstain), of))
        .unwrap_or_else(|| abstention("there was nothing to judge".to_owned()))
}

fn votes(heard: &BTreeMap<usize, Heard>, verdict: Verdict) -> Vec<(usize, &Heard, &Said)> {
    let votes = heard.iter().filter_map(|(part, heard)| Some((*part, heard, heard.vote.as_ref().ok()?)));
    votes.filter(|(_, _, said)| said.verdict == verdict).collect()
}

/// A line for each part that was not judged.
fn failures(heard: &BTreeMap<usize, Heard>, of: usize) -> Vec<String> {
    let line = |part: usize| match heard.get(&part) {
        Some(Heard { vote: Ok(_), .. }) => None,
        Some(Heard { about, vote: Err(fault) }) => {
            Some(format!("{}: part {} of {of} ({about}): {fault}", fault.name(), part + 1))
        }
        None => Some(format!("NotAnswered: part {} of {of}: no answer before the review closed", part + 1)),
    };
    (0..of).filter_map(line).collect()
}

fn united(verdict: Verdict, votes: &[(usize, &Heard, &Said)], of: usize) -> Option<Said> {
    let severity = votes.iter().map(|(_, _, said)| said.severity).max()?;
    let confidence = votes.iter().map(|(_, _, said)| said.confidence).min()?;
    let mut evidence: Vec<Evidence> = votes.iter().flat_map(|(_, _, said)| said.evidence.clone()).collect();
    let key = |e: &Evidence| (!e.verified, e.file.clone(), e.start_line, e.end_line, e.quote.clone());
    evidence.sort_by_key(key);
    evidence.dedup();
    evidence.truncate(MAX_EVIDENCE);
    let line = |(part, heard, said): &(usize, &Heard, &Said)| {
        format!("part {} of {of} ({}): {}", part + 1, heard.about, said.rationale)
    };
    Some(Said { verdict, severity, confidence, evidence, rationale: joined(votes.iter().map(line)) })
}

fn abstention(rationale: String) -> Said {
    Said { verdict: Verdict::Abstain, severity: Severity::Info, confidence: 0, evidence: vec![], rationale }
}

/// Lines, each cut so that all have a place.
fn joined(lines: impl IntoIterator<Item = String>) -> String {
    let lines: Vec<String> = lines.into_iter().collect();
    let each = MAX_RATIONALE / lines.len().max(1);
    let lines: Vec<&str> = lines.iter().map(|line| cut(line, each.saturating_sub(1))).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(verdict: Verdict, severity: Severity, confidence: u8, evidence: &[(&str, bool)]) -> Said {
        let evidence = evidence
            .iter()
            .map(|(file, verified)| Evidence {
                file: (*file).into(),
                start_line: 1,
                end_line: 1,
                quote: "q".into(),
                verified: *verified,
            })
            .collect();
        Said { verdict, severity, confidence, evidence, rationale: format!("{verdict:?} it") }
    }

    fn all(votes: Vec<Result<Said, Fault>>) -> (BTreeMap<usize, Heard>, usize) {
        let of = votes.len();
        let heard = votes.into_iter().enumerate();
        (heard.map(|(n, vote)| (n, Heard { about: format!("f{n}"), vote })).collect(), of)
    }

    fn of(votes: Vec<Result<Said, Fault>>) -> Said {
        let (heard, of) = all(votes);
        combine(&heard, of)
    }

    use Severity::{Blocker, Info, Major, Minor};
    use Verdict::{Abstain, Approve, Reject};

    #[test]
    fn one_part_is_what_was_said_about_it() {
        let vote = said(Reject, Major, 70, &[("a", true)]);
        assert_eq!(of(vec![Ok(vote.clone())]), vote);
        assert_eq!(of(vec![Err(Fault::CanaryLeaked)]).verdict, Abstain);
        assert!(of(vec![Err(Fault::CanaryLeaked)]).rationale.starts_with("CanaryLeaked: "));
    }

    #[test]
    fn a_rejected_part_rejects_the_whole_with_its_own_severity_confidence_and_evidence() {
        let ballot = of(vec![
            Ok(said(Approve, Blocker, 10, &[("b", true)])),
            Ok(said(Reject, Minor, 80, &[("a", false)])),
            Ok(said(Reject, Major, 60, &[("a", false)])),
            Err(Fault::NotAnswered("503".into())),
        ]);
        assert_eq!((ballot.verdict, ballot.severity, ballot.confidence), (Reject, Major, 60));
        assert_eq!(ballot.evidence.len(), 1);
        assert!(!ballot.evidence[0].verified, "an approving part's quote does not carry the rejection");
        assert!(ballot.rationale.contains("part 2 of 4 (f1): Reject it"), "{}", ballot.rationale);
        assert!(ballot.rationale.contains("NotAnswered: part 4 of 4 (f3)"), "{}", ballot.rationale);
    }

    #[test]
    fn what_was_not_judged_is_not_approved() {
        let approve = || Ok(said(Approve, Info, 90, &[]));
        let ballot = of(vec![approve(), Err(Fault::Malformed("no JSON object".into()))]);
        assert_eq!((ballot.verdict, ballot.confidence), (Abstain, 0));
        assert!(ballot.rationale.starts_with("Malformed: part 2 of 2 (f1): "), "{}", ballot.rationale);
        let (mut heard, of) = all(vec![approve(), approve()]);
        heard.remove(&1);
        let ballot = combine(&heard, of);
        assert_eq!(ballot.verdict, Abstain);
        assert!(ballot.rationale.contains("part 2 of 2"), "{}", ballot.rationale);
    }

    #[test]
    fn approval_needs_one_part_approved_and_none_against() {
        let ballot = of(vec![Ok(said(Approve, Info, 90, &[])), Ok(said(Abstain, Info, 5, &[("a", true)]))]);
        assert_eq!((ballot.verdict, ballot.confidence, ballot.evidence.len()), (Approve, 90, 0));
        assert_eq!(
            of(vec![Ok(said(Abstain, Info, 5, &[])), Ok(said(Abstain, Info, 9, &[]))]).verdict,
            Abstain
        );
    }

    fn vote() -> impl Strategy<Value = Result<Said, Fault>> {
        let verdict = prop_oneof![Just(Approve), Just(Reject), Just(Abstain)];
        let severity = prop_oneof![Just(Info), Just(Minor), Just(Major), Just(Blocker)];
        let evidence = prop::collection::vec(("[a-d]", any::<bool>()), 0..4);
        let good = (verdict, severity, 0..=100_u8, evidence).prop_map(
            |(verdict, severity, confidence, evidence)| {
                let evidence: Vec<(&str, bool)> = evidence.iter().map(|(f, v)| (f.as_str(), *v)).collect();
                Ok(said(verdict, severity, confidence, &evidence))
            },
        );
        prop_oneof![4 => good, 1 => Just(Err(Fault::CanaryLeaked))]
    }

    /// All of a ballot but its words, which name the parts by their numbers.
    fn judgement(ballot: &Said) -> (Verdict, Severity, u8, Vec<Evidence>) {
        (ballot.verdict, ballot.severity, ballot.confidence, ballot.evidence.clone())
    }

    proptest! {
        #[test]
        fn the_order_of_parts_changes_nothing(votes in prop::collection::vec(vote(), 2..8), turn in 0..8_usize) {
            let mut turned = votes.clone();
            turned.rotate_left(turn % votes.len());
            prop_assert_eq!(judgement(&of(votes.clone())), judgement(&of(turned)));
            let mut reversed = votes.clone();
            reversed.reverse();
            prop_assert_eq!(judgement(&of(votes)), judgement(&of(reversed)));
        }

        #[test]
        fn a_part_said_again_changes_nothing(votes in prop::collection::vec(vote(), 2..8), which in 0..8_usize) {
            let mut doubled = votes.clone();
            doubled.push(votes[which % votes.len()].clone());
            prop_assert_eq!(judgement(&of(votes)), judgement(&of(doubled)));
        }

        #[test]
        fn no_part_against_or_unheard_is_outweighed(votes in prop::collection::vec(vote(), 1..8)) {
            let against = votes.iter().any(|v| v.as_ref().is_ok_and(|s| s.verdict == Reject));
            let unheard = votes.iter().any(Result::is_err);
            let ballot = of(votes);
            prop_assert_eq!(ballot.verdict == Reject, against);
            prop_assert!(!(unheard && ballot.verdict == Approve));
            prop_assert!(ballot.rationale.len() <= MAX_RATIONALE && ballot.evidence.len() <= MAX_EVIDENCE);
        }
    }
}
