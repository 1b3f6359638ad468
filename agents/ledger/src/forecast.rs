//! What a task will cost, before it begins: percentiles of what like tasks of its team did cost, or an upper bound
//! while there are too few of them. And how far off that was.
//!
//! Only runs with the same models are alike, since prices differ by orders of magnitude. Among them the nearest by
//! source count: the same size class or repository, else the neighbouring class, else the same kind of source, else
//! any. The first ring that holds [`LEAST_RUNS`] is taken whole.

use crate::amount::Amount;
use crate::money::MicroUsd;
use crate::price::{PriceError, Prices, bound};

/// Runs without which nothing is called a percentile. The true median lies between the least and the greatest of five
/// runs in 94 of 100 cases (1 - 2 / 2^5), of four only in 88; the p90 is the greatest of them until there are ten.
pub const LEAST_RUNS: usize = 5;

/// Past runs that are looked at, the latest first: what a team's tasks cost changes with its prompts.
pub const MOST_RUNS: usize = 50;

/// What a task works on and with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    pub source: Source,
    /// Names the models of all roles and voters; equal where these are.
    pub models: String,
}

/// What the work starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A repository, by its address: how much of it is read is not known beforehand.
    Git { repository: String },
    /// Files given with the task, of so many bytes together.
    Inline { bytes: u64 },
}

/// A task that was completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub work: Work,
    pub cost: MicroUsd,
}

/// What a task is expected to cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// Half of the like runs cost no more.
    pub p50: MicroUsd,
    /// Nine in ten cost no more.
    pub p90: MicroUsd,
    /// How many runs it rests on; 0: none, and both are an upper bound.
    pub basis: u32,
}

/// How far off a forecast was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Miss {
    /// |actual - p50| in percent of the actual cost, rounded down.
    pub percent: u64,
    /// Whether the actual cost was at most the p90.
    pub covered: bool,
}

/// The forecast from past runs; none if fewer than [`LEAST_RUNS`] are alike.
pub fn from_runs(work: &Work, runs: &[Run]) -> Option<Forecast> {
    let distances: Vec<(u8, i64)> =
        runs.iter().filter_map(|r| Some((distance(work, &r.work)?, r.cost.0.max(0)))).collect();
    let mut costs = (0..=FARTHEST).find_map(|ring| {
        let within: Vec<i64> = distances.iter().filter(|(d, _)| *d <= ring).map(|(_, cost)| *cost).collect();
        (within.len() >= LEAST_RUNS).then_some(within)
    })?;
    costs.sort_unstable();
    Some(Forecast {
        p50: nearest_rank(&costs, 50)?,
        p90: nearest_rank(&costs, 90)?,
        basis: u32::try_from(costs.len()).unwrap_or(u32::MAX),
    })
}

/// The forecast without history: the least of what bounds the task; none if nothing does.
pub fn upper_bound(bounds: impl IntoIterator<Item = MicroUsd>) -> Option<Forecast> {
    let least = bounds.into_iter().map(|b| b.max(MicroUsd::ZERO)).min()?;
    Some(Forecast { p50: least, p90: least, basis: 0 })
}

/// What `calls` calls cost at most, each with a full context window and the longest answer.
pub fn calls_bound(
    calls: u64,
    context_window: u64,
    max_output_tokens: u64,
    prices: &Prices,
) -> Result<MicroUsd, PriceError> {
    let Amount { cost, .. } = bound(context_window, max_output_tokens, prices)?;
    let calls = i64::try_from(calls).map_err(|_| PriceError::Overflow)?;
    cost.0.checked_mul(calls).map(MicroUsd).ok_or(PriceError::Overflow)
}

impl Forecast {
    /// Compares it with what the task did cost; none if that was nothing, of which no share can be taken.
    pub fn miss(&self, actual: MicroUsd) -> Option<Miss> {
        let of = u128::try_from(actual.0).ok().filter(|cost| *cost > 0)?;
        let off = u128::from(actual.0.abs_diff(self.p50.0));
        let percent = u64::try_from(off * 100 / of).unwrap_or(u64::MAX);
        Some(Miss { percent, covered: actual <= self.p90 })
    }
}

const FARTHEST: u8 = 3;

/// How far apart two works are; none if they cannot be compared.
fn distance(a: &Work, b: &Work) -> Option<u8> {
    if a.models != b.models {
        return None;
    }
    Some(match (&a.source, &b.source) {
        (Source::Git { repository: a }, Source::Git { repository: b }) => {
            if a == b {
                0
            } else {
                2
            }
        }
        (Source::Inline { bytes: a }, Source::Inline { bytes: b }) => {
            match size_class(*a).abs_diff(size_class(*b)) {
                0 => 0,
                1 => 1,
                _ => 2,
            }
        }
        _ => FARTHEST,
    })
}

/// Sizes within a factor of two: 0 for nothing, n for 2^(n-1) up to 2^n - 1 bytes.
fn size_class(bytes: u64) -> u32 {
    u64::BITS - bytes.leading_zeros()
}

/// The value at rank ⌈percent/100 · n⌉ of sorted ones: one that did occur, never one between two.
fn nearest_rank(sorted: &[i64], percent: usize) -> Option<MicroUsd> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().map(MicroUsd)
}
