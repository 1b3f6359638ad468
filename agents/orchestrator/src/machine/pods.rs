//! Tries: pods made for the same piece of work, one at a time.
//!
//! A lost pod makes a new try, not an attempt. A pod that ended without a result is given a little time, since its
//! end and its result come by different ways.

use super::command::{Command, DesiredRow};
use super::names::pod_name;
use super::reasons::{self, bounded, documented};
use super::state::{Ended, PodSlot, Stage, Tries, Why};
use super::step::{Work, after};
use super::task::PRODUCER;
use golden_platform::wire::{DesiredKind, DesiredPod, PodOutcome, PodPhase};
use serde_json::json;

/// Pods that may be lost for one attempt or fetch.
pub(super) const MAX_LOST: u32 = 5;
/// Seconds a result may come after its pod's end.
pub(super) const GRACE_SECONDS: i64 = 15;
/// The longest pause between tries, in seconds.
const MAX_BACKOFF_SECONDS: i64 = 300;
/// Seconds a fetch or delivery may run.
const JOB_SECONDS: i64 = 900;
/// Exit code of the runner when the work was done but its result could not be handed over (EX_TEMPFAIL).
const UNDELIVERED: i32 = 75;
/// Exit codes from here on are the node's: the runner was killed by a signal, or went down with its sandbox. Whatever
/// happens to the agent itself, the runner survives it and says so.
const KILLED: i32 = 128;
const MAX_MESSAGE_BYTES: usize = 1024;

/// Doubling pauses.
pub(super) fn backoff(first: i64, repeats: u32) -> i64 {
    first.saturating_mul(1_i64 << repeats.min(20)).min(MAX_BACKOFF_SECONDS)
}

