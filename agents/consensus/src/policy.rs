//! The rules of a decision, and the check that they can be met at all.

use crate::reliability::{LEAST_PER_MILLE, MOST_PER_MILLE, SeatWeight};
use crate::tally::percent_of;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Voters a policy may name. Well above any team, low enough that every decision stays quick.
pub const MAX_VOTERS: usize = 1024;

/// Largest sum of weights, in weight units: shared seats multiply it by less than 10^6, which fits 64 bits.
pub const MAX_TOTAL_WEIGHT: u64 = 1_000_000_000_000;

/// Most rounds: what is not agreed by then is for a person, and long debate makes agreement rather than finds it.
pub const MAX_ROUNDS: u32 = 10;

/// How ballots become a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// The voters; a role listed `n` times has `n` seats of the same weight.
    pub voters: Vec<Voter>,
    /// Percent (1 to 100) of the total weight that must be cast, abstentions included, rounded up.
    #[serde(default = "half")]
    pub quorum_percent: u32,
    /// Percent (1 to 100) of approving among approving and rejecting weight that approves. At least this
    /// share, and always more approving than rejecting weight, so that values up to 50 mean a plain majority.
    #[serde(default = "half")]
    pub approve_percent: u32,
    /// What a tie leads to.
    #[serde(default)]
    pub on_tie: OnUndecided,
    /// What a review leads to that closes without a quorum or without a required voter.
    #[serde(default)]
    pub on_timeout: OnUndecided,
    /// Guards without whose passing nothing is approved, in addition to the facts marked as required:
    /// a guard of which no fact arrived blocks too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required_guards: Vec<String>,
    /// How often voters are asked.
    #[serde(default)]
    pub rounds: Rounds,
    /// What makes a reviewer independent of the author.
    #[serde(default)]
    pub independence: Independence,
    /// What opinions weigh.
    #[serde(default)]
    pub weights: Weights,
    /// How long a review is open, in seconds of its own clock. A ballot that says it came later does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
}

/// How often voters are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rounds {
    /// 1 to [`MAX_ROUNDS`].
    pub max: u32,
    /// Always true: a vote that knows the others' is not its own.
    pub blind_first: bool,
}

impl Default for Rounds {
    fn default() -> Self {
        Self { max: 1, blind_first: true }
    }
}

/// What makes a reviewer independent of the author.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Independence {
    /// Any model may judge, the author's own too.
    #[default]
    None,
    /// Another model than made it. Ballots by the author's model, and by one that is not known, do not count: their
    /// seats are empty.
    DifferentModel,
}

/// What opinions weigh. Quorum, required voters and vetoes know the policy's weights alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Weights {
    /// What the policy gives the voters.
    #[default]
    Policy,
    /// That, times what each voter's track record made of it when the review opened ([`Voter::weight_per_mille`]).
    TrackRecord,
}

fn half() -> u32 {
    50
}

/// One seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Voter {
    pub role: String,
    /// Weight units; 0 is an observer, whose ballot is kept but weighs nothing.
    #[serde(default = "one")]
    pub weight: u64,
    /// A rejection by this role stops the change.
    #[serde(default)]
    pub veto: bool,
    /// No decision without this role's ballot. An abstention is a ballot.
    #[serde(default)]
    pub required: bool,
    /// What an opinion's weight is multiplied by, in thousandths, 500 to 1500; 1000 if absent. Only with
    /// [`Weights::TrackRecord`], and not of an additional seat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_per_mille: Option<u32>,
    /// Asked beside the others after they came to no decision. It has no rights, the least weight of the policy, which no
    /// track record moves, and the word on vetoes whose evidence nobody could verify: if it approves, they are rejections
    /// like any other.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub additional: bool,
}

fn one() -> u64 {
    1
}

/// What an undecided review leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnUndecided {
    /// A person decides.
    #[default]
    Escalate,
    /// The change goes back with the dissent.
    Reject,
}

