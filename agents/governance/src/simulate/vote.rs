//! One round of a review, decided by some rules from the ballots there are.

use super::course::Course;
use super::rounds::{Review, Took};
use crate::additional::with_additional;
use crate::merged::MergedPolicy;
use golden_consensus::{
    Ballot, DecisionRecord, Evidence, GuardFact, GuardVerdict, Next, OutcomeKind, Policy, Severity, Subject,
    Verdict, decide, policy_from_value,
};
use golden_crds::agent_team::ModelRef;
use golden_crds::governance_policy::{ReviewRules, Voter, Weights};
use std::collections::BTreeSet;

/// Absent ballots whose every value is tried, so many at most: five values each make 3125 decisions.
const MOST_ABSENT: usize = 5;

/// What a round came to.
pub(super) struct Vote {
    pub(super) kind: OutcomeKind,
    pub(super) next: Next,
    /// Who rejects, or may.
    pub(super) objections: BTreeSet<String>,
    pub(super) reason: String,
    /// Another round is held.
    pub(super) again: bool,
    /// Roles whose ballot is missing; what it comes to is the same whatever they say.
    pub(super) absent: Vec<String>,
    /// The ballots there are hold the recorded objections, all of them.
    pub(super) is_heard_alike: bool,
}

/// Decides a round, the `held`th, by these rules, or says what is missing for that.
pub(super) fn vote(
    (beside, review): (bool, &Review),
    held: usize,
    course: &Course,
    rules: &MergedPolicy,
) -> Result<Vote, String> {
    let (before, now) = (&course.merged.review.value, &rules.review.value);
    in_time(review, held > 1 && !beside, before, now)?;
    let mut policy = policy(rules, beside)?;
    policy.weigh(&review.weights);
    let (ballots, absent) = usable(review, before, now, beside);
    let is_heard_alike = objectors(&ballots) == objectors(&review.ballots);
    let is_weighed = now.weights.unwrap_or_default() == Weights::Policy
        || now.voters.iter().all(|voter| is_weighed(voter, review, before));
    let case = Case {
        facts: policy.required_guards.iter().map(|name| passed(name)).collect(),
        subject: Subject { digest: &review.digest, author_models: course.author.as_slice() },
        policy,
        is_weighed,
        // None follows on the additional reviewer.
        more: !beside && u32::try_from(held).is_ok_and(|held| held < now.max_rounds()),
    };
    match case.settled(ballots, &absent) {
        Some(mut vote) => {
            vote.objections.extend(absent.iter().cloned());
            Ok(Vote { absent, is_heard_alike, ..vote })
        }
        None if !is_weighed => Err("it depends on the voters' track records, which were not recorded".into()),
        None => Err(format!("it depends on ballots by {}, which nobody gave", absent.join(", "))),
    }
}

/// Whose rejections there are: what another round hears.
fn objectors(ballots: &[Ballot]) -> BTreeSet<&str> {
    let rejecting = ballots.iter().filter(|ballot| ballot.verdict == Verdict::Reject);
    rejecting.map(|ballot| ballot.voter.as_str()).collect()
}

/// Whether the votes would have been in by then, and none after that. No round goes on longer than its rules let it.
fn in_time(review: &Review, hears: bool, before: &ReviewRules, now: &ReviewRules) -> Result<(), String> {
    let Some(took) = review.took else { return Ok(()) };
    let (seconds, limit) = (took.seconds().min(before.timeout_seconds), now.timeout_seconds);
    if hears && seconds == before.timeout_seconds && seconds < limit {
        // Who hears objections and says nothing is counted with the ballot of the round before.
        return Err("somebody may have had no time to answer objections, and would have had more".into());
    }
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

/// The ballots of voters that were asked as these rules ask, and the roles whose ballot is missing.
fn usable(
    review: &Review,
    before: &ReviewRules,
    now: &ReviewRules,
    beside: bool,
) -> (Vec<Ballot>, Vec<String>) {
    let (mut ballots, mut absent) = (vec![], vec![]);
    for (role, model) in asked(now, beside) {
        let alike = asked(before, beside).any(|was| was == (role, model));
        let mut own = review.ballots.iter().filter(|b| alike && b.role == role).cloned().peekable();
        // Who was asked and did not answer in time would not have answered now either, unless there is more time. Of
        // whoever was not asked, nothing is known.
        let silent = alike && now.timeout_seconds <= before.timeout_seconds;
        if own.peek().is_none() && !silent {
            absent.push(role.to_owned());
        }
        ballots.extend(own);
    }
    (ballots, absent)
}

/// Role and model of all who are asked in a round: the additional reviewer in its own alone.
fn asked(rules: &ReviewRules, beside: bool) -> impl Iterator<Item = (&str, Option<&ModelRef>)> {
    rules.reviewers().take(rules.voters.len() + usize::from(beside))
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
    /// There are rounds left.
    more: bool,
    facts: Vec<GuardFact>,
    subject: Subject<'a>,
}

impl Case<'_> {
    /// What it comes to, if that is the same whatever the absent say, or if they say nothing.
    fn settled(&self, mut ballots: Vec<Ballot>, absent: &[String]) -> Option<Vote> {
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
    fn decided(&self, ballots: &[Ballot]) -> Option<Vote> {
        let decision = DecisionRecord::from(decide(&self.policy, ballots, &self.facts, self.subject, true));
        let by_weight = matches!(
            decision.decision,
            OutcomeKind::Approved | OutcomeKind::ChangesRequested | OutcomeKind::Tie
        );
        let differ = decision.tally.approve_weight > 0 && decision.tally.reject_weight > 0;
        if by_weight && differ && !self.is_weighed {
            return None;
        }
        Some(Vote {
            kind: decision.decision,
            next: decision.next,
            again: self.more && decision.is_worth_another_round(),
            absent: vec![],
            is_heard_alike: false,
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
