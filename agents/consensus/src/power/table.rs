//! Coalitions counted by size and weight in a table, for many voters with weights of moderate size.
//!
//! `c(s, w)` is the number of coalitions of `s` voters that weigh `w`; adding a voter of weight `v` adds
//! `c(s − 1, w − v)` to it (Mann and Shapley 1962, after Cantor). Only weights below the quota are kept, and of
//! each weight only the sizes that it can have: at least as many as the heaviest voters need to weigh so much, at
//! most as many as the lightest may be. Cost: at most the cells of the table times the voters.
//!
//! With `C(s, t) = Σ_{w ≤ t} c(s, w)`, coalitions without one given voter of weight `v` are
//! `F(s, t) = C(s, t) − F(s − 1, t − v) = Σ_k (−1)^k C(s − k, t − k v)`, so that no table is made per voter
//! (as Uno 2003 and Kurz 2016 take a voter out again).

use super::swings::Counts;
use super::wide::{Sum, add, big, binomials, carry, limbs_for};
use num_bigint::BigUint;

/// Voters that are added in one pass. Each at most doubles a count, whose limbs have 16 bits to spare.
const TOGETHER: usize = 16;

/// Which cells there are.
pub(crate) struct Shape {
    /// Voters' weights in descending order, each at least 1.
    weights: Vec<u64>,
    /// Sums of the heaviest 0, 1, 2, … voters.
    heaviest: Vec<u64>,
    /// First cell of each weight below the quota, and the end of the last one.
    rows: Vec<usize>,
    /// Smallest size with a cell, of each weight.
    least: Vec<u16>,
    /// Words of a cell.
    limbs: usize,
}

impl Shape {
    /// `None` if there would be more words than that. `1 ≤ quota ≤` the sum of the weights, which are ascending.
    pub(crate) fn new(weights: &[u64], quota: u64, max_words: usize) -> Option<Self> {
        let limbs = limbs_for(weights.len() + 1);
        let max_cells = max_words / limbs;
        let quota = usize::try_from(quota).ok().filter(|q| *q <= max_cells)?;
        let heaviest = sums(weights.iter().rev());
        let lightest = sums(weights.iter());
        let (mut rows, mut least) = (Vec::with_capacity(quota + 1), Vec::with_capacity(quota));
        let (mut cells, mut low, mut high) = (0usize, 0usize, 0usize);
        for weight in 0..quota as u64 {
            while heaviest[low] < weight {
                low += 1;
            }
            while lightest.get(high + 1).is_some_and(|sum| *sum <= weight) {
                high += 1;
            }
            rows.push(cells);
            least.push(u16::try_from(low).ok()?);
            cells += (high + 1).saturating_sub(low);
            if cells > max_cells {
                return None;
            }
        }
        rows.push(cells);
        Some(Self { weights: weights.iter().rev().copied().collect(), heaviest, rows, least, limbs })
    }

    /// The largest weight below the quota.
    fn last(&self) -> i64 {
        i64::try_from(self.least.len()).map_or(i64::MAX, |quota| quota - 1)
    }

    /// How the cells of a weight lie: (first cell, smallest size, number of sizes).
    fn row(&self, weight: usize) -> (usize, usize, usize) {
        let begin = self.rows[weight];
        (begin, usize::from(self.least[weight]), self.rows[weight + 1] - begin)
    }

    pub(crate) fn count(&self) -> Counts {
        let cells = self.rows.last().copied().unwrap_or(0);
        let all = binomials(self.weights.len(), self.limbs);
        let mut table = Table { shape: self, words: vec![0; cells * self.limbs], all };
        table.fill();
        table.cumulate();
        let mut distinct = self.weights.clone();
        distinct.dedup();
        let losing = |size: usize| big(table.up_to(size, self.last()));
        Counts {
            swings: distinct.into_iter().map(|weight| (weight, table.swings(weight))).collect(),
            losing: (0..=self.weights.len()).map(losing).collect(),
        }
    }
}

/// 0 and the sums of the first 1, 2, … weights.
fn sums<'a>(weights: impl Iterator<Item = &'a u64>) -> Vec<u64> {
    let mut sum = 0;
    let further = weights.map(|weight| {
        sum += weight;
        sum
    });
    std::iter::once(0).chain(further).collect()
}

/// A voter on its way down the table.
struct Voter {
    step: i64,
    /// How many were added before it; all are at least as heavy.
    before: usize,
    /// The most of those that weigh no more than the row it adds from.
    high: usize,
    /// The largest weight it adds to.
    reached: i64,
}

impl Voter {
    fn most(&mut self, heaviest: &[u64], from: i64) -> usize {
        let lightest = |size: usize| heaviest[self.before] - heaviest[self.before - size];
        while lightest(self.high) > from.unsigned_abs() {
            self.high -= 1;
        }
        self.high
    }
}

struct Table<'a> {
    shape: &'a Shape,
    /// The rows one after the other, of each the lowest limbs of all its cells, then the next ones.
    words: Vec<u64>,
    /// All coalitions, by size, as a row.
    all: Vec<u64>,
}

