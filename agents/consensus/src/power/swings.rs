//! How many coalitions each voter makes win: the game in its smallest form, and the way to count it.

use super::PowerError;
use super::halves;
use super::table::Shape;
use num_bigint::BigUint;
use num_integer::Integer as _;
use std::collections::BTreeMap;

/// Words of 64 bits that a table may have: 512 MiB.
const MAX_TABLE_WORDS: usize = 1 << 26;

/// Fewer voters than these are counted in halves, which is then always quick.
const FEW: usize = 18;

/// What was counted of a game with a quota.
pub(crate) struct Counts {
    /// Of each distinct weight, by size: the losing coalitions that one voter of it, not among them, makes win.
    pub(crate) swings: BTreeMap<u64, Vec<BigUint>>,
    /// By size, all losing coalitions.
    pub(crate) losing: Vec<BigUint>,
}

/// Counts the game of these weights, each at least 1; `1 ≤ quota ≤` their sum. Keys are the weights as given.
pub(crate) fn count(weights: &[u64], quota: u64) -> Result<Counts, PowerError> {
    let total: u64 = weights.iter().sum();
    // The dual game: a coalition wins if those outside it cannot win. A voter makes a coalition win there just if
    // it makes the rest win here, so that half of the weights suffice.
    let dual = quota > total - quota + 1;
    let needed = if dual { total - quota + 1 } else { quota };
    let game = Smallest::of(weights, needed);
    let counts = game.count()?;
    let voters = weights.len();
    let swings = weights.iter().map(|weight| {
        let mut by_size = counts.swings.get(&game.reduced(*weight)).cloned().unwrap_or_default();
        if dual {
            by_size.reverse();
        }
        (*weight, by_size)
    });
    let swings = swings.collect();
    let losing = if dual { turned(&counts.losing, voters) } else { counts.losing };
    Ok(Counts { swings, losing })
}

/// A coalition loses in the dual game if the rest wins.
fn turned(losing: &[BigUint], voters: usize) -> Vec<BigUint> {
    let all = binomials(voters);
    (0..=voters).map(|size| &all[size] - &losing[voters - size]).collect()
}

/// The binomial coefficients of `n`, from "choose 0" to "choose n".
pub(crate) fn binomials(n: usize) -> Vec<BigUint> {
    let mut row = vec![BigUint::from(1u32)];
    for k in 0..n {
        row.push(&row[k] * (n - k) / (k + 1));
    }
    row
}

/// A game with smaller numbers in which the same coalitions win: no weight counts above the quota, and what
/// divides all weights goes.
struct Smallest {
    weights: Vec<u64>,
    quota: u64,
    cap: u64,
    divisor: u64,
}

impl Smallest {
    fn of(weights: &[u64], quota: u64) -> Self {
        let divisor = weights.iter().fold(0, |d, weight| d.gcd(&(*weight).min(quota))).max(1);
        let mut game = Self { weights: vec![], quota: quota.div_ceil(divisor), cap: quota, divisor };
        game.weights = weights.iter().map(|weight| game.reduced(*weight)).collect();
        game.weights.sort_unstable();
        game
    }

    fn reduced(&self, weight: u64) -> u64 {
        weight.min(self.cap) / self.divisor
    }

    fn count(&self) -> Result<Counts, PowerError> {
        let voters = self.weights.len();
        if voters <= FEW {
            return Ok(halves::count(&self.weights, self.quota));
        }
        match Shape::new(&self.weights, self.quota, MAX_TABLE_WORDS) {
            Some(shape) => Ok(shape.count()),
            None if voters <= halves::MAX_VOTERS => Ok(halves::count(&self.weights, self.quota)),
            None => Err(PowerError::TooLarge { voters, quota: self.quota }),
        }
    }
}