impl Work<'_> {
    pub(super) fn pod_observed(&mut self, seen: &PodOutcome) {
        let why = Why::new(
            &documented(&seen.reason, reasons::CONTAINER_START_FAILED),
            bounded(&seen.message, MAX_MESSAGE_BYTES),
        );
        let Some(pod) = self.s.pod.as_mut().filter(|p| p.name == seen.name && p.kind == seen.kind) else {
            return self.ignore("that pod is not wanted any more");
        };
        if pod.ended.is_some() {
            return self.ignore("that pod has ended");
        }
        match seen.phase {
            PodPhase::Created if pod.phase.is_some() => {}
            PodPhase::Created => pod.phase = Some(PodPhase::Created),
            PodPhase::Running => {
                pod.phase = Some(PodPhase::Running);
                pod.blocked = None;
            }
            PodPhase::Blocked if pod.phase == Some(PodPhase::Running) => {}
            PodPhase::Blocked => pod.blocked = Some(why),
            PodPhase::Succeeded | PodPhase::Failed => {
                pod.phase = Some(seen.phase);
                pod.blocked = None;
                pod.ended = Some(Ended {
                    at: self.now,
                    reason: seen.reason.clone(),
                    message: why.message,
                    exit_code: seen.exit_code,
                });
            }
            PodPhase::Lost => {
                let reason = documented(&seen.reason, reasons::NODE_LOST);
                self.lose_try(&Why::new(&reason, why.message));
            }
        }
    }

    /// Makes the pod the stage needs, unless there is one or a pause is on.
    pub(super) fn run_pod(&mut self, kind: DesiredKind) {
        let attempt = if kind == DesiredKind::FetchPod { 0 } else { self.s.attempt };
        if (self.s.tries.kind, self.s.tries.attempt) != (kind, attempt) || self.s.tries.made == 0 {
            self.drop_pod();
            self.s.tries = Tries::none(kind, attempt);
        }
        if self.s.pod.is_some() || self.is_pausing() {
            return;
        }
        self.s.tries.made += 1;
        self.s.tries.retry_at = None;
        let try_no = self.s.tries.made;
        let name = pod_name(self.task, kind, attempt, try_no);
        let spec = self.pod_spec(kind);
        self.record("TryStarted", json!({"pod": name, "kind": kind, "attempt": attempt, "try": try_no}));
        let slot = PodSlot {
            kind,
            name: name.clone(),
            attempt,
            r#try: try_no,
            phase: None,
            blocked: None,
            held_since: None,
            left: None,
            saving: None,
            unsaved: None,
            ended: None,
        };
        self.s.pod = Some(slot);
        self.commands.push(Command::Want(Box::new(DesiredRow { name, kind, attempt, r#try: try_no, spec })));
    }

    fn pod_spec(&self, kind: DesiredKind) -> DesiredPod {
        if kind != DesiredKind::AttemptPod {
            return DesiredPod {
                kind,
                role: None,
                agent: None,
                runtime_class_name: None,
                model: None,
                active_deadline_seconds: JOB_SECONDS,
            };
        }
        let left = self.s.deadline.duration_since(self.now).as_secs().max(1);
        DesiredPod {
            kind,
            role: Some(PRODUCER.to_owned()),
            agent: self.s.agent.clone(),
            runtime_class_name: Some(self.task.runtime_class().to_owned()),
            model: self.task.models.get(&format!("role:{PRODUCER}")).map(|m| m.model.clone()),
            active_deadline_seconds: left,
        }
    }

    /// The pod is not wanted any more, and neither are the calls it holds.
    pub(super) fn drop_pod(&mut self) {
        if self.release_pod() {
            self.forget_holds();
        }
    }

    /// The pod is not wanted any more, whatever its calls wait for. Whether there was one.
    pub(super) fn release_pod(&mut self) -> bool {
        let Some(pod) = self.s.pod.take() else { return false };
        self.commands.push(Command::Unwant { kind: pod.kind, name: pod.name });
        true
    }

    /// The pod is gone through no fault of the work: another one, after a pause.
    pub(super) fn lose_try(&mut self, why: &Why) {
        let Some(pod) = &self.s.pod else { return };
        let (name, kind, attempt, try_no) = (pod.name.clone(), pod.kind, pod.attempt, pod.r#try);
        self.record(
            "TryLost",
            json!({"pod": name, "attempt": attempt, "try": try_no, "reason": why.reason, "message": why.message}),
        );
        self.drop_pod();
        self.s.tries.lost += 1;
        let lost = self.s.tries.lost;
        // An approved result goes out however often its pod is lost.
        if lost >= MAX_LOST && kind != DesiredKind::DeliveryPod {
            let message = format!("{lost} pods were lost, the last with {}: {}", why.reason, why.message);
            return self.fail(reasons::TRIES_EXHAUSTED, &message);
        }
        self.s.tries.retry_at = Some(after(self.now, backoff(1, lost)));
        self.s.tries.trouble = Some(why.clone());
    }

    /// The pod did its part but the world did not: another one, after a pause of `first` seconds that grows, without
    /// bound but the task's deadline. A turn is given up meanwhile.
    pub(super) fn retry_later(&mut self, why: Why, first: i64) {
        self.record(
            "TryFailed",
            json!({"reason": why.reason, "message": why.message, "try": self.s.tries.made}),
        );
        self.drop_pod();
        let pause = backoff(first, self.s.tries.failures);
        self.s.tries.failures += 1;
        self.s.slot = false;
        self.s.tries.retry_at = Some(after(self.now, pause));
        self.s.tries.trouble = Some(why);
    }

    /// Whether the next pod waits for its time.
    pub(super) fn is_pausing(&self) -> bool {
        self.s.pod.is_none() && self.s.tries.retry_at.is_some_and(|at| at > self.now)
    }

    /// The end of the pod, once its result had time to come.
    pub(super) fn ended_without_result(&self) -> Option<Ended> {
        let ended = self.s.pod.as_ref()?.ended.as_ref()?;
        (self.now >= after(ended.at, GRACE_SECONDS)).then(|| ended.clone())
    }

    /// Whether an end without a result says nothing about the agent: the pod never ran it, could not hand over its
    /// result, or was killed from outside.
    pub(super) fn is_lost(ended: &Ended) -> bool {
        match (ended.reason.as_str(), ended.exit_code) {
            ("DeadlineExceeded" | "OOMKilled" | "AgentTimedOut" | "AgentOutOfMemory", _) => false,
            (_, code) => code.is_none_or(|code| code == UNDELIVERED || code >= KILLED),
        }
    }

    /// Whether the newest try of the present stage is this one. It still is while the next one pauses.
    pub(super) fn is_newest(&self, attempt: u32, try_no: u32) -> bool {
        self.s.stage == Stage::Producing
            && self.s.tries.kind == DesiredKind::AttemptPod
            && (self.s.tries.attempt, self.s.tries.made) == (attempt, try_no)
            && attempt == self.s.attempt
    }
}
