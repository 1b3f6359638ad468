//! Going in circles: a result that stands where an earlier one stood is for a person, before all attempts are spent.
//!
//! What stands where is [`Setback::is_repeated_by`]'s to say; the second time is enough. The agent had the evidence of the
//! first and changed nothing that counts, and a third one would begin from the same place with the same brief.

use super::reasons;
use super::state::{Judge, Setback, Why};
use super::step::Work;
use serde_json::{Value, json};

/// Earlier results that stood where the present one stands, oldest first; never none of them.
pub(super) struct Circle(Vec<Setback>);

impl Work<'_> {
    /// Keeps how the present result was sent back, and says whether an earlier one stood there already.
    pub(super) fn sent_back(&mut self, by: Judge, failure: Option<String>) -> Option<Circle> {
        let produced = self.s.produced.as_ref()?;
        let (tree, change) = (produced.tree.clone(), produced.change.clone());
        let now = Setback { attempt: self.s.attempt, by, tree, change, failure, answered: false };
        let before = self.s.setbacks.iter().filter(|b| b.attempt != now.attempt && b.is_repeated_by(&now));
        let before: Vec<Setback> = before.cloned().collect();
        self.s.setbacks.push(now);
        (!before.is_empty()).then_some(Circle(before))
    }

    /// An earlier time that this judge sent back the very result that stands now: the last one.
    pub(super) fn sent_back_before(&self, by: Judge) -> Option<&Setback> {
        let tree = &self.s.produced.as_ref()?.tree;
        self.s.setbacks.iter().rfind(|before| before.by == by && before.tree == *tree)
    }

    /// Sends the present result back: to another attempt, or to a person where it stands where an earlier one stood. `what`
    /// is what happened, as in `guard unit failed`.
    pub(super) fn send_back(
        &mut self,
        (by, failure): (Judge, Option<String>),
        why: Why,
        what: &str,
        evidence: &Value,
        feedback: &str,
    ) {
        let circle = self.sent_back(by, failure);
        if circle.is_some_and(|circle| self.stop_circling(&circle, what, evidence, feedback, by)) {
            return;
        }
        let tree = self.s.produced.as_ref().map(|p| p.tree.clone());
        self.next_attempt(why, feedback, tree);
    }

    /// Sends a result back that failed its guards before: tried until it passes, a failure would mean nothing. Says whether
    /// it did. Retries of a guard are for whoever defines it to give, and another look for a person who asks for one.
    pub(super) fn failed_before(&mut self) -> bool {
        let before = self.sent_back_before(Judge::Guards).filter(|before| !before.answered);
        let Some(Setback { attempt, failure, .. }) = before.cloned() else { return false };
        let what = format!("the result of attempt {} did not pass its guards", self.s.attempt);
        let why = format!("{what}: it is the one of attempt {attempt}, and they do not run again");
        let why = Why::new(reasons::GUARD_FAILED, why);
        let (evidence, feedback) = (json!({"seenOnAttempt": attempt}), self.s.feedback.clone());
        self.send_back((Judge::Guards, failure), why, &what, &evidence, &feedback);
        true
    }

    /// Asks a person about work that goes in circles, who can outweigh peers and no failed guard. Once attempts are spent
    /// there is nothing left to stop early: returns whether it asked.
    fn stop_circling(
        &mut self,
        circle: &Circle,
        what: &str,
        evidence: &Value,
        feedback: &str,
        by: Judge,
    ) -> bool {
        if self.s.attempt >= self.task.max_attempts() {
            return false;
        }
        let now = self.s.setbacks.last();
        let message = circle.message(what, now);
        let all: Vec<Value> = circle.0.iter().chain(now).map(attempt).collect();
        let evidence = json!({"failure": evidence, "times": all.len(), "attempts": all});
        self.escalate(&Why::new(reasons::STUCK, message), &evidence, feedback, by == Judge::Peers);
        true
    }
}

impl Circle {
    fn message(&self, what: &str, now: Option<&Setback>) -> String {
        let attempts: Vec<String> = self.0.iter().map(|b| b.attempt.to_string()).collect();
        let plural = if attempts.len() == 1 { "" } else { "s" };
        let how = if now.is_some_and(|now| self.0.iter().all(|b| b.tree == now.tree)) {
            "with the same result"
        } else {
            "with the same change but for white space and comments"
        };
        format!(
            "{what}, as on attempt{plural} {} {how}, {} times now: the agents go in circles",
            attempts.join(", "),
            attempts.len() + 1
        )
    }
}

fn attempt(setback: &Setback) -> Value {
    json!({"attempt": setback.attempt, "tree": setback.tree, "change": setback.change, "failure": setback.failure})
}
