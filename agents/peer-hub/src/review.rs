//! One voter of one review: asked about each part of the change, read, mended once, checked.

use crate::ask::{Answered, Gateway, Voice};
use crate::ballot::parse;
use crate::decision::Voter;
use crate::evidence::{Files, verify};
use crate::material::cut;
use crate::metrics::Metrics;
use crate::parts::{Fault, Heard, Said, combine};
use crate::prompt::Seat;
use crate::question::{Asked, Subject, questions};
use crate::store::{Kept, Round};
use futures::StreamExt as _;
use golden_consensus::{Ballot, Evidence};
use golden_output::{Place, Repair, Step, Vote};
use golden_platform::consumer::Slot;
use golden_platform::tree::digest;
use golden_platform::wire::{ModelBinding, VOTER_CALLS};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// Longest answer kept as it came, in bytes; of several parts each has its share.
const MAX_RAW: usize = 64 * 1024;

/// What is kept of one answer's evidence: so many places, and bytes of each name and quote.
const KEPT_EVIDENCE: usize = 16;
const KEPT_PATH: usize = 1024;
const KEPT_QUOTE: usize = 2048;

/// How often a voter may mend a ballot that cannot be read. Each time is a paid call with an operation of its own.
const MENDS: u32 = VOTER_CALLS - 1;

/// Parts that one voter is asked about at the same time.
const AT_ONCE: usize = 4;

/// What a voter's question needs.
pub(crate) struct Question<'a> {
    pub(crate) gateway: &'a Gateway,
    pub(crate) metrics: &'a Metrics,
    pub(crate) round: &'a Round,
    pub(crate) subject: &'a Subject<'a>,
    /// The review's place among those that are worked on at once.
    pub(crate) slot: &'a Slot,
}

/// What one voter is asked and has answered so far. It may be read at any time: a review that closes counts what was
/// said until then.
pub(crate) struct Hearing {
    voter: Voter,
    asked: Result<Vec<Asked>, Fault>,
    answers: Mutex<BTreeMap<usize, Answer>>,
}

/// What came of one part.
struct Answer {
    raw: String,
    /// Names of the models that answered about it, also where their answers could not be read.
    by: BTreeSet<String>,
    heard: Heard,
}

