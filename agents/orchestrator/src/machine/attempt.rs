//! Attempts: the source is prepared, an agent works, and what it leaves is taken in or handed back with reasons.

use super::event::AttemptEnded;
use super::feedback;
use super::reasons::{self, bounded, documented};
use super::state::{BestAttempt, Ended, Finish, OutcomeKind, Produced, Stage, Why};
use super::step::Work;
use golden_governance::needed_approvals;
use golden_platform::wire::{DesiredKind, JobResult};
use serde_json::json;

/// Longest last words of an agent that are kept, in bytes.
const MAX_SUMMARY_BYTES: usize = 4096;
const MAX_MESSAGE_BYTES: usize = 1024;
/// Changed paths that are kept in the record, in bytes of all together.
const MAX_PATHS_BYTES: usize = 65_536;

impl Work<'_> {
    /// Fetches the source. An inline one is stored by the engine, without a pod.
    pub(super) fn prepare(&mut self) {
        match self.s.job.take() {
            Some(JobResult::Fetched { commit, tree }) if self.s.base.is_none() => {
                self.set_base(tree, Some(commit));
            }
            Some(JobResult::Failed { reason, message, retryable }) => {
                let why = Why::new(
                    &documented(&reason, reasons::GIT_UNREACHABLE),
                    bounded(&message, MAX_MESSAGE_BYTES),
                );
                match pause(&why, retryable) {
                    Some(first) => self.retry_later(why, first),
                    None => self.fail(&why.reason, &why.message),
                }
                return;
            }
            _ => {}
        }
        if self.s.base.is_some() {
            self.drop_pod();
            // The first attempt begins where a resumed one would: at the end of the waiting.
            self.s.stage = Stage::Waiting;
            return;
        }
        if let Some(ended) = self.ended_without_result() {
            self.lose_try(&pod_why(&ended, reasons::NODE_LOST));
        } else if self.is_pausing() {
            // The turn is asked for again when the pause is over.
        } else if !self.needs_turn() && self.task.spec.source.git.is_some() {
            self.run_pod(DesiredKind::FetchPod);
        }
    }

    pub(super) fn job_ended(&mut self, pod: &str, result: &JobResult) {
        let (tries, stage) = (&self.s.tries, self.stage_pod());
        let newest = super::names::pod_name(self.task, tries.kind, tries.attempt, tries.made);
        if stage != Some(tries.kind) || tries.made == 0 || pod != newest {
            return self.ignore("that job is not the newest one");
        }
        let fits = match result {
            JobResult::Fetched { .. } => tries.kind == DesiredKind::FetchPod,
            JobResult::Delivered { .. } => tries.kind == DesiredKind::DeliveryPod,
            JobResult::Failed { .. } => true,
        };
        // A failure whose pause is on was acted on.
        if !fits || self.s.job.is_some() || (self.s.pod.is_none() && self.s.tries.retry_at.is_some()) {
            return self.ignore("that job has been taken in");
        }
        self.s.job = Some(result.clone());
    }

    /// Takes in what the newest try left; judged when the work goes on.
    pub(super) fn attempt_ended(&mut self, ended: &AttemptEnded) {
        let result = &ended.result;
        if !self.is_newest(result.attempt, result.r#try) || self.s.finish.is_some() {
            return self.ignore("that result is not of the newest try, or is known");
        }
        let (produced, failure) = match &ended.produced {
            None => (None, Some(agent_failed(result.agent_exit_code, "left no workspace"))),
            Some(Err(why)) => (None, Some(why.clone())),
            Some(Ok(tree)) => {
                let produced = Produced {
                    tree: tree.tree.clone(),
                    patch: tree.patch.clone(),
                    change: tree.change.clone(),
                    changed: u32::try_from(tree.changed_paths.len()).unwrap_or(u32::MAX),
                    needed: needed_approvals(&self.task.policy, &tree.changed_paths),
                    guard_trees: tree.guard_trees.clone(),
                };
                let unchanged = self.s.base.as_ref().is_some_and(|b| b.tree == produced.tree);
                let failure = if result.agent_exit_code != 0 {
                    Some(agent_failed(result.agent_exit_code, "gave up"))
                } else if unchanged {
                    Some(Why::new(reasons::NO_CHANGE, "the agent ended without any change to the workspace"))
                } else {
                    None
                };
                (Some(produced), failure)
            }
        };
        let summary = bounded(&result.summary, MAX_SUMMARY_BYTES);
        self.record(
            "Produced",
            json!({
                "attempt": result.attempt, "try": result.r#try, "exitCode": result.agent_exit_code,
                "tree": produced.as_ref().map(|p| &p.tree), "patch": produced.as_ref().map(|p| &p.patch),
                "change": produced.as_ref().map(|p| &p.change),
                "changedPaths": produced.as_ref().map(|p| p.changed), "paths": paths(ended), "summary": summary,
                "transcript": result.transcript, "refused": failure, "start": self.s.start, "usage": self.s.usage,
            }),
        );
        self.s.finish = Some(Finish { exit_code: result.agent_exit_code, produced, failure, summary });
    }

    /// An agent works on the attempt, or its work is judged.
    pub(super) fn produce(&mut self) {
        if let Some(finish) = self.s.finish.take() {
            return self.judge(finish);
        }
        if let Some(ended) = self.ended_without_result() {
            return self.ended_empty(&ended);
        }
        if self.s.freed.is_none() && !self.needs_turn() {
            self.run_pod(DesiredKind::AttemptPod);
        }
    }

    /// A pod ended and no result came: the agent's failure if it ran, a lost pod if it did not.
    fn ended_empty(&mut self, ended: &Ended) {
        if Self::is_lost(ended) {
            return self.lose_try(&pod_why(ended, reasons::NODE_LOST));
        }
        let code = ended.exit_code.unwrap_or(-1);
        let failure = match ended.reason.as_str() {
            "OOMKilled" | "AgentOutOfMemory" => Why::new(
                reasons::AGENT_OUT_OF_MEMORY,
                "the agent was killed for lack of memory: raise the role's agent.resources",
            ),
            "DeadlineExceeded" | "AgentTimedOut" => {
                Why::new(reasons::AGENT_TIMED_OUT, "the agent did not finish within the time of an attempt")
            }
            _ => agent_failed(code, "left no result"),
        };
        self.record(
            "Produced",
            json!({
                "attempt": self.s.attempt, "try": self.s.tries.made, "exitCode": code, "tree": null,
                "refused": failure, "usage": self.s.usage,
            }),
        );
        let summary = ended.message.clone();
        self.judge(Finish { exit_code: code, produced: None, failure: Some(failure), summary });
    }

    fn judge(&mut self, finish: Finish) {
        self.forget_saved();
        self.drop_pod();
        match (finish.failure, finish.produced) {
            (None, Some(produced)) => {
                self.s.produced = Some(produced);
                self.start_guards();
            }
            (failure, produced) => {
                let why = failure.unwrap_or_else(|| agent_failed(finish.exit_code, "left no result"));
                let text = feedback::agent(&why, &finish.summary);
                self.next_attempt(why, &text, produced.map(|p| p.tree));
            }
        }
    }

    /// The attempt was judged and not accepted: another one with the reasons, from where this one stopped, or the
    /// end if there were enough.
    pub(super) fn next_attempt(&mut self, why: Why, feedback: &str, tree: Option<String>) {
        let attempt = self.s.attempt;
        self.keep_best();
        self.record(
            "AttemptRejected",
            json!({"attempt": attempt, "reason": why.reason, "message": why.message, "tree": tree}),
        );
        if attempt >= self.task.max_attempts() {
            let judged =
                if attempt == 1 { "1 attempt was".to_owned() } else { format!("{attempt} attempts were") };
            let best = self.s.best.as_ref().filter(|best| best.attempt != attempt);
            let best =
                best.map(|best| format!("; the best was attempt {}", best.attempt)).unwrap_or_default();
            let lowered =
                self.task.policy.max_attempts.as_ref().filter(|_| attempt < self.task.spec.max_attempts);
            let lowered =
                lowered.map(|most| format!(", as many as policy {} allows", most.origin)).unwrap_or_default();
            let message =
                format!("{judged} judged{lowered}, and none was accepted; the last: {}{best}", why.message);
            self.s.last_failure = Some(why);
            return self.end(OutcomeKind::Failed, reasons::ATTEMPTS_EXHAUSTED, &message);
        }
        self.s.last_failure = Some(why);
        self.s.attempt += 1;
        self.s.start = tree.or_else(|| self.s.start.take());
        self.s.feedback = bounded(feedback, feedback::MAX_FEEDBACK_BYTES);
        self.s.produced = None;
        self.s.guards.clear();
        self.s.weights = None;
        self.s.review = None;
        self.s.answers.clear();
        self.s.approval = None;
        self.forget_holds();
        self.s.stage = Stage::Producing;
    }

    /// Keeps the present result if none before was better: what guards and peers said of it is forgotten with it.
    pub(super) fn keep_best(&mut self) {
        let Some(produced) = &self.s.produced else { return };
        let failed_guards = match self.cleared() {
            Ok(_) => vec![],
            Err(blocked) => blocked.failed.into_iter().chain(blocked.missing).collect(),
        };
        let now = BestAttempt {
            attempt: self.s.attempt,
            tree: produced.tree.clone(),
            patch: produced.patch.clone(),
            failed_guards,
            approve_weight: self.s.review.as_ref().and_then(|r| r.tally).map_or(0, |t| t.approve_weight),
        };
        self.s.best = Some(BestAttempt::of(self.s.best.take(), now));
    }
}

