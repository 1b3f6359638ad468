//! The power of a policy's seats.
//!
//! The game: every seat votes, a coalition approves and the others reject; it wins if the outcome is `Approved`. So
//! the quorum and required voters are met (an abstention or an absence is no coalition's choice), guards passed,
//! and a seat with a veto belongs to every winning coalition. So does an additional seat that the others make no quorum
//! without: it adds to the quorum by approving only. Seats weigh what their opinions do.

use super::{Fraction, PowerError, Seat, indices};
use crate::policy::{Policy, Voter, validate_policy};
use crate::tally::percent_of;
use serde::{Deserialize, Serialize};

/// One seat's power under the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeatPower {
    pub role: String,
    pub shapley_shubik: Fraction,
    pub banzhaf: Fraction,
    pub penrose_banzhaf: Fraction,
}

/// The weight that approves if everyone votes: the policy's share rounded up, and more than half.
fn approval_quota(policy: &Policy) -> u64 {
    let total = policy.voters.iter().fold(0, |sum: u64, voter| sum.saturating_add(policy.opinion(voter)));
    percent_of(total, policy.approval_share()).max(total / 2 + 1)
}

/// The power of each seat, in the policy's order.
pub fn policy_power(policy: &Policy) -> Result<Vec<SeatPower>, PowerError> {
    validate_policy(policy)?;
    let others = |v: &Voter| policy.total_weight().saturating_sub(v.weight);
    let is_needed = |v: &Voter| v.veto || (v.additional && others(v) < policy.quorum_weight());
    let seats: Vec<Seat> =
        policy.voters.iter().map(|v| Seat { weight: policy.opinion(v), veto: is_needed(v) }).collect();
    let power = indices(&seats, approval_quota(policy))?;
    let roles = policy.voters.iter().map(|v| v.role.clone());
    let indices = power.shapley_shubik.into_iter().zip(power.banzhaf).zip(power.penrose_banzhaf);
    let seats = roles.zip(indices).map(|(role, ((shapley_shubik, banzhaf), penrose_banzhaf))| SeatPower {
        role,
        shapley_shubik,
        banzhaf,
        penrose_banzhaf,
    });
    Ok(seats.collect())
}
