//! Delivery: the approved digest goes out, whatever happens. No way back from here.

use super::reasons::{self, APPROVED_ENTRY, bounded, documented};
use super::state::{Delivered, Delivery, OutcomeKind, Stage, Why};
use super::step::{Work, after};
use golden_consensus::GuardsCleared;
use golden_platform::wire::{DesiredKind, JobResult};
use serde_json::json;

/// Seconds a delivery may go on after its task was deleted.
const GIVE_UP_SECONDS: i64 = 300;
const MAX_MESSAGE_BYTES: usize = 1024;

impl Work<'_> {
    /// The only way into delivery: with the proof that the guards passed on this very digest.
    pub(super) fn begin_delivery(&mut self, cleared: &GuardsCleared, approvers: Vec<String>) {
        let Some(approval) = self.s.approval.as_mut().filter(|a| a.digest == cleared.subject()) else {
            return;
        };
        approval.approvers = approvers;
        let approval = approval.clone();
        let review = self.s.review.as_ref();
        self.record(
            APPROVED_ENTRY,
            json!({
                "attempt": self.s.attempt, "digest": approval.digest, "basis": approval.basis,
                "approvers": approval.approvers, "needed": self.s.produced.as_ref().map(|p| &p.needed),
                "guardsPassed": cleared.passed(), "review": review.and_then(|r| r.verdict),
                "tally": review.and_then(|r| r.tally), "usage": self.s.usage,
            }),
        );
        self.s.delivery = Some(Delivery {
            digest: approval.digest,
            approved_at: self.now,
            // Filled when the entry above is chained.
            record: String::new(),
            give_up: None,
            delivered: None,
        });
        self.s.stage = Stage::Delivering;
    }

    pub(super) fn deliver(&mut self) {
        let Some(delivery) = &self.s.delivery else { return };
        if self.task.branch().is_none() {
            let message = format!("the approved result {} is in the artifact store", delivery.digest);
            return self.end(OutcomeKind::Complete, reasons::DELIVERED, &message);
        }
        if let Some(result) = self.s.job.take() {
            return self.delivery_ended(result);
        }
        if self.gives_up() {
            let message = "the AgentTask was deleted while its result was delivered, and nothing was heard of that since";
            return self.end(OutcomeKind::Cancelled, reasons::DELETING, message);
        }
        if let Some(ended) = self.ended_without_result() {
            let message =
                if ended.message.is_empty() { "the pod ended without a result" } else { &ended.message };
            self.lose_try(&Why::new(&documented(&ended.reason, reasons::NODE_LOST), message));
        }
        self.run_pod(DesiredKind::DeliveryPod);
    }

    /// Whether a delivery whose task was deleted had its time.
    fn gives_up(&mut self) -> bool {
        let (deleted, at) = (self.s.deleted, after(self.now, GIVE_UP_SECONDS));
        let Some(delivery) = self.s.delivery.as_mut().filter(|_| deleted) else { return false };
        *delivery.give_up.get_or_insert(at) <= self.now
    }

    fn delivery_ended(&mut self, result: JobResult) {
        match result {
            JobResult::Delivered { branch, commit } => {
                let message = format!("commit {commit} was pushed to {branch}");
                self.record("Delivered", json!({"branch": branch, "commit": commit}));
                if let Some(delivery) = self.s.delivery.as_mut() {
                    delivery.delivered = Some(Delivered { branch, commit });
                }
                self.end(OutcomeKind::Complete, reasons::DELIVERED, &message);
            }
            JobResult::Failed { reason, message, retryable } => {
                let fallback = if retryable { reasons::GIT_UNREACHABLE } else { reasons::DELIVERY_REFUSED };
                let why = Why::new(&documented(&reason, fallback), bounded(&message, MAX_MESSAGE_BYTES));
                let Some(first) = super::attempt::pause(&why, retryable) else {
                    return self.fail(&why.reason, &why.message);
                };
                if self.s.deleted {
                    // With the object its Secret may be gone, and nobody is left to mend it.
                    let message =
                        format!("the AgentTask was deleted and its delivery failed: {}", why.message);
                    self.end(OutcomeKind::Cancelled, reasons::DELETING, &message);
                } else {
                    self.retry_later(why, first);
                    self.run_pod(DesiredKind::DeliveryPod);
                }
            }
            JobResult::Fetched { .. } => {}
        }
    }
}
