//! One recorded attempt, judged by some rules from the facts and ballots there are.

use super::course::{Attempt, Course, Review, Took};
use crate::additional::with_additional;
use crate::merged::{MergedGuard, MergedPolicy};
use golden_consensus::{
    Ballot, DecisionRecord, Evidence, GuardFact, GuardVerdict, Next, OutcomeKind, Policy, Severity, Subject,
    Verdict, decide, policy_from_value,
};
use golden_crds::governance_policy::{ReviewRules, Voter, Weights};
use std::collections::BTreeSet;

/// Absent ballots whose every value is tried, so many at most: five values each make 3125 decisions.
const MOST_ABSENT: usize = 5;

/// How rules judge an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    /// `Undecided` where the guards let it pass and nobody has reviewed it.
    pub(super) kind: OutcomeKind,
    pub(super) next: Next,
    /// Who objects, or may: guards that failed or did not run, or voters that rejected. The next attempt is told.
    pub(super) objections: BTreeSet<String>,
    pub(super) reason: String,
    /// Another round is worth it, if the policy has any left.
    again: bool,
}

impl Judgement {
    /// Whether the task goes on from both alike: to people with the same question, or back with the same reasons.
    pub(super) fn leads_where(&self, other: &Self) -> bool {
        self.next == other.next
            && match self.next {
                Next::Proceed | Next::Wait => true,
                Next::Escalate => self.kind == other.kind,
                Next::Revise | Next::Repair => self.objections == other.objections,
            }
    }
}

/// Judges by `rules` what was done under those of the record, or says what is missing for that. The attempt is one that
/// was judged: where it was refused before, rules have no say.
pub(super) fn judge(attempt: &Attempt, course: &Course, rules: &MergedPolicy) -> Result<Judgement, String> {
    let recorded = &course.merged;
    let (mut failed, mut unknown) = (vec![], vec![]);
    for guard in rules.guards.iter().filter(|guard| guard.quarantine.is_none()) {
        match verdict(attempt, recorded, rules, guard) {
            Some(GuardVerdict::Passed) => {}
            Some(GuardVerdict::Failed) => failed.push(guard.spec.name.clone()),
            None => unknown.push(guard.spec.name.clone()),
        }
    }
    match (failed.is_empty(), unknown.is_empty(), &attempt.review) {
        // Evidence beats votes: whatever else is missing, this is certain.
        (false, ..) => {
            let reason = format!("guard {} failed", failed.join(", "));
            let objections = failed.into_iter().chain(unknown).collect();
            let (kind, next) = (OutcomeKind::GuardFailed, Next::Repair);
            Ok(Judgement { kind, next, objections, reason, again: false })
        }
        (true, false, _) => Err(format!("guard {} did not run so", unknown.join(", "))),
        (true, true, Some(review)) => reviewed(attempt, review, course, rules),
        (true, true, None) => Ok(Judgement {
            kind: OutcomeKind::Undecided,
            next: Next::Wait,
            objections: BTreeSet::new(),
            reason: "its guards let it pass".into(),
            again: false,
        }),
    }
}

/// The fact about a guard, if it ran as the rules say.
fn verdict(
    attempt: &Attempt,
    recorded: &MergedPolicy,
    rules: &MergedPolicy,
    guard: &MergedGuard,
) -> Option<GuardVerdict> {
    let ran = recorded.guard(&guard.spec.name).filter(|ran| ran.spec == guard.spec)?;
    let timeout = |policy: &MergedPolicy| policy.timeout_seconds(guard.spec.timeout_seconds);
    let memory = |policy: &MergedPolicy| policy.sandbox.max_memory_bytes.as_ref().map(|part| part.value);
    let isolation = |policy: &MergedPolicy| policy.sandbox.runtime_class_name.value.clone();
    let alike = timeout(recorded) == timeout(rules)
        && memory(recorded) == memory(rules)
        && isolation(recorded) == isolation(rules);
    if alike { attempt.guards.get(&ran.spec.name).copied() } else { None }
}

/// By the voters; or with the additional reviewer, where these rules ask one after what the voters came to.
fn reviewed(
    attempt: &Attempt,
    review: &Review,
    course: &Course,
    rules: &MergedPolicy,
) -> Result<Judgement, String> {
    let alone = voted(review.before.as_deref().unwrap_or(review), course, rules, false)?;
    let asks = alone.next == Next::Escalate && alone.kind.may_be_settled() && !course.asked_before(attempt);
    let Some(additional) = rules.review.value.additional_reviewer.as_ref().filter(|_| asks) else {
        return Ok(alone);
    };
    let was = course.merged.review.value.additional_reviewer.as_ref();
    if review.before.is_some() && was == Some(additional) {
        return voted(review, course, rules, true);
    }
    Err(format!("{} would have been asked before a person", additional.role))
}

fn voted(
    review: &Review,
    course: &Course,
    rules: &MergedPolicy,
    additional: bool,
) -> Result<Judgement, String> {
    let (before, now) = (&course.merged.review.value, &rules.review.value);
    in_time(review, before, now)?;
    let (held, most) = (review.rounds, now.max_rounds());
    if held > most {
        return Err(format!("its voters were heard in {held} rounds, and would have been in {most}"));
    }
    let mut policy = policy(rules, additional)?;
    policy.weigh(&review.weights);
    let (ballots, absent) = usable(review, before, now, additional);
    let is_weighed = now.weights.unwrap_or_default() == Weights::Policy
        || now.voters.iter().all(|voter| is_weighed(voter, review, before));
    let author_models = course.author.as_slice();
    let case = Case {
        facts: policy.required_guards.iter().map(|name| passed(name)).collect(),
        subject: Subject { digest: &review.digest, author_models },
        policy,
        is_weighed,
    };
    match case.settled(ballots, &absent) {
        // None follows on the additional reviewer.
        Some(judgement) if judgement.again && held < most && !additional => {
            Err(format!("its voters would have been heard in another round, after {held}"))
        }
        Some(judgement) => Ok(judgement),
        None if !is_weighed => Err("it depends on the voters' track records, which were not recorded".into()),
        None => Err(format!("it depends on ballots by {}, which nobody gave", absent.join(", "))),
    }
}

