//! Review: peers are asked, and what they decide is acted on. Their approval is not enough: the guards' facts are
//! checked again here.

use super::additional::asked_beside;
use super::advance::OVERDUE_SECONDS;
use super::command::Command;
use super::feedback;
use super::fitting;
use super::names::message_id;
use super::reasons::{self, bounded};
use super::state::{Judge, Review, Stage, Why};
use super::step::{Work, after};
use super::task::PRODUCER;
use super::weights;
use golden_consensus::{DecisionRecord, Next, OutcomeKind};
use golden_crds::governance_policy::{OnUndecided, ReviewRules};
use golden_platform::wire::{GuardOutcome, Message, ReviewRequest};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Requests that may go unanswered before the policy's `onTimeout` counts.
const MAX_UNANSWERED: u32 = 3;

/// Which round is asked for, and what went before it; see [`Review`].
#[derive(Clone, Copy)]
pub(super) struct Ask {
    pub(super) round: u32,
    pub(super) hears: Option<u32>,
    pub(super) beside: Option<u32>,
    pub(super) decided: u32,
}

const FIRST: Ask = Ask { round: 1, hears: None, beside: None, decided: 0 };

impl Work<'_> {
    pub(super) fn open_review(&mut self) {
        if self.sent_back_before(Judge::Peers).is_some() {
            let feedback = self.s.feedback.clone();
            // Asking until one nods proves nothing.
            let why = Why::new(reasons::CHANGES_REQUESTED, "peers did not accept this very result before");
            return self.rejected(why, None, &json!({}), &feedback);
        }
        self.s.stage = Stage::Reviewing;
        self.ask_peers(FIRST);
    }

    /// Peers do not accept the result. It goes back with what they say; or to a person, if they said so of an earlier one.
    fn rejected(&mut self, why: Why, failure: Option<String>, evidence: &Value, feedback: &str) {
        let what = format!("peers did not accept the result of attempt {}", self.s.attempt);
        self.send_back((Judge::Peers, failure), why, &what, evidence, feedback);
    }

    fn ask_peers(&mut self, ask: Ask) {
        if !weights::are_known(self.task, &self.s) {
            return;
        }
        // Calls held so far are of the attempt's pod or of an earlier round: both are over.
        self.forget_holds();
        let closes_at = after(self.now, self.task.policy.review.value.timeout_seconds);
        let Some(request) = self.request(ask, closes_at) else { return };
        let Ask { round, hears, beside, decided } = ask;
        let digest = request.digest.clone();
        let objections = self.s.review.take().map(|before| before.objections).unwrap_or_default();
        self.s.review = Some(Review {
            round,
            hears,
            beside,
            decided,
            objections,
            digest: digest.clone(),
            closes_at,
            paused_at: None,
            decision: None,
            verdict: None,
            tally: None,
            reason: String::new(),
            dissent: vec![],
            turned_by: vec![],
            power: vec![],
        });
        self.record(
            "ReviewRequested",
            json!({
                "attempt": self.s.attempt, "round": round, "hears": hears, "beside": beside,
                "additionalReviewer": asked_beside(self.task, &self.s), "digest": digest, "patch": request.patch,
                "closesAt": request.closes_at, "author": request.author, "weights": request.weights,
                "rulesFrom": self.task.policy.review.origin,
            }),
        );
        let attempt = self.s.attempt;
        let boxed = Box::new(request);
        self.commands.push(Command::OpenReview { attempt, round, digest, request: boxed.clone(), closes_at });
        let id = message_id(self.task.uid, attempt, &format!("review/{round}"));
        self.publish(id, Message::ReviewRequested(boxed));
    }

    /// What peers are asked; nothing while there is no result.
    fn request(&self, ask: Ask, closes_at: Timestamp) -> Option<ReviewRequest> {
        let Ask { round, hears, beside, .. } = ask;
        let (Some(produced), Some(base)) = (&self.s.produced, &self.s.base) else { return None };
        let task = self.task;
        let quarantine = |outcome: &GuardOutcome| task.policy.quarantine(&outcome.guard).map(str::to_owned);
        let told =
            |outcome: &GuardOutcome| GuardOutcome { quarantine: quarantine(outcome), ..outcome.clone() };
        let voters = task.models.iter().filter(|(key, _)| key.starts_with("voter:"));
        Some(ReviewRequest {
            namespace: task.namespace.clone(),
            task_name: task.name.clone(),
            round,
            hears,
            beside,
            goal: task.spec.goal.clone(),
            digest: produced.tree.clone(),
            base: base.tree.clone(),
            patch: produced.patch.clone(),
            rules: self.rules_of(ask),
            weights: serde_json::to_value(&self.s.weights).unwrap_or_default(),
            guards: self.s.guards.values().filter_map(|g| g.outcome.as_ref()).map(told).collect(),
            models: voters.map(|(key, model)| (key.clone(), model.clone())).collect(),
            author: task.models.get(&format!("role:{PRODUCER}")).cloned(),
            closes_at: closes_at.to_string(),
        })
    }

    pub(super) fn reviewed(
        &mut self,
        attempt: u32,
        round: u32,
        digest: &str,
        decision: &Value,
        ballots: &[Value],
    ) {
        let present = self.s.stage == Stage::Reviewing && attempt == self.s.attempt;
        let open = self.s.review.as_mut().filter(|r| {
            present && r.round == round && r.digest == digest && r.decision.is_none() && r.verdict.is_none()
        });
        let Some(review) = open else {
            return self.ignore("that review is not waited for");
        };
        let (mut decision, mut ballots) = (decision.clone(), ballots.to_vec());
        let cut = fitting::fit(&mut decision, &mut ballots);
        match serde_json::from_value::<DecisionRecord>(decision) {
            Ok(decided) if decided.decision == OutcomeKind::Undecided => {
                self.ignore("the review is still open");
            }
            Ok(decided) => {
                let took = review.took(self.task.policy.review.value.timeout_seconds, self.now);
                review.decision = Some(decided.clone());
                let guards: Vec<&GuardOutcome> =
                    self.s.guards.values().filter_map(|g| g.outcome.as_ref()).collect();
                let mut body = json!({
                    "attempt": attempt, "round": round, "digest": digest, "decision": decided.decision,
                    "reason": decided.reason, "result": decided, "ballots": ballots, "guards": guards,
                    "tookSeconds": took, "usage": self.s.usage,
                });
                if let Some(cut) = cut {
                    body["cutTo"] = cut;
                }
                self.record("Reviewed", body);
            }
            // The round stays open and is asked again when it is overdue.
            Err(fault) => {
                let fault: String = fault.to_string().chars().take(300).collect();
                self.record("ReviewUnreadable", json!({"attempt": attempt, "round": round, "fault": fault}));
            }
        }
    }

    pub(super) fn review(&mut self) {
        let Some(review) = self.s.review.as_mut() else { return self.ask_peers(FIRST) };
        if let Some(decision) = review.decision.take() {
            if let Some(ask) = self.ask_again(&decision) {
                return self.ask_further(ask, &decision);
            }
            if let Some(ask) = self.ask_beside(&decision) {
                self.s.additional_asked = true;
                return self.ask_further(ask, &decision);
            }
            let Some(review) = self.s.review.as_mut() else { return };
            review.verdict = Some(decision.decision);
            review.tally = Some(decision.tally);
            review.reason.clone_from(&decision.reason);
            review.dissent = decision.dissent.iter().map(|ballot| ballot.voter.clone()).collect();
            review.turned_by =
                decision.minimal_flip.as_ref().map(|flip| flip.voters.clone()).unwrap_or_default();
            review.power.clone_from(&decision.power);
            self.forget_holds();
            return self.act_on(&decision);
        }
        if review.paused_at.is_some() || self.now < after(review.closes_at, OVERDUE_SECONDS) {
            return;
        }
        let Review { round, hears, beside, decided, .. } = *review;
        // Every request has the next number, and the last one that was answered is the one that this builds on.
        let unanswered = round.saturating_sub(hears.or(beside).unwrap_or(0));
        if unanswered < MAX_UNANSWERED {
            return self.ask_peers(Ask { round: round + 1, hears, beside, decided });
        }
        let why = Why::new(
            reasons::REVIEW_TIMED_OUT,
            format!("{unanswered} requests for a review were not answered, the last one for round {round}"),
        );
        let (tree, objections) = (review.digest.clone(), review.objections.clone());
        match self.task.policy.review.value.on_timeout {
            OnUndecided::Escalate => {
                self.escalate(&why, &json!({"rounds": round, "unanswered": unanswered}), &objections, true);
            }
            OnUndecided::Reject => self.next_attempt(why, &objections, Some(tree)),
        }
    }

    /// Asks once more after a decision, whose objections stand also where nobody answers any more.
    fn ask_further(&mut self, ask: Ask, decision: &DecisionRecord) {
        if let Some(review) = self.s.review.as_mut() {
            review.objections = bounded(&feedback::dissent(decision), feedback::MAX_FEEDBACK_BYTES);
        }
        self.ask_peers(ask);
    }

    /// Another round of the voters, if they have one left and it is worth its time. None follows on the additional reviewer.
    fn ask_again(&self, decision: &DecisionRecord) -> Option<Ask> {
        let review = self.s.review.as_ref()?;
        let decided = review.decided + 1;
        let left = review.beside.is_none() && decided < self.task.policy.review.value.max_rounds();
        (left && decision.is_worth_another_round()).then(|| Ask {
            round: review.round + 1,
            hears: Some(review.round),
            beside: None,
            decided,
        })
    }

    /// Stops an open round's clock: a voter that cannot be paid, or whose model is away, has not been silent. Nor does time
    /// count while the task is suspended.
    pub(super) fn pause_review(&mut self) {
        let now = self.now;
        if self.s.stage == Stage::Reviewing
            && let Some(review) = self.s.review.as_mut().filter(|r| r.verdict.is_none())
        {
            review.paused_at.get_or_insert(now);
        }
    }

    /// Lets the clock go on once nothing waits for money, a model, or the end of a suspension: the round has the time that it had left.
    pub(super) fn continue_review(&mut self) {
        let now = self.now;
        if let Some(review) = self.s.review.as_mut()
            && let Some(paused_at) = review.paused_at.take()
        {
            let waited = now.duration_since(paused_at);
            review.closes_at = review.closes_at.checked_add(waited).unwrap_or(review.closes_at);
        }
    }

    fn act_on(&mut self, decision: &DecisionRecord) {
        let reason = reason_of(decision.decision);
        let asked = asked_beside(self.task, &self.s);
        let asked = asked.map(|role| format!("; {role} was asked beside the voters")).unwrap_or_default();
        let why = Why::new(reason, format!("{}{asked}", decision.reason));
        match next(decision.decision, &self.task.policy.review.value) {
            Next::Wait => {}
            Next::Proceed => match self.cleared() {
                Ok(_) => self.accept(reasons::PEERS_APPROVED),
                Err(blocked) => self.guards_failed(&blocked),
            },
            Next::Revise => {
                let failure = golden_guard::objection_fingerprint(feedback::cited(decision));
                self.rejected(
                    why,
                    failure,
                    &json!({"dissent": decision.dissent}),
                    &feedback::dissent(decision),
                );
            }
            Next::Repair => match self.cleared() {
                // Peer-hub saw a failed guard that we did not: it says nothing for the result either.
                Ok(_) => self.escalate(&why, &json!({"decision": decision}), "", true),
                Err(blocked) => self.guards_failed(&blocked),
            },
            Next::Escalate => {
                let evidence = json!({
                    "decision": decision.decision, "reason": decision.reason, "tally": decision.tally,
                    "dissent": decision.dissent, "additionalReviewer": asked_beside(self.task, &self.s),
                });
                self.escalate(&why, &evidence, &feedback::dissent(decision), true);
            }
        }
    }
}

