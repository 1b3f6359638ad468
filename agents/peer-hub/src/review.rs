//! One voter of one review: asked, read, mended once, checked.

use crate::ask::{Gateway, Voice};
use crate::ballot::{Said, parse};
use crate::decision::Voter;
use crate::evidence::{Files, verify};
use crate::prompt::{Asked, prompt};
use crate::store::{Kept, Round};
use golden_consensus::{Ballot, Severity, Verdict};
use golden_platform::wire::ReviewRequest;

/// Longest answer kept as it came, in bytes.
const MAX_RAW: usize = 64 * 1024;

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
        let asked = prompt(&voter.role, &voter.name, self.round.attempt, self.request);
        let raw = self.gateway.ask(&self.voice(voter, ""), &asked).await?;
        let fault = match parse(&raw) {
            Ok(said) => return Ok(self.kept(voter, &asked, said, &raw)),
            Err(fault) => fault,
        };
        tracing::info!(voter = voter.name, %fault, "a ballot could not be read; the voter may mend it");
        let mended = asked.repaired(clip(&raw), &fault.to_string());
        let raw = self.gateway.ask(&self.voice(voter, "/repair"), &mended).await?;
        let said = parse(&raw).unwrap_or_else(|fault| Said {
            verdict: Verdict::Abstain,
            severity: Severity::Info,
            confidence: 0,
            evidence: vec![],
            rationale: format!("Malformed twice, counted as an abstention: {fault}"),
        });
        Ok(self.kept(voter, &mended, said, &raw))
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
        };
        Kept { ballot, raw: clip(raw).to_owned(), prompt_digest: asked.digest() }
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
