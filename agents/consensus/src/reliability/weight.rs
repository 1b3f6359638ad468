//! How a track record changes what an opinion weighs, where a policy asks for it. A preview is this function too.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Per mille. A record never makes a weight less than half nor more than half as much again: no voter is silenced and
/// none rules by numbers alone.
pub(crate) const LEAST_PER_MILLE: u32 = 500;
pub(crate) const MOST_PER_MILLE: u32 = 1500;

/// Weights move in tenths, so that differences no larger than chance settle no tie.
const STEP: i128 = 100;

/// Observations below which a weight is as the policy has it.
pub const LEAST_OBSERVATIONS: u64 = 20;

/// Observations that a record needs to count half.
const HALF: i128 = 20;

/// What is known of one voter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrackRecord {
    /// Parts of a million of its votes that were right; more than that is read as all.
    pub right_ppm: u32,
    /// How many votes that rests on.
    pub observations: u64,
}

/// What a seat's weight is multiplied by, with what that was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeatWeight {
    pub role: String,
    /// The model that speaks for it, with its provider.
    pub model: String,
    /// 500 to 1500.
    pub per_mille: u32,
    /// The estimated share of right votes, in parts of a million.
    pub right_ppm: u32,
    pub observations: u64,
    /// What that was compared with: the share over everybody's votes.
    pub usual_ppm: u32,
}

impl SeatWeight {
    /// For a seat with this record, where voters are usually right in `usual_ppm` of a million votes.
    pub fn of(role: &str, model: &str, record: TrackRecord, usual_ppm: u32) -> Self {
        Self {
            role: role.to_owned(),
            model: model.to_owned(),
            per_mille: per_mille(record, usual_ppm),
            right_ppm: record.right_ppm,
            observations: record.observations,
            usual_ppm,
        }
    }
}

/// `1 + 2 (r − u) · n / (n + 20)`, kept within 0.5 and 1.5 and rounded to tenths towards 1; 1 below 20 observations. A
/// quarter better than usual, over many votes, is half as much again. Integers throughout.
fn per_mille(record: TrackRecord, usual_ppm: u32) -> u32 {
    const SAME: i128 = 1000;
    if record.observations < LEAST_OBSERVATIONS {
        return 1000;
    }
    let million = 1_000_000;
    let better = i128::from(record.right_ppm.min(million)) - i128::from(usual_ppm.min(million));
    let n = i128::from(record.observations);
    // Per mille: 2 × better / 10^6 × 1000, less by the observations that lack.
    let change = better * 2 * n / ((n + HALF) * 1000);
    let kept = (SAME + change / STEP * STEP).clamp(LEAST_PER_MILLE.into(), MOST_PER_MILLE.into());
    u32::try_from(kept).unwrap_or(1000)
}

impl fmt::Display for SeatWeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role, per_mille, observations, .. } = self;
        let (whole, tenth) = (per_mille / 1000, per_mille / 100 % 10);
        write!(f, "{role} × {whole}.{tenth}: ")?;
        if *observations < LEAST_OBSERVATIONS {
            return write!(f, "{observations} votes of the {LEAST_OBSERVATIONS} that it takes");
        }
        let percent = |ppm: u32| format!("{}.{} %", ppm / 10_000, ppm / 1000 % 10);
        let (right, usual) = (percent(self.right_ppm), percent(self.usual_ppm));
        write!(f, "right in {right} of {observations} votes, usual is {usual}")
    }
}