/// Why a policy cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    #[error("policy is not readable: {0}; write it as GovernancePolicy.spec.review")]
    Unreadable(String),
    #[error("policy has an unknown field {0}; check its spelling, an ignored rule would look enforced")]
    UnknownField(String),
    #[error("policy names no voters; add at least one to review.voters")]
    NoVoters,
    #[error("policy names {0} voters, at most {MAX_VOTERS} are possible")]
    TooManyVoters(usize),
    #[error("voter number {0} has no role; name it")]
    EmptyRole(usize),
    #[error("role {0} is listed with different weights or rights; seats of one role must be alike")]
    UnequalSeats(String),
    #[error(
        "additional role {role} has a seat of weight {weight}; give it one seat with neither a veto nor required nor \
         weightPerMille, and at most the least weight above 0 of the others ({least}), so that it settles what they leave \
         open and nothing else"
    )]
    Additional { role: String, weight: u64, least: u64 },
    #[error("weights {0} sum to 0, so that no quorum can be reached; give a voter a weight above 0")]
    NoWeight(String),
    #[error("weights {weights} sum to more than {max}; scale them down")]
    TooMuchWeight { weights: String, max: u64 },
    #[error(
        "role {0} has weightPerMille, which would count for nothing: leave it out, or ask for weights: TrackRecord"
    )]
    UnaskedRecord(String),
    #[error("role {role} has weightPerMille {per_mille}; use {LEAST_PER_MILLE} to {MOST_PER_MILLE}")]
    RecordOutside { role: String, per_mille: u32 },
    #[error(
        "quorumPercent {percent} of total weight {total} needs {needed}, which cannot be reached; use 1 to 100"
    )]
    QuorumUnreachable { percent: u32, total: u64, needed: u64 },
    #[error(
        "approvePercent {percent} cannot be met: use 1 to 100 (100 is unanimity of those who do not abstain)"
    )]
    ApprovalUnreachable { percent: u32 },
    #[error("requiredGuards has an empty name; remove it or name the guard")]
    EmptyGuard,
    #[error("rounds.max is {0}; use 1 to {MAX_ROUNDS}")]
    Rounds(u32),
    #[error(
        "rounds.blindFirst is false, which is not possible: leave it out, the first round is always blind"
    )]
    FirstRoundNotBlind,
    #[error("timeoutSeconds is 0, so that no ballot comes in time; give voters longer or leave it out")]
    NoTime,
}

impl Policy {
    /// The sum of all weights; saturates (a policy that validates cannot reach that).
    pub fn total_weight(&self) -> u64 {
        self.voters.iter().fold(0, |sum, v| sum.saturating_add(v.weight))
    }

    /// Parts that a unit of weight is divided into: thousandths where opinions follow track records.
    pub(crate) fn unit(&self) -> u64 {
        match self.weights {
            Weights::Policy => 1,
            Weights::TrackRecord => 1000,
        }
    }

    /// What an opinion of this voter weighs, in parts of [`Policy::unit`].
    pub(crate) fn opinion(&self, voter: &Voter) -> u64 {
        match self.weights {
            Weights::Policy => voter.weight,
            Weights::TrackRecord => {
                voter.weight.saturating_mul(voter.weight_per_mille.unwrap_or(1000).into())
            }
        }
    }

    /// Gives each role the weight that was found for it. Nothing, unless opinions follow track records; who is not named
    /// has the policy's, and so has an additional seat in any case.
    pub fn weigh(&mut self, weights: &[SeatWeight]) {
        if self.weights == Weights::Policy {
            return;
        }
        for voter in self.voters.iter_mut().filter(|voter| !voter.additional) {
            let found = weights.iter().find(|weight| weight.role == voter.role);
            voter.weight_per_mille = found.map(|weight| weight.per_mille);
        }
    }

    /// The percentage of approving among approving and rejecting weight that approves, in force: half at least, all at
    /// most. Beside it, more must approve than reject.
    pub(crate) fn approval_share(&self) -> u32 {
        self.approve_percent.clamp(50, 100)
    }

    /// The weight that must be cast: the percentage rounded up, and never nothing.
    pub fn quorum_weight(&self) -> u64 {
        percent_of(self.total_weight(), self.quorum_percent).max(1)
    }
}

