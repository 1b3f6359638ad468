//! What a record says of a task's course, as far as decisions rest on it.

use super::ChangedPolicy;
use super::answers::Answers;
use super::people::people;
use super::rounds::Rounds;
use crate::merged::MergedPolicy;
use golden_consensus::{GuardVerdict, OutcomeKind};
use golden_crds::decision::Verdict;
use golden_record::{Entry, Export};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

/// Why a record cannot be decided again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    #[error("the record does not begin with an admission; it is of another version")]
    NoAdmission,
    #[error("entry {seq} ({kind}) cannot be read: {why}; the record is of another version")]
    Entry { seq: u64, kind: String, why: String },
}

/// A task from its admission on.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    /// Not in older records.
    pub(super) namespace_labels: Option<BTreeMap<String, String>>,
    pub(super) merged: MergedPolicy,
    /// The policies it was merged from; not in older records.
    pub(super) sources: Option<Vec<ChangedPolicy>>,
    /// `role:<role>` and `voter:<role>` with their models, by name alone.
    models: BTreeMap<String, String>,
    /// The author's model.
    pub(super) author: Option<String>,
    /// How many it could have at most, by its own wish and its policies.
    pub(super) max_attempts: Option<u32>,
    pub(super) attempts: Vec<Attempt>,
    /// Micro-USD, at the last entry that says so.
    pub(super) cost: i64,
    /// The reason of the task's end.
    ended: Option<String>,
}

/// One attempt: what was produced and how it was judged.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    pub(super) number: u32,
    /// Why it was refused before it was judged.
    pub(super) refused: Option<String>,
    /// What changed; not in older records, nor where it is too much.
    pub(super) paths: Option<Vec<String>>,
    pub(super) guards: BTreeMap<String, GuardVerdict>,
    /// In the order in which they were asked for.
    pub(super) rounds: Rounds,
    pub(super) escalations: u32,
    pub(super) answers: Answers,
    /// Where the result was accepted and not rejected after that: whether people had to approve it.
    pub(super) accepted: Option<bool>,
    /// Another attempt was to follow, or would have but for their number.
    pub(super) sent_back: bool,
    guards_cost: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Admitted {
    namespace: String,
    name: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    namespace_labels: Option<BTreeMap<String, String>>,
    policy: MergedPolicy,
    #[serde(default)]
    policy_sources: Option<Vec<ChangedPolicy>>,
    #[serde(default)]
    models: BTreeMap<String, Bound>,
    #[serde(default)]
    max_attempts: Option<u32>,
}

#[derive(Deserialize)]
struct Bound {
    model: String,
}

/// A person's answer.
#[derive(Deserialize)]
struct Answered {
    verdict: Verdict,
    #[serde(default)]
    option: Option<String>,
}

impl Attempt {
    /// What had been spent when so many rounds were decided; without any, when the guards had the result.
    pub(super) fn cost_after(&self, rounds: usize) -> i64 {
        self.rounds.decided().take(rounds).last().map_or(self.guards_cost, |review| review.cost)
    }
}

impl Course {
    pub(super) fn read(export: &Export) -> Result<Self, RecordFault> {
        let first = export.entries.first().filter(|entry| entry.kind == "Admitted");
        let first = first.ok_or(RecordFault::NoAdmission)?;
        let admitted: Admitted = read(first, &first.body)?;
        let models: BTreeMap<String, String> =
            admitted.models.into_iter().map(|(who, bound)| (who, bound.model)).collect();
        let mut course = Self {
            namespace: admitted.namespace,
            name: admitted.name,
            labels: admitted.labels,
            namespace_labels: admitted.namespace_labels,
            merged: admitted.policy,
            sources: admitted.policy_sources,
            author: models.get("role:developer").cloned(),
            models,
            max_attempts: admitted.max_attempts,
            attempts: vec![],
            cost: 0,
            ended: None,
        };
        for entry in &export.entries {
            course.take(entry)?;
        }
        Ok(course)
    }

    fn take(&mut self, entry: &Entry) -> Result<(), RecordFault> {
        let body = &entry.body;
        if let Some(cost) = body.pointer("/usage/costMicroUSD").and_then(Value::as_i64) {
            self.cost = cost;
        }
        let cost = self.cost;
        match entry.kind.as_str() {
            "Produced" => {
                let attempt = self.attempt(body);
                attempt.refused = text(body.pointer("/refused/reason"));
                attempt.paths = read(entry, &body["paths"])?;
                attempt.guards_cost = cost;
            }
            "GuardJudged" => {
                let verdict = read(entry, &body["verdict"])?;
                let name = text(body.get("guard")).unwrap_or_default();
                self.attempt(body).answers.judged();
                self.attempt(body).guards.insert(name, verdict);
            }
            "ReviewRequested" => {
                self.attempt(body).rounds.asked(entry.at.parse().ok(), body["beside"].is_number());
            }
            "Reviewed" => {
                let reviewed = read(entry, body)?;
                let attempt = self.attempt(body);
                attempt.answers.judged();
                attempt.rounds.decide(reviewed, entry.at.parse().ok(), cost);
            }
            "Ended" => self.ended = text(body.get("reason")),
            _ => self.take_from_people(entry)?,
        }
        Ok(())
    }

