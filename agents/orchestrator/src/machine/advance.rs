//! From what is known to what is done next. A suspended task learns but does not move.

use super::state::Stage;
use super::step::{Work, after};
use super::weights::needs_weights;
use golden_platform::wire::DesiredKind;
use jiff::Timestamp;

/// More stages than one event can ever pass; a bound against a loop of our own making.
const MAX_MOVES: usize = 32;

/// Seconds after which an unanswered review is asked for again, and an escalation's default is taken even if the
/// supervisor is away.
pub(super) const OVERDUE_SECONDS: i64 = 60;

/// Seconds after which the engine looks again at what it has to do itself.
const ENGINE_SECONDS: i64 = 2;

impl Work<'_> {
    /// Goes on until nothing more follows from what is known.
    pub(super) fn advance(&mut self) {
        for _ in 0..MAX_MOVES {
            if !self.advance_once() {
                return;
            }
        }
    }

    /// Whether a stage was left.
    fn advance_once(&mut self) -> bool {
        if self.s.outcome.is_some() || self.must_end() {
            return false;
        }
        let before = (self.s.stage, self.s.attempt);
        if self.s.suspended && self.s.stage != Stage::Delivering {
            self.drop_pod();
            self.s.slot = false;
            return false;
        }
        match self.s.stage {
            Stage::Waiting => self.wait(),
            Stage::Preparing => self.prepare(),
            Stage::Producing => self.produce(),
            Stage::Guarding => self.guard(),
            Stage::Reviewing => self.review(),
            Stage::Escalated => self.escalated(),
            Stage::Approving => self.approve(),
            Stage::Delivering => self.deliver(),
            Stage::Ended => {}
        }
        before != (self.s.stage, self.s.attempt)
    }

    fn wait(&mut self) {
        if !self.s.slot || !self.s.waiting_for.is_empty() {
            return;
        }
        let Some(base) = &self.s.base else {
            self.s.stage = Stage::Preparing;
            return;
        };
        if self.s.attempt == 0 {
            self.s.attempt = 1;
            self.s.start = Some(base.tree.clone());
        }
        self.s.stage = Stage::Producing;
    }

    /// Goes back to wait for a turn, when a pod is needed and the turn was given up (suspension, a question to a
    /// person). Returns whether it did.
    pub(super) fn needs_turn(&mut self) -> bool {
        let waits = !self.s.slot && self.s.pod.is_none();
        if waits {
            self.s.stage = Stage::Waiting;
        }
        waits
    }

    /// The next moment at which time alone changes something.
    pub(super) fn wake(&self) -> Option<Timestamp> {
        let s = &self.s;
        if s.outcome.is_some() {
            return None;
        }
        let delivering = s.stage == Stage::Delivering;
        let mut moments = vec![];
        if !delivering {
            moments.push(s.deadline);
        }
        if !s.suspended || delivering {
            moments.extend(s.tries.retry_at.filter(|_| s.pod.is_none() && self.stage_pod().is_some()));
            moments.extend(
                s.pod
                    .as_ref()
                    .and_then(|p| p.ended.as_ref())
                    .map(|e| after(e.at, super::pods::GRACE_SECONDS)),
            );
            moments.extend(self.wake_for_money());
            self.wake_for_judges(&mut moments);
            // The engine works on these: storing an inline source, asking a store that was away, weighing voters.
            let engine =
                s.stage == Stage::Preparing && s.base.is_none() && self.task.spec.source.inline.is_some();
            if engine || s.trouble.is_some() || needs_weights(self.task, s) {
                moments.push(after(self.now, ENGINE_SECONDS));
            }
        }
        // Never in the past: what is due now was done by this step.
        moments.into_iter().min().map(|at| at.max(after(self.now, 1)))
    }

    fn wake_for_judges(&self, moments: &mut Vec<Timestamp>) {
        let s = &self.s;
        match s.stage {
            Stage::Guarding => {
                let open = s.guards.values().filter(|g| g.outcome.is_none());
                moments.extend(open.filter_map(|g| g.retry_at.or(g.patience)));
            }
            Stage::Reviewing => {
                let open = s.review.iter().filter(|r| r.verdict.is_none() && r.paused_at.is_none());
                moments.extend(open.map(|r| after(r.closes_at, OVERDUE_SECONDS)));
            }
            Stage::Delivering => moments.extend(s.delivery.as_ref().and_then(|d| d.give_up)),
            Stage::Escalated => {
                moments.extend(s.escalation.iter().map(|e| after(e.deadline, OVERDUE_SECONDS)));
            }
            _ => {}
        }
    }

    /// The kind of pod the stage needs, if any.
    pub(super) fn stage_pod(&self) -> Option<DesiredKind> {
        match self.s.stage {
            Stage::Preparing => Some(DesiredKind::FetchPod),
            Stage::Producing => Some(DesiredKind::AttemptPod),
            Stage::Delivering => Some(DesiredKind::DeliveryPod),
            _ => None,
        }
    }
}