/// Where an outcome leads under these rules. Not read from the message: the rules are the task's own.
pub(super) fn next(kind: OutcomeKind, rules: &ReviewRules) -> Next {
    let undecided = |rule: OnUndecided| match rule {
        OnUndecided::Escalate => golden_consensus::OnUndecided::Escalate,
        OnUndecided::Reject => golden_consensus::OnUndecided::Reject,
    };
    kind.next(undecided(rules.on_tie), undecided(rules.on_timeout))
}

/// The documented reason of an outcome.
pub(super) fn reason_of(kind: OutcomeKind) -> &'static str {
    match kind {
        OutcomeKind::Approved => reasons::PEERS_APPROVED,
        OutcomeKind::ChangesRequested => reasons::CHANGES_REQUESTED,
        OutcomeKind::Vetoed => reasons::VETOED,
        OutcomeKind::VetoUnverified => reasons::VETO_UNVERIFIED,
        OutcomeKind::Tie => reasons::REVIEW_TIED,
        OutcomeKind::RequiredVoterMissing | OutcomeKind::QuorumMissing => reasons::QUORUM_MISSING,
        OutcomeKind::GuardFailed => reasons::GUARD_FAILED,
        OutcomeKind::GuardMissing => reasons::GUARD_NOT_RUN,
        OutcomeKind::Undecided => reasons::REVIEW_RUNNING,
    }
}
