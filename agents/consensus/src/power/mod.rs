//! Exact voting power: how often each voter decides.
//!
//! A voter swings a losing coalition that wins once the voter joins. Two answers to how often that happens:
//! * Shapley–Shubik (1954): all orders in which voters may join are equally likely; the share of orders in which the
//!   voter swings those before. With `c(s)` the swung coalitions of `s` among `n` voters:
//!   `Σ_s c(s) · s! (n − 1 − s)! / n! = Σ_s c(s) / (n · binomial(n − 1, s))`.
//! * Banzhaf (1965): all coalitions are equally likely; the voter's part of all swings, so that parts sum to 1. Not
//!   normalised it is Penrose's (1946): the share of the other voters' `2^(n − 1)` coalitions that are swung.
//!
//! Who may veto belongs to every winning coalition; the others then need the quota less the vetoers' weight. Voters
//! without weight and veto never swing; they are left out of the counts, which changes no other voter's index.

mod fraction;
pub(crate) mod halves;
mod policy;
mod swings;
pub(crate) mod table;
mod wide;

pub use fraction::Fraction;
pub use policy::{SeatPower, policy_power};

use crate::policy::{MAX_TOTAL_WEIGHT, MAX_VOTERS};
use num_bigint::BigUint;
use num_integer::Integer as _;
use serde::Serialize;
use swings::{Counts, binomials};

/// Each voter's power, in the order of the weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Power {
    pub shapley_shubik: Vec<Fraction>,
    /// Normalised: sums to 1.
    pub banzhaf: Vec<Fraction>,
    /// Not normalised: the probability to decide if everyone else tosses a coin.
    pub penrose_banzhaf: Vec<Fraction>,
}

/// Why power cannot be computed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PowerError {
    #[error(transparent)]
    Policy(#[from] crate::policy::PolicyError),
    #[error("no weights; give one for each voter")]
    NoVoters,
    #[error("{0} weights, at most {MAX_VOTERS} are possible")]
    TooManyVoters(usize),
    #[error("the weights sum to {0}, at most {MAX_TOTAL_WEIGHT} is possible; scale them down")]
    TooMuchWeight(u128),
    #[error(
        "quota {quota} is outside 1 to {total}, the sum of the weights: nobody or everybody would decide"
    )]
    QuotaOutside { quota: u64, total: u64 },
    #[error(
        "{voters} voters with a quota of {quota} (or its dual, in units of the weights' common divisor) need more than \
         512 MiB to count exactly; scale the weights down"
    )]
    TooLarge { voters: usize, quota: u64 },
}

/// The power of voters with these weights where a coalition wins that weighs at least `quota`.
///
/// Exact. Time and memory grow with voters² and with the smaller of quota and total − quota + 1, over the weights'
/// greatest common divisor (188 voters of 1 to 1000: well below a second); up to 34 voters may have any weights.
pub fn power(weights: &[u64], quota: u64) -> Result<Power, PowerError> {
    let total = total(weights)?;
    if quota == 0 || quota > total {
        return Err(PowerError::QuotaOutside { quota, total });
    }
    let voters: Vec<Seat> = weights.iter().map(|weight| Seat { weight: *weight, veto: false }).collect();
    indices(&voters, quota)
}

fn total(weights: &[u64]) -> Result<u64, PowerError> {
    if weights.is_empty() {
        return Err(PowerError::NoVoters);
    }
    if weights.len() > MAX_VOTERS {
        return Err(PowerError::TooManyVoters(weights.len()));
    }
    let total: u128 = weights.iter().copied().map(u128::from).sum();
    u64::try_from(total).ok().filter(|t| *t <= MAX_TOTAL_WEIGHT).ok_or(PowerError::TooMuchWeight(total))
}

/// One voter of a game.
#[derive(Clone, Copy)]
struct Seat {
    weight: u64,
    veto: bool,
}

/// `quota` is at least 1 and at most the sum of all weights.
fn indices(seats: &[Seat], quota: u64) -> Result<Power, PowerError> {
    let others: Vec<u64> = seats.iter().filter(|s| !s.veto && s.weight > 0).map(|s| s.weight).collect();
    let vetoers = seats.iter().filter(|s| s.veto).count();
    let vetoed: u64 = seats.iter().filter(|s| s.veto).map(|s| s.weight).sum();
    let counts = match quota.checked_sub(vetoed) {
        Some(needed) if needed > 0 => swings::count(&others, needed)?,
        // Those with a veto have the quota among themselves: without them nothing wins, with them everything.
        _ => Counts { swings: [].into(), losing: vec![BigUint::ZERO; others.len() + 1] },
    };
    let game = Game { counts, vetoers, others: others.len() };
    let swung: Vec<Vec<BigUint>> = seats.iter().map(|seat| game.swung(*seat)).collect();
    Ok(game.power(&swung))
}

/// A counted game of `vetoers + others` voters.
struct Game {
    counts: Counts,
    vetoers: usize,
    others: usize,
}

impl Game {
    /// The coalitions of 0, 1, … other voters that this one swings.
    fn swung(&self, seat: Seat) -> Vec<BigUint> {
        let voters = self.vetoers + self.others;
        let mut by_size = vec![BigUint::ZERO; voters];
        if seat.veto {
            let all = binomials(self.others);
            for (size, (all, losing)) in all.iter().zip(&self.counts.losing).enumerate() {
                by_size[self.vetoers - 1 + size] = all - losing;
            }
        } else if let Some(swings) = self.counts.swings.get(&seat.weight) {
            for (size, number) in swings.iter().enumerate() {
                by_size[self.vetoers + size].clone_from(number);
            }
        }
        by_size
    }

    fn power(&self, swung: &[Vec<BigUint>]) -> Power {
        let voters = self.vetoers + self.others;
        // All denominators n · binomial(n − 1, s) divide the least common multiple of 1 to n (Farhi 2009).
        let common = (1..=voters).fold(BigUint::from(1u32), |l, n| l.lcm(&BigUint::from(n)));
        let orders: Vec<BigUint> =
            binomials(voters.saturating_sub(1)).iter().map(|b| &common / (b * voters)).collect();
        let swings: Vec<BigUint> = swung.iter().map(|by_size| by_size.iter().sum()).collect();
        let all: BigUint = swings.iter().sum();
        let coalitions = BigUint::from(1u32) << voters.saturating_sub(1);
        let shares = swung.iter().map(|by_size| {
            let sum: BigUint = by_size.iter().zip(&orders).map(|(number, share)| number * share).sum();
            Fraction::new(sum, common.clone())
        });
        Power {
            shapley_shubik: shares.collect(),
            banzhaf: swings.iter().map(|s| Fraction::new(s.clone(), all.clone())).collect(),
            penrose_banzhaf: swings.iter().map(|s| Fraction::new(s.clone(), coalitions.clone())).collect(),
        }
    }
}