impl Question<'_> {
    pub(crate) fn open(&self, voter: &Voter) -> Hearing {
        let seat = Seat {
            role: &voter.role,
            voter: &voter.name,
            attempt: self.round.attempt,
            round: self.round.number,
            objections: !self.subject.dissent.is_empty(),
        };
        let window = self.model(voter).and_then(|m| m.context_window);
        let asked = questions(self.subject, &seat, window);
        Hearing { voter: voter.clone(), asked, answers: Mutex::default() }
    }

    /// Asks until every part is answered, or will not be.
    pub(crate) async fn hear(&self, hearing: &Hearing) {
        let asked = hearing.asked.as_deref().unwrap_or_default();
        let parts = futures::stream::iter(asked.iter().enumerate());
        parts
            .for_each_concurrent(AT_ONCE, async |(part, asked)| {
                let mut by = BTreeSet::new();
                let (raw, vote) = self.part(&hearing.voter, part, asked.clone(), &mut by).await;
                let vote = vote.inspect_err(|fault| self.note(hearing, fault));
                let answer = Answer { raw, by, heard: Heard { about: asked.about.clone(), vote } };
                hearing.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(part, answer);
            })
            .await;
        if let Err(fault) = &hearing.asked {
            self.note(hearing, fault);
        }
    }

    fn note(&self, hearing: &Hearing, fault: &Fault) {
        tracing::warn!(task = %self.round.task, voter = hearing.voter.name, fault = fault.name(), "{fault}");
        self.metrics.faults.with_label_values(&[fault.name()]).inc();
    }

    /// What the voter answered about a part, and what it comes to; `by` takes in which models answered.
    async fn part(
        &self,
        voter: &Voter,
        part: usize,
        mut asked: Asked,
        by: &mut BTreeSet<String>,
    ) -> (String, Result<Said, Fault>) {
        let (mut repair, mut step) = (Repair::new(MENDS), "");
        loop {
            let raw = match self.gateway.ask(&self.voice(voter, part, step), &asked).await {
                Ok(Answered { text, by: names }) => {
                    by.extend(names);
                    text
                }
                Err(why) => return (String::new(), Err(Fault::NotAnswered(why))),
            };
            if asked.words.leaked(&raw) {
                return (raw, Err(Fault::CanaryLeaked));
            }
            match repair.answered(parse(&raw)) {
                // Letters may be escaped in what came, and others read them as they are.
                Step::Accepted(vote) if asked.words.leaked(&told(&vote)) => {
                    return (raw, Err(Fault::CanaryLeaked));
                }
                Step::Accepted(vote) => return (raw, Ok(self.checked(vote))),
                Step::GivenUp { reason } => return (raw, Err(Fault::Malformed(reason))),
                Step::AskAgain { message } => {
                    tracing::info!(
                        voter = voter.name,
                        fault = message,
                        "a ballot could not be read; the voter may mend it"
                    );
                    asked = asked.repaired(&raw, &message);
                    step = "/repair";
                }
            }
        }
    }

    /// The first part has the operation that a whole patch has.
    fn voice(&self, voter: &Voter, part: usize, step: &str) -> Voice {
        let part = if part == 0 { String::new() } else { format!("/part-{}", part + 1) };
        let (attempt, round) = (self.round.attempt, self.round.number);
        Voice {
            team: self.round.team,
            task: self.round.task,
            attempt,
            role: format!("voter:{}", voter.role),
            operation: format!("review/{attempt}/{round}/{}{part}{step}", voter.name),
        }
    }

    fn checked(&self, vote: Vote) -> Said {
        Said {
            verdict: vote.verdict,
            severity: vote.severity,
            confidence: vote.confidence.percent(),
            evidence: kept(self.subject.files, vote.evidence),
            rationale: vote.rationale,
        }
    }

    fn model(&self, voter: &Voter) -> Option<&ModelBinding> {
        self.subject.request.models.get(&format!("voter:{}", voter.role))
    }

    /// The voter's ballot from what was answered so far; or why it has none, if nothing was.
    pub(crate) fn ballot(&self, hearing: &Hearing) -> Result<Kept, String> {
        let answers = hearing.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let (said, prompt_digest) = match &hearing.asked {
            // Nothing was asked.
            Err(fault) => (fault.abstention(), digest(b"")),
            Ok(asked) => {
                if let Some(why) = unanswered(&answers) {
                    return Err(why);
                }
                let heard = answers.iter().map(|(part, answer)| (*part, answer.heard.clone())).collect();
                (combine(&heard, asked.len()), prompts(asked))
            }
        };
        let of = hearing.asked.as_ref().map_or(0, Vec::len);
        let voter = &hearing.voter;
        let ballot = Ballot {
            voter: voter.name.clone(),
            role: voter.role.clone(),
            model: self.model(voter).map(ModelBinding::full_name).unwrap_or_default(),
            answered_by: answered_by(&answers),
            verdict: said.verdict,
            severity: said.severity,
            confidence: said.confidence,
            evidence: said.evidence.iter().map(without_nul).collect(),
            rationale: storable(&said.rationale),
            digest: self.round.digest.clone(),
            round: 1,
            cast_after_seconds: None,
        };
        Ok(Kept { ballot, raw: raw(&answers, of), prompt_digest })
    }
}

/// All that a vote says in words.
fn told(vote: &Vote) -> String {
    let places = vote.evidence.iter().flat_map(|place| [place.file.as_str(), "\n", &place.quote, "\n"]);
    places.chain([vote.rationale.as_str()]).collect()
}

