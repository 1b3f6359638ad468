//! What people and the world outside want of the task: dependencies, suspension, cancellation, deadline, the end.

use super::command::{Command, EscalationEnd};
use super::reasons::{self, bounded};
use super::state::{Base, Outcome, OutcomeKind, Stage, Why};
use super::step::Work;
use golden_crds::agent_task::{DesiredState, TaskLimits};
use serde_json::json;
use uuid::Uuid;

/// Longest message of a condition that is kept in the state, in bytes.
const MAX_MESSAGE_BYTES: usize = 2048;

impl Work<'_> {
    pub(super) fn dependency_ended(&mut self, uid: Uuid, outcome: &str) {
        let Some(at) = self.s.waiting_for.iter().position(|d| d.uid == uid) else {
            return self.ignore("it does not wait for that task");
        };
        let name = self.s.waiting_for[at].name.clone();
        if outcome == OutcomeKind::Complete.as_str() {
            self.s.waiting_for.remove(at);
        } else {
            let message =
                format!("dependency {name} ended as {outcome}; submit both again once its cause is mended");
            self.s.broken_dependency = Some(Why::new(reasons::DEPENDENCY_FAILED, message));
        }
        self.record("DependencyEnded", json!({"name": name, "uid": uid, "outcome": outcome}));
    }

    pub(super) fn inline_base(&mut self, result: &Result<String, Why>) {
        if self.s.base.is_some() || self.task.spec.source.inline.is_none() {
            return self.ignore("the base is known");
        }
        match result {
            Ok(tree) => self.set_base(tree.clone(), None),
            Err(why) => self.fail(&why.reason, &why.message),
        }
    }

    /// A message that no stream takes. Asked again it would be the same message, so a task that waits for its answer
    /// ends here and not after its patience. A question to a person is in the database and needs no message.
    pub(super) fn dead_lettered(&mut self, attempt: u32, id: &str, why: &str) {
        let why = bounded(why, MAX_MESSAGE_BYTES);
        self.record("DeadLettered", json!({"message": id, "attempt": attempt, "why": why}));
        let waits = matches!(self.s.stage, Stage::Guarding | Stage::Reviewing) && attempt == self.s.attempt;
        if waits {
            self.fail(
                reasons::DEAD_LETTERED,
                &format!("{why}; it is kept among the dead letters (golden dlq list)"),
            );
        }
    }

    pub(super) fn set_base(&mut self, tree: String, commit: Option<String>) {
        self.record("Prepared", json!({"tree": tree, "commit": commit}));
        self.s.base = Some(Base { tree, commit });
    }

    pub(super) fn spec_changed(
        &mut self,
        generation: i64,
        desired: DesiredState,
        limits: Option<&TaskLimits>,
    ) {
        if generation <= self.s.generation {
            return self.ignore("a newer spec is known");
        }
        self.s.generation = generation;
        if limits.is_some() {
            self.s.limits = limits.cloned();
        }
        // Cancelled is terminal, whatever a later spec says.
        self.s.cancelled |= desired == DesiredState::Cancelled;
        self.s.suspended = desired == DesiredState::Suspended;
        if self.s.suspended {
            self.pause_review();
        } else {
            self.continue_if_nothing_waits();
        }
        self.record(
            "SpecChanged",
            json!({"generation": generation, "desiredState": desired, "limits": limits}),
        );
    }

    /// Ends the task if something from outside asks for it. Once delivery began nothing does.
    pub(super) fn must_end(&mut self) -> bool {
        if self.s.stage == Stage::Delivering {
            return false;
        }
        if self.s.deleted {
            self.end(OutcomeKind::Cancelled, reasons::DELETING, "the AgentTask was deleted");
        } else if self.s.cancelled {
            self.end(OutcomeKind::Cancelled, reasons::CANCELLED, "spec.desiredState was set to Cancelled");
        } else if let Some(why) = self.s.broken_dependency.clone() {
            self.fail(&why.reason, &why.message);
        } else if self.now >= self.s.deadline {
            let message = format!(
                "the task did not end within {} seconds; it was at stage {}",
                self.task.spec.deadline_seconds,
                self.s.stage.as_str()
            );
            self.fail(reasons::DEADLINE_EXCEEDED, &message);
        } else if let Some(why) = self.fatal_budget() {
            self.fail(&why.reason, &why.message);
        }
        self.s.outcome.is_some()
    }

    pub(super) fn fail(&mut self, reason: &str, message: &str) {
        self.keep_best();
        self.end(OutcomeKind::Failed, reason, message);
    }

    /// The end: nothing is wanted any more, no question stays open.
    pub(super) fn end(&mut self, kind: OutcomeKind, reason: &str, message: &str) {
        self.drop_pod();
        self.forget_saved();
        self.close_escalation(EscalationEnd::Withdrawn);
        let message = bounded(message, MAX_MESSAGE_BYTES);
        let delivered = self.s.delivery.as_ref().and_then(|d| d.delivered.clone());
        let digest = self.s.delivery.as_ref().map(|d| d.digest.clone());
        self.record(
            "Ended",
            json!({
                "outcome": kind, "reason": reason, "message": message, "attempt": self.s.attempt,
                "digest": digest, "delivered": delivered, "usage": self.s.usage,
                "bestAttempt": self.s.best.as_ref().filter(|_| kind == OutcomeKind::Failed),
            }),
        );
        self.s.outcome = Some(Outcome { kind, reason: reason.to_owned(), message, at: self.now });
        self.s.stage = Stage::Ended;
        self.s.slot = false;
        self.s.held.clear();
        self.s.resumed.clear();
        self.s.stuck.clear();
        self.s.trouble = None;
        self.s.finish = None;
        self.s.job = None;
    }

    /// Closes the open question. One that was answered is closed as such by whoever acts on the answer.
    pub(super) fn close_escalation(&mut self, end: EscalationEnd) {
        let Some(open) = self.s.escalation.take() else { return };
        let (chosen, by) = open.choice.map_or((None, None), |c| (Some(c.option), c.by));
        self.commands.push(Command::CloseEscalation { id: open.id, end, chosen, by });
    }
}
