//! How a track record changes a weight, where that is asked for. Nothing in a policy asks for it unless a person
//! writes it down, and a preview is this function.

use std::fmt;

/// Per mille. A record never makes a weight less than half nor more than half as much again: no voter is silenced and
/// none rules by numbers alone.
const LEAST_PER_MILLE: u32 = 500;
const MOST_PER_MILLE: u32 = 1500;

/// Observations that a record needs to count half.
const HALF: u64 = 20;

/// What is known of one voter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackRecord {
    /// Parts of a million of its votes that were right; more than that is read as all.
    pub right_ppm: u32,
    /// How many votes that rests on.
    pub observations: u64,
}

/// A weight with what it was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EffectiveWeight {
    /// In thousandths of the policy's unit.
    pub milli: u64,
    pub policy_weight: u64,
    pub record: TrackRecord,
    /// What the reliability was compared with.
    pub usual_ppm: u32,
    pub per_mille: u32,
}

/// The weight of a voter with this record, where voters are usually right in `usual_ppm` of a million votes.
///
/// `1 + 2 (r − u) · n / (n + 20)`, kept within 0.5 and 1.5: a quarter better than usual, over many votes, is half as much
/// again, and without observations nothing changes. Integers throughout, rounded towards the policy's weight; saturates
/// for weights that no valid policy has.
pub fn effective_weight(policy_weight: u64, record: TrackRecord, usual_ppm: u32) -> EffectiveWeight {
    let million = 1_000_000;
    let better = i128::from(record.right_ppm.min(million)) - i128::from(usual_ppm.min(million));
    let n = i128::from(record.observations);
    // Per mille: 2 × better / 10^6 × 1000, less by the observations that lack.
    let change = better * 2 * n / ((n + i128::from(HALF)) * 1000);
    let kept = (1000 + change).clamp(i128::from(LEAST_PER_MILLE), i128::from(MOST_PER_MILLE));
    let per_mille = u32::try_from(kept).unwrap_or(1000);
    let milli = policy_weight.saturating_mul(u64::from(per_mille));
    EffectiveWeight { milli, policy_weight, record, usual_ppm, per_mille }
}

impl fmt::Display for EffectiveWeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |ppm: u32| (ppm / 10_000, ppm / 1000 % 10);
        let ((right, tenth), (usual, usual_tenth)) =
            (percent(self.record.right_ppm), percent(self.usual_ppm));
        write!(
            f,
            "weight {} × {}.{:03}: right in {right}.{tenth} % of {} votes, usual is {usual}.{usual_tenth} %",
            self.policy_weight,
            self.per_mille / 1000,
            self.per_mille % 1000,
            self.record.observations
        )
    }
}
