//! Guards: each examines the result in a run of its own, all at once. A run that could not be made is no verdict:
//! it is made again, for as long as that takes, and never counts as passed.

use super::command::Command;
use super::feedback;
use super::names::{guard_run_name, message_id};
use super::pods::backoff;
use super::reasons::{self, bounded, documented};
use super::state::{GuardSlot, Judge, Stage, Why};
use super::step::{Work, after};
use golden_consensus::{GuardFact, GuardVerdict, GuardsBlocked, GuardsCleared, clear};
use golden_governance::MergedGuard;
use golden_guard::{Followed, GuardVerdict as RunVerdict, follow};
use golden_platform::wire::{Envelope, GuardOutcome, GuardRequest, Message};
use serde_json::json;

/// Runs that may end without a verdict before the task says that it is stalled.
pub(super) const QUIET_RUNS: u32 = 3;
/// Seconds beyond its own timeout after which a requested run is given up as lost.
const PATIENCE_SECONDS: i64 = 900;
/// Longest excerpt kept, in bytes.
const MAX_EXCERPT_BYTES: usize = 4096;
const MAX_MESSAGE_BYTES: usize = 1024;

impl Work<'_> {
    pub(super) fn start_guards(&mut self) {
        if self.failed_before() {
            return;
        }
        let Some(produced) = &self.s.produced else { return };
        let slots = self.task.policy.guards.iter().map(|guard| {
            let tree = produced.guard_trees.get(&guard.spec.name).unwrap_or(&produced.tree).clone();
            let slot = GuardSlot {
                runs: 0,
                run_name: String::new(),
                tree,
                patience: None,
                retry_at: None,
                trouble: None,
                failed_runs: vec![],
                outcome: None,
            };
            (guard.spec.name.clone(), slot)
        });
        self.s.guards = slots.collect();
        self.s.stage = Stage::Guarding;
    }

    pub(super) fn guard_ended(&mut self, outcome: &GuardOutcome) {
        let present = self.s.stage == Stage::Guarding && outcome.attempt == self.s.attempt;
        let Some(slot) = self.s.guards.get_mut(&outcome.guard).filter(|g| present && g.outcome.is_none())
        else {
            return self.ignore("that guard is not waited for");
        };
        if outcome.tree != slot.tree {
            return self.ignore("that guard examined another tree");
        }
        let mut kept = outcome.clone();
        kept.excerpt = bounded(&outcome.excerpt, MAX_EXCERPT_BYTES);
        if let Some(verdict) = verdict_of(&kept) {
            return self.judged(kept, verdict);
        }
        if outcome.sandbox_run != slot.run_name || slot.retry_at.is_some() {
            return self.ignore("that run was given up");
        }
        let reason = documented(&outcome.reason, reasons::GUARD_NOT_RUN);
        // What the node or the sandbox said names the image, the class, the limit; the reason alone names none.
        let words = if kept.excerpt.is_empty() { String::new() } else { format!(": {}", kept.excerpt) };
        let message = format!("run {} could not be judged: {}{words}", outcome.sandbox_run, outcome.reason);
        slot.trouble = Some(Why::new(&reason, bounded(&message, MAX_MESSAGE_BYTES)));
        slot.retry_at = Some(after(self.now, backoff(5, slot.runs.saturating_sub(1))));
        self.record("GuardNotJudged", json!(kept));
    }

    /// Takes in a verdict: the last word, or the reason to run the guard again on the same tree.
    fn judged(&mut self, kept: GuardOutcome, verdict: RunVerdict) {
        let (now, retries) = (self.now, self.task.policy.guard(&kept.guard).map_or(0, |g| g.spec.retries));
        let Some(slot) = self.s.guards.get_mut(&kept.guard) else { return };
        if slot.failed_runs.contains(&kept.sandbox_run) {
            return self.ignore("that run has been taken in");
        }
        let failures = u32::try_from(slot.failed_runs.len()).unwrap_or(u32::MAX);
        let followed = follow(verdict, failures, retries);
        let mut entry = json!(kept);
        slot.trouble = None;
        if followed == Followed::Again {
            slot.failed_runs.push(kept.sandbox_run);
            slot.retry_at = Some(now);
            entry["runAgain"] = json!(true);
        } else {
            slot.outcome = Some(kept);
            slot.retry_at = None;
        }
        if followed == Followed::Flaky {
            entry["flaky"] = json!(true);
        }
        self.record("GuardJudged", entry);
    }

    /// Whether a failure of the guard stops the result.
    pub(super) fn is_required(&self, guard: &str) -> bool {
        self.task.policy.quarantine(guard).is_none()
    }

    /// Asks for the runs that are due, and judges the result once every guard has spoken.
    pub(super) fn guard(&mut self) {
        let now = self.now;
        for slot in self.s.guards.values_mut().filter(|g| g.is_lost(now)) {
            let message = format!("run {} did not report in time", slot.run_name);
            slot.trouble = Some(Why::new(reasons::GUARD_NOT_RUN, message));
            slot.retry_at = Some(now);
        }
        let open = |g: &GuardSlot| g.outcome.is_none();
        let any_failed = self.s.guards.iter().any(|(name, g)| g.failed() && self.is_required(name));
        // One failure decides. Runs under way are waited for, since their evidence helps; broken ones are not, nor
        // those of a guard in quarantine.
        let let_go =
            |name: &str, g: &GuardSlot| g.trouble.is_some() && (any_failed || !self.is_required(name));
        let settled = self.s.guards.iter().all(|(name, g)| !open(g) || let_go(name, g));
        if settled {
            return self.judge_guards();
        }
        let guards: Vec<&MergedGuard> = self.task.policy.guards.iter().collect();
        for guard in guards {
            let Some(slot) = self.s.guards.get(&guard.spec.name).filter(|g| open(g)) else { continue };
            if slot.runs == 0 || slot.retry_at.is_some_and(|at| at <= now) {
                self.request_guard(guard);
            }
        }
    }

    fn request_guard(&mut self, guard: &MergedGuard) {
        let (task, attempt, try_no) = (self.task, self.s.attempt, self.s.tries.made);
        let patience = after(self.now, guard.spec.timeout_seconds + PATIENCE_SECONDS);
        let compared = guard.spec.builtin.is_some();
        let base = self.s.base.as_ref().filter(|_| compared).map(|base| base.tree.clone());
        let Some(slot) = self.s.guards.get_mut(&guard.spec.name) else { return };
        slot.runs += 1;
        slot.retry_at = None;
        slot.patience = Some(patience);
        slot.run_name = guard_run_name(task, attempt, try_no, &guard.spec.name, slot.runs);
        let sandbox = &task.policy.sandbox;
        let request = GuardRequest {
            namespace: task.namespace.clone(),
            task_name: task.name.clone(),
            run_name: slot.run_name.clone(),
            guard: guard.spec.clone(),
            required: guard.quarantine.is_none(),
            tree: slot.tree.clone(),
            base,
            runtime_class_name: task.runtime_class().to_owned(),
            max_timeout_seconds: sandbox.max_timeout_seconds.as_ref().map(|p| p.value),
            max_memory_bytes: sandbox.max_memory_bytes.as_ref().map(|p| p.value),
        };
        let id = message_id(task.uid, attempt, &format!("guard/{}/{}", guard.spec.name, slot.runs));
        self.record(
            "GuardRequested",
            json!({
                "attempt": attempt, "guard": guard.spec.name, "run": request.run_name, "tree": request.tree,
                "policies": guard.policies,
            }),
        );
        self.publish(id, Message::GuardRequested(Box::new(request)));
    }

    pub(super) fn publish(&mut self, id: String, message: Message) {
        let envelope = Envelope {
            v: 1,
            id,
            team: self.task.team_uid,
            task: self.task.uid,
            attempt: self.s.attempt,
            r#try: self.s.tries.made,
            message,
        };
        self.commands.push(Command::Publish(Box::new(envelope)));
    }

    /// The proof that every required guard passed on the present result, or which stand in the way. Everything
    /// that accepts a result goes through here.
    pub(super) fn cleared(&self) -> Result<GuardsCleared, GuardsBlocked> {
        let required: Vec<String> = self.task.policy.required_guards().map(str::to_owned).collect();
        let subject = self.s.produced.as_ref().map(|p| p.tree.clone()).unwrap_or_default();
        let facts: Vec<GuardFact> =
            self.s.guards.iter().filter_map(|(name, slot)| self.fact(name, slot, &subject)).collect();
        clear(&required, &facts, &subject)
    }

    /// A verdict counts for the result only if it was given on the tree derived from it.
    fn fact(&self, name: &str, slot: &GuardSlot, subject: &str) -> Option<GuardFact> {
        let produced = self.s.produced.as_ref()?;
        let outcome = slot.outcome.as_ref()?;
        let verdict = if outcome.verdict == "Passed" { GuardVerdict::Passed } else { GuardVerdict::Failed };
        let required = self.is_required(name);
        let expected = produced.guard_trees.get(name).unwrap_or(&produced.tree);
        (outcome.tree == *expected).then(|| GuardFact {
            guard: name.to_owned(),
            verdict,
            required,
            digest: Some(subject.to_owned()),
        })
    }

    fn judge_guards(&mut self) {
        match self.cleared() {
            Ok(_) => self.open_review(),
            Err(blocked) => self.guards_failed(&blocked),
        }
    }

    /// Hands the evidence back; or asks a person, if an earlier result failed alike.
    pub(super) fn guards_failed(&mut self, blocked: &GuardsBlocked) {
        if self.s.produced.is_none() {
            return;
        }
        let names = if blocked.failed.is_empty() { &blocked.missing } else { &blocked.failed }.join(", ");
        let what = format!("guard {names} failed on attempt {}", self.s.attempt);
        let stops = |(name, g): &(&String, &GuardSlot)| g.failed() && self.is_required(name);
        let failed: Vec<&GuardOutcome> =
            self.s.guards.iter().filter(stops).filter_map(|(_, g)| g.outcome.as_ref()).collect();
        let facts = feedback::facts(&failed);
        let (text, evidence) = (golden_guard::brief(&facts), json!({"failedGuards": failed}));
        let judged = (Judge::Guards, golden_guard::failure_fingerprint(&facts));
        let why = Why::new(reasons::GUARD_FAILED, what.clone());
        self.send_back(judged, why, &what, &evidence, &text);
    }
}

/// The verdict of a run that reached one.
fn verdict_of(outcome: &GuardOutcome) -> Option<RunVerdict> {
    match outcome.verdict.as_str() {
        "Passed" => Some(RunVerdict::Passed),
        "Failed" => Some(RunVerdict::Failed),
        _ => None,
    }
}