/// What is kept of a vote's evidence: what is true first, and of long names and quotes their beginnings. A quote was
/// looked for as a whole.
fn kept(files: &Files, evidence: Vec<Place>) -> Vec<Evidence> {
    let mut all: Vec<Evidence> = evidence.into_iter().map(|place| verify(files, place.into())).collect();
    all.sort_by_key(|evidence| !evidence.verified);
    all.truncate(KEPT_EVIDENCE);
    for Evidence { file, quote, .. } in &mut all {
        file.truncate(file.floor_char_boundary(KEPT_PATH));
        quote.truncate(quote.floor_char_boundary(KEPT_QUOTE));
    }
    all
}

/// Postgres takes no NUL, neither in text nor in JSON: a model that says one would hold up its review for ever.
fn storable(said: &str) -> String {
    said.replace('\0', "\u{fffd}")
}

fn without_nul(evidence: &Evidence) -> Evidence {
    let Evidence { file, quote, .. } = evidence;
    Evidence { file: storable(file), quote: storable(quote), ..*evidence }
}

/// The models that answered, of all parts.
fn answered_by(answers: &BTreeMap<usize, Answer>) -> Vec<String> {
    let names: BTreeSet<String> = answers.values().flat_map(|answer| answer.by.iter().cloned()).collect();
    names.into_iter().collect()
}

/// Why nothing at all was answered, if so: such a voter is absent, not undecided.
fn unanswered(answers: &BTreeMap<usize, Answer>) -> Option<String> {
    let mut why = "no answer before the review closed".to_owned();
    for answer in answers.values() {
        match &answer.heard.vote {
            Err(Fault::NotAnswered(fault)) => why.clone_from(fault),
            _ => return None,
        }
    }
    Some(why)
}

/// Digest of the one prompt, or of the list of the parts'.
fn prompts(asked: &[Asked]) -> String {
    let digests: Vec<String> = asked.iter().map(Asked::digest).collect();
    match digests.as_slice() {
        [one] => one.clone(),
        _ => digest(digests.join("\n").as_bytes()),
    }
}

/// The answer as it came; of several parts each under a line that names it.
fn raw(answers: &BTreeMap<usize, Answer>, of: usize) -> String {
    let each = MAX_RAW / of.max(1);
    if let (1, Some(only)) = (of, answers.values().next()) {
        return cut(&only.raw, each).to_owned();
    }
    let one = |(part, answer): (&usize, &Answer)| {
        format!("== part {} of {of}\n{}\n", part + 1, cut(&answer.raw, each))
    };
    answers.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Words;
    use serde_json::json;

    fn place(file: &str, quote: &str) -> Place {
        Place { file: file.into(), start_line: 1, end_line: 1, quote: quote.into() }
    }

    #[test]
    fn a_canary_told_in_escapes_is_told() {
        let words = Words::of(uuid::Uuid::from_u128(1), "security", 0);
        let escaped = words.canary.bytes().map(|byte| format!("\\u{byte:04x}")).collect::<Vec<_>>().concat();
        for field in ["rationale", "quote"] {
            let answer = json!({"verdict": "Approve", "confidence": 90, "rationale": if field == "rationale" { "W" } else { "r" },
                "evidence": [{"file": "a", "startLine": 1, "endLine": 1, "quote": if field == "quote" { "W" } else { "q" }}]});
            let raw = answer.to_string().replace("\"W\"", &format!("\"{escaped}\""));
            assert!(!words.leaked(&raw));
            assert!(words.leaked(&told(&parse(&raw).unwrap())), "{field}");
        }
    }

    #[test]
    fn of_much_evidence_what_is_true_is_kept() {
        let files: Files = [("a.py".to_owned(), format!("{}\nos.system(text)\n", "x".repeat(5000)))].into();
        let mut said = vec![place(&"p".repeat(3000), "not there"); 20];
        said.extend([place("a.py", "os.system(text)"), place("a.py", &"x".repeat(5000))]);
        let kept = kept(&files, said);
        let sizes: Vec<_> = kept.iter().map(|e| (e.verified, e.file.len(), e.quote.len())).collect();
        assert_eq!(sizes[..3], [(true, 4, 15), (true, 4, KEPT_QUOTE), (false, KEPT_PATH, 9)]);
        assert_eq!(kept.len(), KEPT_EVIDENCE);
    }
}