impl Table<'_> {
    /// Adds the voters, the heaviest first: few sizes can have a weight then.
    fn fill(&mut self) {
        self.words[0] = 1;
        let quota = self.shape.last() + 1;
        let mut voters = vec![];
        for (before, weight) in self.shape.weights.iter().enumerate() {
            // One that has the quota alone adds nothing that loses.
            let step = i64::try_from(*weight).unwrap_or(i64::MAX);
            if step < quota {
                let reached = i64::try_from(self.shape.heaviest[before]).unwrap_or(i64::MAX);
                voters.push(Voter { step, before, high: before, reached: reached.min(quota - 1 - step) });
            }
        }
        for together in voters.chunks_mut(TOGETHER) {
            self.add(together);
        }
    }

    /// Adds a few voters in one pass over the table, which is larger than a processor's cache. Each goes downwards, so
    /// that it finds the rows it adds from without itself, and behind the one before by its own weight, so that it finds
    /// them with that one.
    fn add(&mut self, voters: &mut [Voter]) {
        let behind: i64 = voters.iter().skip(1).map(|v| v.step).sum();
        let added = voters.last().map_or(0, |v| v.before + 1);
        let reached = i64::try_from(self.shape.heaviest[added]).unwrap_or(i64::MAX).min(self.shape.last());
        // Counts stay below 2^added, so that higher limbs are 0 yet.
        let limbs = limbs_for(added + 1);
        for front in (-behind..=reached).rev() {
            let mut to = front;
            for (at, voter) in voters.iter_mut().enumerate() {
                to += if at == 0 { 0 } else { voter.step };
                let from = to - voter.step;
                if from < 0 || from > voter.reached {
                    continue;
                }
                let high = voter.most(&self.shape.heaviest, from);
                if let (Ok(from), Ok(to)) = (usize::try_from(from), usize::try_from(to)) {
                    self.add_row(from, to, high, limbs);
                }
            }
            self.carry_row(to, limbs);
        }
    }

    /// The last of a pass leaves a row behind: the next pass may double its counts as often again.
    fn carry_row(&mut self, weight: i64, limbs: usize) {
        let Some(weight) = usize::try_from(weight).ok().filter(|w| *w < self.shape.least.len()) else {
            return;
        };
        let (words, sizes) = self.row(weight);
        carry(&mut words[..limbs * sizes], sizes);
    }

    fn row(&mut self, weight: usize) -> (&mut [u64], usize) {
        let (begin, _, sizes) = self.shape.row(weight);
        let limbs = self.shape.limbs;
        (&mut self.words[begin * limbs..(begin + sizes) * limbs], sizes)
    }

    /// `c(s + 1, to) += c(s, from)` for the sizes up to `high`, of the lowest limbs.
    fn add_row(&mut self, from: usize, to: usize, high: usize, lowest: usize) {
        let (from_at, from_least, from_sizes) = self.shape.row(from);
        let (to_at, to_least, to_sizes) = self.shape.row(to);
        let low = from_least.max(to_least.saturating_sub(1));
        let end = (high + 1).min(from_least + from_sizes).min((to_least + to_sizes).saturating_sub(1));
        if low >= end {
            return;
        }
        let limbs = self.shape.limbs;
        let (sources, targets) = self.words.split_at_mut(to_at * limbs);
        let sources = sources[from_at * limbs..].chunks_exact(from_sizes);
        let targets = targets.chunks_exact_mut(to_sizes);
        for (target, source) in targets.zip(sources).take(lowest) {
            add(&mut target[low + 1 - to_least..], &source[low - from_least..end - from_least]);
        }
    }

    /// From `c` to `C`.
    fn cumulate(&mut self) {
        let limbs = self.shape.limbs;
        let mut sums = vec![0; self.all.len()];
        let most = sums.len() / limbs;
        for weight in 0..self.shape.least.len() {
            let least = usize::from(self.shape.least[weight]);
            let (words, sizes) = self.row(weight);
            if sizes == 0 {
                continue;
            }
            for (sums, words) in sums.chunks_exact_mut(most).zip(words.chunks_exact(sizes)) {
                add(&mut sums[least..], words);
            }
            carry(&mut sums, most);
            for (sums, words) in sums.chunks_exact(most).zip(words.chunks_exact_mut(sizes)) {
                words.copy_from_slice(&sums[least..least + sizes]);
            }
        }
    }

    /// The limbs of `C(size, weight)`, also outside the table: of coalitions so small all weigh less, of those so large
    /// none so little.
    fn up_to(&self, size: usize, weight: i64) -> impl DoubleEndedIterator<Item = u64> {
        let within = usize::try_from(weight).map(|weight| self.shape.row(weight)).unwrap_or_default();
        let (begin, least, sizes) = within;
        let cell = match size.checked_sub(least) {
            None => Some((&self.all[..], size, self.all.len() / self.shape.limbs)),
            Some(at) if at < sizes => Some((&self.words[begin * self.shape.limbs..], at, sizes)),
            Some(_) => None,
        };
        let limbs = if cell.is_some() { self.shape.limbs } else { 0 };
        let (words, at, sizes) = cell.unwrap_or_default();
        (0..limbs).map(move |limb| words[at + limb * sizes])
    }

    /// By size, the losing coalitions that a further voter of this weight, which is none of them, makes win:
    /// `F(s, quota − 1) − F(s, quota − 1 − weight)`.
    fn swings(&self, weight: u64) -> Vec<BigUint> {
        let step = i64::try_from(weight).unwrap_or(i64::MAX);
        let count = |size: usize| {
            let (mut sum, mut top) = (Sum::new(self.shape.limbs), self.shape.last());
            for taken in 0..=size {
                if top < 0 {
                    break;
                }
                let odd = taken % 2 == 1;
                sum.add(self.up_to(size - taken, top), odd);
                top -= step;
                sum.add(self.up_to(size - taken, top), !odd);
            }
            sum.total()
        };
        (0..self.shape.weights.len()).map(count).collect()
    }
}
