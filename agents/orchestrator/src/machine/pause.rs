//! Pause: a pod whose call waits too long for money is freed, and another one of the same attempt goes on from there.
//!
//! ```text
//! held ──grace, and still no money──▶ asked to save ──saved──▶ freed ──money──▶ waits for its turn ──▶ next try
//!                                          └──cannot be saved──▶ kept, waits on
//! ```
//!
//! Nothing is taken from a pod before its work is safe. A pod that saved is over whatever became of its call
//! meanwhile, since its agent is gone. Holds outlive a freed pod: the condition, and whoever is asked for more, rest
//! on them until the work goes on.

use super::reasons::bounded;
use super::state::{Saved, Stage, State};
use super::step::{Work, after};
use super::task::Task;
use golden_platform::wire::{AttemptNotSaved, AttemptSaved, DesiredKind};
use jiff::Timestamp;
use serde_json::json;

/// Seconds after which the engine looks again whether there is money: longer, the longer it took so far.
const LOOK_SECONDS: (i64, i64) = (5, 30);
/// The share of the time waited so far after which it looks again.
const LOOK_SHARE: i64 = 20;
/// Seconds within which a call that is held again continues the wait of one whose client gave up: clients that time out
/// send again at once, and none would ever have waited for its grace.
const RESEND_SECONDS: i64 = 60;
/// Bound on why a workspace cannot be saved, in bytes.
const MAX_WHY_BYTES: usize = 1024;

/// Whether the task's next step depends on what its accounts have now ([`super::Event::Money`]).
pub fn needs_money(task: &Task, s: &State, now: Timestamp) -> bool {
    let grace_is_over = || grace_ends(task, s).is_some_and(|at| at <= now);
    s.outcome.is_none()
        && !s.suspended
        && s.stage == Stage::Producing
        && (s.freed.is_some() || grace_is_over())
}

/// When the pod's call will have waited for its grace. None if none waits, or the pod is asked to save already or could
/// not.
fn grace_ends(task: &Task, s: &State) -> Option<Timestamp> {
    let pod = s.pod.as_ref().filter(|p| p.kind == DesiredKind::AttemptPod && p.ended.is_none())?;
    // A hold that moved to another account leaves nothing held until it is told again.
    let waits = !s.held.is_empty() && pod.saving.is_none() && pod.unsaved.is_none();
    let since = pod.held_since.filter(|_| waits)?;
    Some(after(since, task.policy.pause.value.grace_seconds))
}

/// What follows once there is money where the pod is gone.
pub(super) fn freed(s: &State) -> Option<String> {
    let at = s.freed?;
    Some(format!("and another pod goes on from what was saved (its pod was freed at {at:.0})"))
}

/// Why the pod is still there.
pub(super) fn kept(s: &State) -> Option<String> {
    let why = s.pod.as_ref()?.unsaved.as_ref()?;
    Some(format!("; its pod is kept, since its work cannot be saved: {why}"))
}

