//! Exact weights of what was cast.
//!
//! A role's weight is the role's: if more voters speak for it than it has seats, they share its weight
//! equally. Nobody gains by sending more voters, and no name decides who counts. To stay in integers, all
//! weights of such a tally are multiplied by `scale`, the least common multiple of the sharers' numbers.

use crate::ballot::Verdict;
use crate::count::Role;
use crate::policy::Policy;
use serde::{Deserialize, Serialize};

/// Weights of one review, in weight units times `scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Approving, rejecting and abstaining weight.
    pub cast_weight: u64,
    pub approve_weight: u64,
    pub reject_weight: u64,
    pub total_weight: u64,
    /// The weight that must be cast.
    pub quorum: u64,
    /// 1, but where more voters than seats share a role's weight.
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

    fn add(&mut self, verdict: Verdict, weight: u64) {
        self.cast_weight = self.cast_weight.saturating_add(weight);
        match verdict {
            Verdict::Approve => self.approve_weight = self.approve_weight.saturating_add(weight),
            Verdict::Reject => self.reject_weight = self.reject_weight.saturating_add(weight),
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
    weight: u64,
}

impl Shares {
    /// For voters given by their roles.
    pub(crate) fn of(roles: &[Role<'_>], voters: impl Iterator<Item = usize>) -> Self {
        let mut shares = vec![RoleShare::default(); roles.len()];
        for role in voters {
            if let Some(share) = shares.get_mut(role) {
                share.voters += 1;
            }
        }
        let scale =
            roles.iter().zip(&shares).fold(1, |scale, (role, share)| scale_for(role, share.voters, scale));
        for (role, share) in roles.iter().zip(&mut shares) {
            share.weight = if share.voters <= role.seats {
                role.rule.weight.saturating_mul(scale)
            } else {
                // Exact: the scale is a multiple of the sharers' number.
                weight(role).saturating_mul(scale) / share.voters
            };
        }
        Self { scale, roles: shares }
    }

    /// The weight of one voter of a role.
    pub(crate) fn one(&self, role: usize) -> u64 {
        self.roles.get(role).map_or(0, |share| share.weight)
    }

    /// How many voters each role has.
    pub(crate) fn voters(&self) -> impl Iterator<Item = u64> {
        self.roles.iter().map(|share| share.voters)
    }
}

fn weight(role: &Role<'_>) -> u64 {
    role.rule.weight.saturating_mul(role.seats)
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

/// Sums the weights. A validated policy's sums fit 64 bits (10^12 × lcm(1..=16)); others saturate.
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
        sums.add(verdict, shares.one(role));
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