/// Whether the votes would have been in by then. No round goes on longer than its rules let it.
fn in_time(review: &Review, before: &ReviewRules, now: &ReviewRules) -> Result<(), String> {
    let Some(took) = review.took else { return Ok(()) };
    let (seconds, limit) = (took.seconds().min(before.timeout_seconds), now.timeout_seconds);
    if seconds <= limit {
        return Ok(());
    }
    Err(match took {
        Took::Clock(_) => format!("its review took {seconds} seconds, and would have ended after {limit}"),
        Took::AtMost(_) => format!(
            "its review took up to {seconds} seconds, not counting what it waited, and would have ended after {limit}"
        ),
    })
}

fn policy(rules: &MergedPolicy, additional: bool) -> Result<Policy, String> {
    let value = match additional.then(|| with_additional(&rules.review.value)).flatten() {
        Some(extended) => extended,
        None => serde_json::to_value(&rules.review.value).map_err(|e| e.to_string())?,
    };
    let mut policy = policy_from_value(&value).map_err(|e| e.to_string())?;
    policy.required_guards = rules.required_guards().map(str::to_owned).collect();
    Ok(policy)
}

/// Guards are judged before; what comes here has passed them.
fn passed(name: &str) -> GuardFact {
    GuardFact { guard: name.to_owned(), verdict: GuardVerdict::Passed, required: true, digest: None }
}

/// The ballots of voters that both rules ask alike, and the roles whose ballot is missing.
fn usable(
    review: &Review,
    before: &ReviewRules,
    now: &ReviewRules,
    additional: bool,
) -> (Vec<Ballot>, Vec<String>) {
    let (mut ballots, mut absent) = (vec![], vec![]);
    let asked = now.voters.len() + usize::from(additional);
    for (role, model) in now.reviewers().take(asked) {
        let alike = before.asks((role, model));
        let mut own = review.ballots.iter().filter(|b| alike && b.role == role).cloned().peekable();
        // Who was asked and did not answer in time would not have answered now either, unless there is more time.
        let silent = alike && now.timeout_seconds <= before.timeout_seconds;
        if own.peek().is_none() && !silent {
            absent.push(role.to_owned());
        }
        ballots.extend(own);
    }
    (ballots, absent)
}

/// Whether it is recorded what the voter's opinion weighs: another model has another track record.
fn is_weighed(voter: &Voter, review: &Review, before: &ReviewRules) -> bool {
    let asked = (voter.role.as_str(), voter.model_ref.as_ref());
    before.asks(asked) && review.weights.iter().any(|weight| weight.role == voter.role)
}

/// What is decided about, and by what.
struct Case<'a> {
    policy: Policy,
    /// What all opinions weigh is known.
    is_weighed: bool,
    facts: Vec<GuardFact>,
    subject: Subject<'a>,
}

impl Case<'_> {
    /// What it comes to, if that is the same whatever the absent say, or if they say nothing.
    fn settled(&self, mut ballots: Vec<Ballot>, absent: &[String]) -> Option<Judgement> {
        let Some((role, rest)) = absent.split_first() else {
            return self.decided(&ballots);
        };
        if absent.len() > MOST_ABSENT {
            return None;
        }
        let silent = self.settled(ballots.clone(), rest)?;
        let ways = [
            (Verdict::Approve, false),
            (Verdict::Abstain, false),
            (Verdict::Reject, false),
            (Verdict::Reject, true),
        ];
        for (verdict, verified) in ways {
            ballots.push(imagined(role, verdict, verified, self.subject.digest));
            let told = self.settled(ballots.clone(), rest)?;
            ballots.pop();
            // Who would have rejected is not known either way; where it leads is.
            if (told.kind, told.again) != (silent.kind, silent.again) {
                return None;
            }
        }
        Some(silent)
    }

    /// None if it depends on weights that are not known: they matter where opinions differ, and decide neither of a quorum
    /// nor of a veto.
    fn decided(&self, ballots: &[Ballot]) -> Option<Judgement> {
        let decision = DecisionRecord::from(decide(&self.policy, ballots, &self.facts, self.subject, true));
        let by_weight = matches!(
            decision.decision,
            OutcomeKind::Approved | OutcomeKind::ChangesRequested | OutcomeKind::Tie
        );
        let differ = decision.tally.approve_weight > 0 && decision.tally.reject_weight > 0;
        if by_weight && differ && !self.is_weighed {
            return None;
        }
        Some(Judgement {
            kind: decision.decision,
            next: decision.next,
            again: decision.is_worth_another_round(),
            objections: decision.dissent.into_iter().map(|ballot| ballot.voter).collect(),
            reason: decision.reason,
        })
    }
}

fn imagined(role: &str, verdict: Verdict, verified: bool, digest: &str) -> Ballot {
    Ballot {
        voter: role.to_owned(),
        role: role.to_owned(),
        // Of nobody's: who is asked anew is asked by the rules.
        model: "imagined".into(),
        answered_by: vec![],
        verdict,
        severity: Severity::default(),
        confidence: 0,
        evidence: vec![Evidence { verified, ..Evidence::default() }],
        rationale: String::new(),
        digest: digest.to_owned(),
        round: 1,
        cast_after_seconds: None,
    }
}