impl Work<'_> {
    /// A call of the attempt's pod waits from now on.
    pub(super) fn begin_wait(&mut self) {
        let now = self.now;
        if self.s.stage == Stage::Producing
            && let Some(pod) = self.s.pod.as_mut().filter(|p| p.kind == DesiredKind::AttemptPod)
        {
            if pod.left.take().is_some_and(|at| now > after(at, RESEND_SECONDS)) {
                pod.held_since = None;
            }
            pod.held_since.get_or_insert(now);
        }
    }

    /// The client of a call gave up: if no other waits, the wait stands still until the next one is held.
    pub(super) fn suspend_wait(&mut self) {
        let last = self.s.held.is_empty();
        if let Some(pod) = self.s.pod.as_mut().filter(|p| last && p.held_since.is_some()) {
            pod.left = Some(self.now);
        }
    }

    /// Whether the last call that waited was given up, and nothing was heard since.
    pub(super) fn has_left(&self) -> bool {
        self.s.pod.as_ref().is_some_and(|pod| pod.left.is_some())
    }

    /// A call goes on: there is money, so that others which wait begin to wait anew.
    pub(super) fn end_wait(&mut self) {
        let others = !self.s.held.is_empty();
        if let Some(pod) = self.s.pod.as_mut() {
            pod.held_since = others.then_some(self.now);
            pod.left = None;
            pod.saving = None;
        }
        if !others {
            self.go_on();
        } else if self.s.freed.is_none() {
            self.leave_given_up();
        }
    }

    /// What the accounts have: whether a held call, made again, could be paid or would be refused for good.
    pub(super) fn money(&mut self, ask_again: bool) {
        if self.s.freed.is_some() {
            if ask_again {
                return self.go_on();
            }
            return self.ignore("there is no money yet");
        }
        let due = grace_ends(self.task, &self.s).is_some_and(|at| at <= self.now);
        match self.s.pod.as_mut().filter(|_| due && !ask_again && self.s.stage == Stage::Producing) {
            Some(pod) => pod.saving = Some(self.now),
            None => self.ignore("no call has waited for its grace in vain"),
        }
    }

    /// The pod's work is safe and its agent has ended.
    pub(super) fn attempt_saved(&mut self, saved: &AttemptSaved) {
        let known = self.s.saved.as_ref().is_some_and(|s| s.r#try == saved.r#try);
        if known || !self.is_newest(saved.attempt, saved.r#try) || self.s.finish.is_some() {
            return self.ignore("that was not saved by the newest try, or is known");
        }
        self.record(
            "AttemptSaved",
            json!({
                "attempt": saved.attempt, "try": saved.r#try, "tree": saved.tree, "transcript": saved.transcript,
                "usage": self.s.usage,
            }),
        );
        // A try that left no transcript does not take the attempt's earlier one away.
        let earlier = self.s.saved.take().and_then(|saved| saved.transcript);
        self.s.saved = Some(Saved {
            r#try: saved.r#try,
            tree: saved.tree.clone(),
            transcript: saved.transcript.clone().or(earlier),
        });
        if self.s.pod.is_some() && !self.s.held.is_empty() {
            self.release_pod();
            self.s.stuck.clear();
            self.s.freed = Some(self.now);
            // Others work meanwhile.
            self.s.slot = false;
        } else {
            self.drop_pod();
        }
    }

    /// The pod stays as it is, and is not asked again.
    pub(super) fn attempt_not_saved(&mut self, told: &AttemptNotSaved) {
        let newest = self.is_newest(told.attempt, told.r#try);
        let pod = self.s.pod.as_mut().filter(|p| newest && p.unsaved.is_none());
        let Some(pod) = pod else {
            return self.ignore("that pod is not the newest try, or its work is known not to be saved");
        };
        let why = bounded(&told.why, MAX_WHY_BYTES);
        pod.saving = None;
        pod.unsaved = Some(why.clone());
        self.record("AttemptNotSaved", json!({"attempt": told.attempt, "try": told.r#try, "why": why}));
        self.leave_given_up();
    }

    /// Another pod may go on with what was saved.
    fn go_on(&mut self) {
        let Some(since) = self.s.freed.take() else { return };
        self.forget_holds();
        self.record("AttemptResumed", json!({"attempt": self.s.attempt, "freedAt": since}));
    }

    /// The attempt is over: nothing goes on from what was saved of it.
    pub(super) fn forget_saved(&mut self) {
        self.s.saved = None;
        if self.s.freed.take().is_some() {
            self.forget_holds();
        }
    }

    /// The next moment at which it is looked for money.
    pub(super) fn wake_for_money(&self) -> Option<Timestamp> {
        let (least, most) = LOOK_SECONDS;
        if self.s.stage != Stage::Producing {
            return None;
        }
        if let Some(since) = self.s.freed {
            let waited = self.now.duration_since(since).as_secs();
            return Some(after(self.now, (waited / LOOK_SHARE).clamp(least, most)));
        }
        let at = grace_ends(self.task, &self.s)?;
        Some(if at > self.now { at } else { after(self.now, least) })
    }
}