/// What changed, where that is short enough to be kept whole.
fn paths(ended: &AttemptEnded) -> Option<&[String]> {
    let paths = &ended.produced.as_ref()?.as_ref().ok()?.changed_paths;
    let bytes: usize = paths.iter().map(String::len).sum();
    (bytes <= MAX_PATHS_BYTES).then_some(paths)
}

/// The first pause before a failed fetch or delivery is tried again, in seconds; none if that can never help. What a
/// person can mend (a Secret, a missing ref) is looked at again too, more slowly.
pub(super) fn pause(why: &Why, retryable: bool) -> Option<i64> {
    const MENDABLE: [&str; 7] = [
        reasons::GIT_UNREACHABLE,
        reasons::GIT_DENIED,
        reasons::GIT_REF_NOT_FOUND,
        reasons::SECRET_NOT_FOUND,
        reasons::SECRET_NOT_ANNOTATED,
        reasons::SECRET_HOST_NOT_ALLOWED,
        reasons::SECRET_MALFORMED,
    ];
    if retryable {
        Some(5)
    } else if MENDABLE.contains(&why.reason.as_str()) {
        Some(30)
    } else {
        None
    }
}

fn agent_failed(code: i32, how: &str) -> Why {
    Why::new(reasons::AGENT_FAILED, format!("the agent {how} (exit code {code})"))
}

fn pod_why(ended: &Ended, fallback: &'static str) -> Why {
    let message = if ended.message.is_empty() { "the pod ended without a result" } else { &ended.message };
    Why::new(&documented(&ended.reason, fallback), message)
}
