//! One voter of one review: asked, read, mended once, checked.

use crate::ask::{Gateway, Voice};
use crate::ballot::parse;
use crate::decision::Voter;
use crate::evidence::{Files, verify};
use crate::prompt::{Asked, prompt};
use crate::store::{Kept, Round};
use golden_consensus::{Ballot, Evidence, Severity, Verdict};
use golden_output::{Repair, Step, Vote};
use golden_platform::wire::{ReviewRequest, VOTER_CALLS};

/// Longest answer kept as it came, in bytes.
const MAX_RAW: usize = 64 * 1024;

/// How often a voter may mend a ballot that cannot be read. Each time is a paid call with an operation of its own.
const MENDS: u32 = VOTER_CALLS - 1;

/// What a voter said, or counts as having said.
struct Said {
    verdict: Verdict,
    severity: Severity,
    confidence: u8,
    evidence: Vec<Evidence>,
    rationale: String,
}

impl From<Vote> for Said {
    fn from(vote: Vote) -> Self {
        Self {
            verdict: vote.verdict,
            severity: vote.severity,
            confidence: vote.confidence.percent(),
            evidence: vote.evidence.into_iter().map(Evidence::from).collect(),
            rationale: vote.rationale,
        }
    }
}

/// What a voter's question needs.
pub(crate) struct Question<'a> {
    pub(crate) gateway: &'a Gateway,
    pub(crate) round: &'a Round,
    pub(crate) request: &'a ReviewRequest,
    pub(crate) files: &'a Files,
}

impl Question<'_> {
    /// The voter's ballot, or why there is none.
    pub(crate) async fn ask(&self, voter: &Voter) -> Result<Kept, String> {
        let mut asked = prompt(&voter.role, &voter.name, self.round.attempt, self.request);
        let (mut repair, mut step) = (Repair::new(MENDS), "");
        loop {
            let raw = self.gateway.ask(&self.voice(voter, step), &asked).await?;
            match repair.answered(parse(&raw)) {
                Step::Accepted(vote) => return Ok(self.kept(voter, &asked, vote.into(), &raw)),
                Step::GivenUp { reason } => return Ok(self.kept(voter, &asked, malformed(&reason), &raw)),
                Step::AskAgain { message } => {
                    tracing::info!(
                        voter = voter.name,
                        fault = message,
                        "a ballot could not be read; the voter may mend it"
                    );
                    asked = asked.repaired(clip(&raw), &message);
                    step = "/repair";
                }
            }
        }
    }

    fn voice(&self, voter: &Voter, step: &str) -> Voice {
        Voice {
            team: self.round.team,
            task: self.round.task,
            attempt: self.round.attempt,
            role: format!("voter:{}", voter.role),
            operation: format!("review/{}/{}/{}{step}", self.round.attempt, self.round.number, voter.name),
        }
    }

    fn kept(&self, voter: &Voter, asked: &Asked, said: Said, raw: &str) -> Kept {
        let said = if raw.contains(&asked.canary) { steered() } else { said };
        let model = self.request.models.get(&format!("voter:{}", voter.role));
        let ballot = Ballot {
            voter: voter.name.clone(),
            role: voter.role.clone(),
            model: model.map(|m| format!("{}/{}", m.provider, m.model)).unwrap_or_default(),
            verdict: said.verdict,
            severity: said.severity,
            confidence: said.confidence,
            evidence: said.evidence.into_iter().map(|e| verify(self.files, e)).collect(),
            rationale: said.rationale,
            digest: self.round.digest.clone(),
            round: 1,
            cast_after_seconds: None,
        };
        Kept { ballot, raw: clip(raw).to_owned(), prompt_digest: asked.digest() }
    }
}

/// A voter that could not make itself understood has no opinion.
fn malformed(fault: &str) -> Said {
    Said {
        verdict: Verdict::Abstain,
        severity: Severity::Info,
        confidence: 0,
        evidence: vec![],
        rationale: format!("Malformed twice, counted as an abstention: {fault}"),
    }
}

/// A voter that tells the canary follows the material. Its approval would be the attacker's; a rejection is
/// the safe reading, and of a voter with a veto it goes to a person.
fn steered() -> Said {
    Said {
        verdict: Verdict::Reject,
        severity: Severity::Blocker,
        confidence: 100,
        evidence: vec![],
        rationale: "The answer repeats a word that the voter was told to keep: the material steered it. \
                    Counted as a rejection."
            .to_owned(),
    }
}

fn clip(text: &str) -> &str {
    let mut end = text.len().min(MAX_RAW);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}
