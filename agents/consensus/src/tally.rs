//! Exact weights of what was cast.
//!
//! A role's weight is the role's: if more voters speak for it than it has seats, they share its weight
//! equally. Nobody gains by sending more voters, and no name decides who counts. To stay in integers, all
//! weights of such a tally are multiplied by `scale`, the least common multiple of the sharers' numbers.
//!
//! What is cast is counted by the policy's weights, so that nobody's track record decides who must be heard. Opinions
//! are counted by what the policy says they weigh; where that follows track records, `scale` is 1000 times as much.

use crate::ballot::Verdict;
use crate::count::Role;
use crate::policy::Policy;
use serde::{Deserialize, Serialize};

/// Weights of one review, in weight units times `scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// The policy's weight of all that approve, reject or abstain.
    pub cast_weight: u64,
    /// Of the opinions: what the policy gives the voters, or what their track records make of that.
    pub approve_weight: u64,
    pub reject_weight: u64,
    pub total_weight: u64,
    /// The weight that must be cast.
    pub quorum: u64,
    /// What all of them are multiplied by. 1, but where more voters than seats share a role's weight, or opinions follow
    /// track records.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub scale: u64,
}

fn one() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one(scale: &u64) -> bool {
    *scale == 1
}

impl Tally {
    /// Whether enough weight was cast. Weightless ballots alone are no quorum.
    pub fn has_quorum(&self) -> bool {
        self.cast_weight >= self.quorum && self.cast_weight > 0
    }

    fn add(&mut self, verdict: Verdict, cast: u64, opinion: u64) {
        self.cast_weight = self.cast_weight.saturating_add(cast);
        match verdict {
            Verdict::Approve => self.approve_weight = self.approve_weight.saturating_add(opinion),
            Verdict::Reject => self.reject_weight = self.reject_weight.saturating_add(opinion),
            Verdict::Abstain => {}
        }
    }

    /// At least `percent` of the opinions, and more for than against.
    pub fn approves(&self, percent: u32) -> bool {
        let (approve, reject) = (u128::from(self.approve_weight), u128::from(self.reject_weight));
        approve > reject && approve * 100 >= (approve + reject) * u128::from(percent)
    }
}

/// A verdict and the index of the role it was given for.
pub(crate) type Cast = (usize, Verdict);

/// The shares of roles' weights that their voters have.
pub(crate) struct Shares {
    scale: u64,
    roles: Vec<RoleShare>,
}

#[derive(Clone, Copy, Default)]
struct RoleShare {
    voters: u64,
    /// Of one voter, times the scale.
    cast: u64,
    opinion: u64,
}

impl Shares {
    /// For voters given by their roles; `unit` is the policy's.
    pub(crate) fn of(roles: &[Role<'_>], unit: u64, voters: impl Iterator<Item = usize>) -> Self {
        let mut shares = vec![RoleShare::default(); roles.len()];
        for role in voters {
            if let Some(share) = shares.get_mut(role) {
                share.voters += 1;
            }
        }
        let multiple =
            roles.iter().zip(&shares).fold(1, |scale, (role, share)| scale_for(role, share.voters, scale));
        let scale = unit.saturating_mul(multiple);
        for (role, share) in roles.iter().zip(&mut shares) {
            share.cast = one_of(role, share.voters, role.rule.weight, scale);
            share.opinion = one_of(role, share.voters, role.opinion, multiple);
        }
        Self { scale, roles: shares }
    }

    /// What the ballot of one voter of a role counts towards the quorum.
    fn cast(&self, role: usize) -> u64 {
        self.roles.get(role).map_or(0, |share| share.cast)
    }

    /// What the opinion of one voter of a role weighs.
    pub(crate) fn opinion(&self, role: usize) -> u64 {
        self.roles.get(role).map_or(0, |share| share.opinion)
    }

    /// How many voters each role has.
    pub(crate) fn voters(&self) -> impl Iterator<Item = u64> {
        self.roles.iter().map(|share| share.voters)
    }
}

/// What one of a role's voters has of its seats' weight, times the scale, which is a multiple of the sharers' number.
fn one_of(role: &Role<'_>, voters: u64, weight: u64, scale: u64) -> u64 {
    if voters <= role.seats {
        weight.saturating_mul(scale)
    } else {
        weight.saturating_mul(role.seats).saturating_mul(scale) / voters
    }
}

/// All weight and the quorum, in the policy's own units: sharing does not move them.
#[derive(Clone, Copy)]
pub(crate) struct Needs {
    total: u64,
    quorum: u64,
}

impl Needs {
    pub(crate) fn of(policy: &Policy) -> Self {
        Self { total: policy.total_weight(), quorum: policy.quorum_weight() }
    }
}

/// Sums the weights. A validated policy's sums fit 64 bits (at most 1.5 × 10^12 × lcm(1..=16)); others saturate.
pub(crate) fn tally(needs: Needs, shares: &Shares, cast: impl Iterator<Item = Cast>) -> Tally {
    let scale = shares.scale;
    let mut sums = Tally {
        cast_weight: 0,
        approve_weight: 0,
        reject_weight: 0,
        total_weight: needs.total.saturating_mul(scale),
        quorum: needs.quorum.saturating_mul(scale),
        scale,
    };
    for (role, verdict) in cast {
        sums.add(verdict, shares.cast(role), shares.opinion(role));
    }
    sums
}

/// `percent` of `total`, rounded up.
pub(crate) fn percent_of(total: u64, percent: u32) -> u64 {
    match total.checked_mul(percent.into()) {
        Some(product) => product.div_ceil(100),
        None => u64::try_from((u128::from(total) * u128::from(percent)).div_ceil(100)).unwrap_or(u64::MAX),
    }
}

/// A role with more voters than seats divides seats × weight by its voters.
fn scale_for(role: &Role<'_>, voters: u64, scale: u64) -> u64 {
    if voters <= role.seats { scale } else { scale / gcd(scale, voters) * voters }
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
