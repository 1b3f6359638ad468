//! What people decide: escalations and approvals. Each answer is bound to the digest it was given on; nobody
//! accepts their own work; nobody accepts what a required guard failed.

use super::advance::OVERDUE_SECONDS;
use super::command::{Command, EscalationEnd};
use super::names::{escalation_id, message_id};
use super::reasons::{self, bounded};
use super::state::{Approval, Choice, Escalation, Judge, Stage, Why};
use super::step::{Work, after};
use golden_crds::decision::{ACCEPT, REJECT, RETRY, Verdict};
use golden_governance::{Answer, AnswerVerdict, ApprovalState, NeededApproval, approvals_met};
use golden_platform::wire::{EscalationRaised, Message, PersonDecision};
use serde_json::{Value, json};
use uuid::Uuid;

/// Decisions about one task that are looked at; more are ignored.
const MAX_DECISIONS: usize = 512;
/// Answers kept for one digest.
const MAX_ANSWERS: usize = 64;
const MAX_NOTE_BYTES: usize = 4096;

/// Peers judged the result and did not accept it: they are not asked about the very same one again until they do.
const NOT_ACCEPTED: [&str; 3] = [reasons::REVIEW_TIED, reasons::VETOED, reasons::VETO_UNVERIFIED];

impl Work<'_> {
    /// Asks a person. The turn is given up meanwhile.
    pub(super) fn escalate(&mut self, why: &Why, evidence: &Value, feedback: &str, may_accept: bool) {
        let Some(digest) = self.s.produced.as_ref().map(|p| p.tree.clone()) else { return };
        let attempt = self.s.attempt;
        let mut options = vec![];
        if may_accept {
            options.push(ACCEPT.to_owned());
        }
        options.push(REJECT.to_owned());
        if attempt < self.task.max_attempts() {
            options.push(RETRY.to_owned());
        }
        let asked = after(self.now, self.task.policy.escalation.deadline_seconds.value);
        let escalation = Escalation {
            id: escalation_id(self.task.uid, attempt, &why.reason),
            reason: why.reason.clone(),
            message: why.message.clone(),
            digest: digest.clone(),
            options: options.clone(),
            // The task's own deadline comes first where it is nearer: a question must not promise more time.
            deadline: asked.min(self.s.deadline),
            default_option: REJECT.to_owned(),
            evidence: super::evidence::in_short(evidence),
            feedback: bounded(feedback, super::feedback::MAX_FEEDBACK_BYTES),
            choice: None,
        };
        let raised = EscalationRaised {
            escalation_id: escalation.id,
            reason: why.reason.clone(),
            evidence: json!({"message": why.message, "evidence": evidence}),
            options,
            owner: self.task.spec.team_ref.name.clone(),
            digest,
            deadline: escalation.deadline.to_string(),
            default_option: escalation.default_option.clone(),
        };
        self.record("EscalationRaised", json!(raised));
        self.commands.push(Command::RaiseEscalation { attempt, raised: Box::new(raised.clone()) });
        let id = message_id(self.task.uid, attempt, &format!("escalation/{}", why.reason));
        self.publish(id, Message::EscalationRaised(Box::new(raised)));
        self.s.escalation = Some(escalation);
        self.s.stage = Stage::Escalated;
        self.s.slot = false;
    }

    /// A Decision object: taken, refused with a reason, or known.
    pub(super) fn decided(&mut self, decision: &PersonDecision) {
        if self.s.decisions.contains(&decision.decision_uid) || self.s.decisions.len() >= MAX_DECISIONS {
            return self.ignore("that decision is known");
        }
        self.s.decisions.insert(decision.decision_uid);
        let verdict = self.weigh(decision);
        let (kind, refused) = match verdict {
            Ok(()) => ("DecisionTaken", None),
            Err(why) => ("DecisionRefused", Some(why)),
        };
        self.record(
            kind,
            json!({
                "decision": decision.name, "decisionUid": decision.decision_uid, "by": decision.decided_by,
                "verdict": decision.verdict, "option": decision.option, "digest": decision.digest,
                "note": decision.note.as_deref().map(|n| bounded(n, MAX_NOTE_BYTES)), "refused": refused,
            }),
        );
    }

    fn weigh(&mut self, decision: &PersonDecision) -> Result<(), &'static str> {
        if decision.decided_by.is_empty() {
            return Err("it names nobody");
        }
        if self.s.produced.as_ref().is_none_or(|p| p.tree != decision.digest) {
            return Err("it is about another digest than the present one");
        }
        let asked = self.s.escalation.as_ref().filter(|e| e.choice.is_none());
        if self.s.stage != Stage::Escalated {
            return self.answer(decision);
        }
        if asked.is_some_and(|e| !decision.question.is_empty() && decision.question != e.id.to_string()) {
            return Err("it answers an earlier question about the same digest");
        }
        let offered = asked.map_or(&[][..], |e| e.options.as_slice());
        let option = decision.verdict.chooses(decision.option.as_deref(), offered);
        if !offered.iter().any(|o| o == option) {
            return Err("it is none of the options that are open");
        }
        if option == ACCEPT {
            self.may_accept(decision)?;
        }
        let choice = Choice {
            option: option.to_owned(),
            by: Some(decision.decided_by.clone()),
            note: decision.note.as_deref().map(|n| bounded(n, MAX_NOTE_BYTES)),
        };
        if let Some(verdict) = Verdict::of_result(option) {
            self.s.answers.push(PersonDecision { verdict, ..decision.clone() });
        }
        let Some(escalation) = self.s.escalation.as_mut() else { return Ok(()) };
        if self.s.suspended {
            // It is acted on when the task goes on; until then nobody must take the question for overdue.
            self.commands.push(Command::CloseEscalation {
                id: escalation.id,
                end: EscalationEnd::Resolved,
                chosen: Some(choice.option.clone()),
                by: choice.by.clone(),
            });
        }
        escalation.choice = Some(choice);
        Ok(())
    }

    /// An answer about the present digest that nobody was asked for by an escalation: an approval or a denial.
    fn answer(&mut self, decision: &PersonDecision) -> Result<(), &'static str> {
        if !matches!(self.s.stage, Stage::Guarding | Stage::Reviewing | Stage::Approving) {
            return Err("nothing is asked now");
        }
        match decision.verdict {
            Verdict::Approve => self.may_accept(decision)?,
            Verdict::Deny => {}
            Verdict::Option => return Err("no escalation with options is open"),
        }
        if self.s.answers.len() >= MAX_ANSWERS {
            return Err("there are too many answers already");
        }
        self.s.answers.push(decision.clone());
        Ok(())
    }

    fn may_accept(&self, decision: &PersonDecision) -> Result<(), &'static str> {
        if decision.decided_by == self.task.submitted_by {
            return Err("who submitted the work cannot accept it");
        }
        let failed = self.s.guards.iter().any(|(name, guard)| guard.failed() && self.is_required(name));
        if failed || (self.s.stage != Stage::Guarding && self.cleared().is_err()) {
            return Err("a required guard did not pass, and no person can outweigh that");
        }
        Ok(())
    }

    pub(super) fn defaulted(&mut self, id: Uuid, option: &str) {
        let open = self.s.escalation.as_mut().filter(|e| e.id == id && e.choice.is_none());
        let Some(escalation) = open.filter(|e| e.default_option == option) else {
            return self.ignore("that question is not open");
        };
        escalation.choice = Some(Choice { option: option.to_owned(), by: None, note: None });
        self.record("EscalationDefaulted", json!({"escalationId": id, "option": option}));
    }

    /// Acts on the answer, or takes the default when it is long overdue.
    pub(super) fn escalated(&mut self) {
        let Some(escalation) = self.s.escalation.clone() else { return };
        let Some(choice) = escalation.choice.clone() else {
            if self.now >= after(escalation.deadline, OVERDUE_SECONDS) {
                let option = escalation.default_option.clone();
                self.defaulted(escalation.id, &option);
                self.escalated();
            }
            return;
        };
        let end = if choice.by.is_some() { EscalationEnd::Resolved } else { EscalationEnd::Defaulted };
        self.close_escalation(end);
        let by = choice.by.as_deref().unwrap_or("nobody");
        match choice.option.as_str() {
            ACCEPT => match self.cleared() {
                Ok(_) => self.accept(reasons::ESCALATION_APPROVED),
                // Checked when the answer was taken; a verdict cannot change since.
                Err(blocked) => self.guards_failed(&blocked),
            },
            RETRY => {
                if NOT_ACCEPTED.contains(&escalation.reason.as_str()) {
                    self.sent_back(Judge::Peers, None);
                }
                self.s.setbacks.iter_mut().for_each(|setback| setback.answered = true);
                let note = choice.note.unwrap_or_default();
                let text = super::feedback::with_note(&escalation.feedback, by, &note);
                let why = Why::new(
                    &escalation.reason,
                    format!("{}; {by} asked for another attempt", escalation.message),
                );
                self.next_attempt(why, &text, Some(escalation.digest));
            }
            _ if choice.by.is_none() => {
                let message =
                    format!("nobody answered before {}: {}", escalation.deadline, escalation.message);
                self.fail(reasons::ESCALATION_EXPIRED, &message);
            }
            _ => {
                let message = format!("{by} decided against the result: {}", escalation.message);
                self.fail(reasons::ESCALATION_DENIED, &message);
            }
        }
    }

    /// The result is accepted, by peers or by a person; approvals may still be needed.
    pub(super) fn accept(&mut self, basis: &str) {
        let Some(produced) = &self.s.produced else { return };
        let approval = Approval {
            digest: produced.tree.clone(),
            basis: basis.to_owned(),
            approvers: vec![],
            asked: !produced.needed.is_empty(),
        };
        self.s.approval = Some(approval);
        self.s.stage = Stage::Approving;
    }

    /// The approvals that are needed and whether they are there. A denial stands even where none is needed.
    pub(super) fn approvals(&self) -> ApprovalState {
        let none: Vec<NeededApproval> = vec![];
        let (needed, digest) = self.s.produced.as_ref().map_or((&none, ""), |p| (&p.needed, p.tree.as_str()));
        let answers: Vec<Answer<'_>> = self
            .s
            .answers
            .iter()
            .map(|a| Answer {
                name: &a.name,
                decided_by: &a.decided_by,
                verdict: match a.verdict {
                    Verdict::Approve => AnswerVerdict::Approve,
                    Verdict::Deny | Verdict::Option => AnswerVerdict::Deny,
                },
                digest: &a.digest,
            })
            .collect();
        approvals_met(needed, &self.task.submitted_by, digest, &answers).0
    }

    pub(super) fn approve(&mut self) {
        match self.approvals() {
            ApprovalState::Met { approvers } => match self.cleared() {
                Ok(cleared) => self.begin_delivery(&cleared, approvers),
                Err(blocked) => self.guards_failed(&blocked),
            },
            ApprovalState::Denied { by, decision } => {
                self.fail(
                    reasons::APPROVAL_DENIED,
                    &format!("{by} denied the approval (decision {decision})"),
                );
            }
            ApprovalState::Waiting { .. } => self.s.slot = false,
        }
    }
}