/// Checks that a policy can decide: bounds, alike seats, a positive sum, a reachable quorum.
pub fn validate_policy(policy: &Policy) -> Result<(), PolicyError> {
    check_voters(&policy.voters)?;
    let total: u128 = policy.voters.iter().map(|v| u128::from(v.weight)).sum();
    if total == 0 {
        return Err(PolicyError::NoWeight(sum_text(&policy.voters)));
    }
    let max = MAX_TOTAL_WEIGHT / policy.unit();
    if total > u128::from(max) {
        return Err(PolicyError::TooMuchWeight { weights: sum_text(&policy.voters), max });
    }
    check_records(policy)?;
    if !(1..=100).contains(&policy.quorum_percent) {
        let (percent, total) = (policy.quorum_percent, policy.total_weight());
        return Err(PolicyError::QuorumUnreachable { percent, total, needed: policy.quorum_weight() });
    }
    if !(1..=100).contains(&policy.approve_percent) {
        return Err(PolicyError::ApprovalUnreachable { percent: policy.approve_percent });
    }
    if policy.required_guards.iter().any(String::is_empty) {
        return Err(PolicyError::EmptyGuard);
    }
    check_rounds(policy)
}

fn check_records(policy: &Policy) -> Result<(), PolicyError> {
    for voter in &policy.voters {
        let Some(per_mille) = voter.weight_per_mille else { continue };
        let role = voter.role.clone();
        if policy.weights == Weights::Policy {
            return Err(PolicyError::UnaskedRecord(role));
        }
        if !(LEAST_PER_MILLE..=MOST_PER_MILLE).contains(&per_mille) {
            return Err(PolicyError::RecordOutside { role, per_mille });
        }
    }
    Ok(())
}

fn check_rounds(policy: &Policy) -> Result<(), PolicyError> {
    if !(1..=MAX_ROUNDS).contains(&policy.rounds.max) {
        return Err(PolicyError::Rounds(policy.rounds.max));
    }
    if !policy.rounds.blind_first {
        return Err(PolicyError::FirstRoundNotBlind);
    }
    if policy.timeout_seconds == Some(0) {
        return Err(PolicyError::NoTime);
    }
    Ok(())
}

fn check_voters(voters: &[Voter]) -> Result<(), PolicyError> {
    if voters.is_empty() {
        return Err(PolicyError::NoVoters);
    }
    if voters.len() > MAX_VOTERS {
        return Err(PolicyError::TooManyVoters(voters.len()));
    }
    check_additional(voters)?;
    let mut seen: BTreeMap<&str, &Voter> = BTreeMap::new();
    for (index, voter) in voters.iter().enumerate() {
        if voter.role.is_empty() {
            return Err(PolicyError::EmptyRole(index + 1));
        }
        if seen.insert(&voter.role, voter).is_some_and(|first| first != voter) {
            return Err(PolicyError::UnequalSeats(voter.role.clone()));
        }
    }
    Ok(())
}

fn check_additional(voters: &[Voter]) -> Result<(), PolicyError> {
    let mut additional = voters.iter().filter(|v| v.additional);
    let Some(one) = additional.next() else { return Ok(()) };
    let least = least_weight(voters.iter().filter(|v| !v.additional).map(|v| v.weight));
    let more = one.veto || one.required || one.weight_per_mille.is_some() || one.weight > least;
    if more || additional.next().is_some() {
        return Err(PolicyError::Additional { role: one.role.clone(), weight: one.weight, least });
    }
    Ok(())
}

/// The weight of an additional reviewer beside voters of these weights: the least above 0, so that by the policy it
/// outweighs none whose vote weighs at all; 0 where all are 0.
pub fn least_weight(weights: impl IntoIterator<Item = u64>) -> u64 {
    weights.into_iter().filter(|weight| *weight > 0).min().unwrap_or(0)
}

/// `1 + 2 + 3`, cut short where it would be long.
fn sum_text(voters: &[Voter]) -> String {
    let shown: Vec<String> = voters.iter().take(12).map(|v| v.weight.to_string()).collect();
    let more = if voters.len() > shown.len() { " + …" } else { "" };
    format!("{}{more}", shown.join(" + "))
}