    /// Questions, answers, and what became of the result by them.
    fn take_from_people(&mut self, entry: &Entry) -> Result<(), RecordFault> {
        let body = &entry.body;
        match entry.kind.as_str() {
            "EscalationRaised" => {
                if let Some(attempt) = self.attempts.last_mut() {
                    attempt.escalations += 1;
                    attempt.answers.asked(body["reason"].as_str().unwrap_or_default());
                }
            }
            "DecisionTaken" => {
                let Answered { verdict, option } = read(entry, body)?;
                if let Some(attempt) = self.attempts.last_mut() {
                    attempt.answers.take(verdict.chooses(option.as_deref(), &[]));
                }
            }
            "EscalationDefaulted" => {
                if let Some(attempt) = self.attempts.last_mut() {
                    attempt.answers.take(body["option"].as_str().unwrap_or_default());
                }
            }
            "AttemptRejected" => {
                let attempt = self.attempt(body);
                attempt.accepted = None;
                attempt.sent_back = true;
            }
            "Approved" => {
                let asked = body["needed"].as_array().is_some_and(|needed| !needed.is_empty());
                self.attempt(body).accepted = Some(asked);
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether the additional reviewer was asked on an attempt before this one.
    pub(super) fn asked_before(&self, attempt: &Attempt) -> bool {
        self.attempts.iter().any(|a| a.number < attempt.number && a.rounds.iter().any(|round| round.beside))
    }

    /// The attempt an entry is about.
    fn attempt(&mut self, body: &Value) -> &mut Attempt {
        let number = body["attempt"].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or_default();
        let at = self.attempts.iter().position(|attempt| attempt.number == number).unwrap_or_else(|| {
            self.attempts.push(Attempt { number, ..Attempt::default() });
            self.attempts.len() - 1
        });
        &mut self.attempts[at]
    }

    /// The last judgement.
    pub(super) fn decision(&self) -> String {
        let Some(last) = self.attempts.last() else { return OutcomeKind::Undecided.as_str().to_owned() };
        if let Some(refused) = &last.refused {
            return refused.clone();
        }
        let stops = |name: &str| self.merged.quarantine(name).is_none();
        if last.guards.iter().any(|(name, verdict)| *verdict == GuardVerdict::Failed && stops(name)) {
            return OutcomeKind::GuardFailed.as_str().to_owned();
        }
        last.rounds.decided().last().map_or(OutcomeKind::Undecided, |review| review.kind).as_str().to_owned()
    }

    /// The model that judged for a role.
    pub(super) fn voter_model(&self, role: &str) -> Option<&str> {
        self.models.get(&format!("voter:{role}")).map(String::as_str)
    }

    /// Whether people had to approve a result that peers or a person had let pass, and did not until the task ended.
    fn waited_for_approval(&self, last: &Attempt) -> bool {
        let approved =
            last.rounds.decided().last().is_some_and(|review| review.kind == OutcomeKind::Approved);
        (approved || last.answers.let_pass())
            && last.accepted.is_none()
            && people(last, &self.merged).is_ok_and(|people| people > 0)
    }

    /// Whether the task had no attempt left.
    pub(super) fn is_exhausted(&self) -> bool {
        self.ended_with("AttemptsExhausted")
    }

    fn ended_with(&self, reason: &str) -> bool {
        self.ended.as_deref() == Some(reason)
    }

    /// Questions to people.
    pub(super) fn waits(&self) -> u32 {
        let approved = self.attempts.iter().any(|a| a.accepted == Some(true));
        let waited = self.attempts.last().is_some_and(|last| {
            let denied = self.ended_with("ApprovalDenied") && !last.answers.denied_early();
            denied || self.waited_for_approval(last)
        });
        self.attempts.iter().map(|a| a.escalations).sum::<u32>() + u32::from(approved || waited)
    }
}

fn read<T: DeserializeOwned>(entry: &Entry, value: &Value) -> Result<T, RecordFault> {
    T::deserialize(value).map_err(|why| RecordFault::Entry {
        seq: entry.seq,
        kind: entry.kind.clone(),
        why: why.to_string(),
    })
}

fn text(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).map(str::to_owned)
}
