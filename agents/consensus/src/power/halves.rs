//! Coalitions counted by size in two halves, for few voters with weights of any size.
//!
//! The subsets of each half are sorted by weight, and pairs that stay within a bound are counted by moving through
//! one half upwards and the other downwards (Horowitz and Sahni 1974; for power Klinz and Woeginger 2005). Cost for
//! `n` voters: about `n² 2^(n/2)`, whatever the weights.

use super::swings::Counts;
use num_bigint::BigUint;

/// Most voters: 2^17 subsets a half.
pub(crate) const MAX_VOTERS: usize = 34;

/// A subset's weight and size.
type Subset = (u64, usize);

/// Counts everything for at most [`MAX_VOTERS`] of ascending weights.
pub(crate) fn count(weights: &[u64], quota: u64) -> Counts {
    let mut distinct: Vec<(usize, u64)> = weights.iter().copied().enumerate().collect();
    distinct.dedup_by_key(|(_, weight)| *weight);
    let swings = distinct.into_iter().map(|(at, weight)| {
        let mut others = weights.to_vec();
        others.remove(at);
        let halves = Halves::of(&others);
        let below = halves.up_to(quota - 1);
        let far = quota.checked_sub(weight + 1).map_or(vec![0; weights.len()], |bound| halves.up_to(bound));
        (weight, below.iter().zip(far).map(|(b, f)| BigUint::from(b - f)).collect())
    });
    let losing = Halves::of(weights).up_to(quota - 1);
    Counts { swings: swings.collect(), losing: losing.into_iter().map(BigUint::from).collect() }
}

struct Halves {
    first: Vec<Subset>,
    second: Vec<Subset>,
    voters: usize,
}

impl Halves {
    fn of(weights: &[u64]) -> Self {
        let (first, second) = weights.split_at(weights.len() / 2);
        Self { first: subsets(first), second: subsets(second), voters: weights.len() }
    }

    /// The number of subsets of the whole that weigh at most `bound`, by size.
    fn up_to(&self, bound: u64) -> Vec<u64> {
        let mut counts = vec![0u64; self.voters + 1];
        let mut within = vec![0u64; self.voters + 1];
        for (_, size) in &self.second {
            within[*size] += 1;
        }
        let largest = self.second.iter().map(|(_, size)| *size).max().unwrap_or(0);
        let mut end = self.second.len();
        for (weight, size) in &self.first {
            while end > 0 && weight + self.second[end - 1].0 > bound {
                end -= 1;
                within[self.second[end].1] -= 1;
            }
            for (more, number) in within.iter().take(largest + 1).enumerate() {
                counts[size + more] += number;
            }
        }
        counts
    }
}

/// All subsets, by weight: those without a voter merged with those with it.
fn subsets(weights: &[u64]) -> Vec<Subset> {
    let mut sorted: Vec<Subset> = vec![(0, 0)];
    for weight in weights {
        let mut merged = Vec::with_capacity(2 * sorted.len());
        let mut with = sorted.iter().map(|(w, s)| (w + weight, s + 1)).peekable();
        for without in &sorted {
            while let Some(next) = with.next_if(|next| next < without) {
                merged.push(next);
            }
            merged.push(*without);
        }
        merged.extend(with);
        sorted = merged;
    }
    sorted
}
