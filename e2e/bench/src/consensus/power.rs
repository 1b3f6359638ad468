//! Exact Shapley–Shubik and Banzhaf power.

use super::{arm, timed};
use crate::report::Arm;
use golden_consensus::power;

pub(super) const NAME: &str = "power of 188 voters of 1 to 1000";

/// Weights 1 to 1000 by a linear congruence; quotas of a majority and of 85 %. And the members of the Council of the
/// European Union by population in thousands (2024), where a coalition needs 65 % of it.
pub(super) fn arms() -> Vec<Arm> {
    let next =
        |x: &u64| Some(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
    let weights: Vec<u64> =
        std::iter::successors(Some(7u64), next).skip(1).take(188).map(|x| (x >> 33) % 1000 + 1).collect();
    let total: u64 = weights.iter().sum();
    let council: u64 = COUNCIL.iter().sum();
    vec![
        measured(NAME, &weights, total / 2 + 1),
        measured("the same, 85 % needed", &weights, total * 85 / 100),
        measured("council of 27 by thousands of people", &COUNCIL, council * 65 / 100),
    ]
}

const COUNCIL: [u64; 27] = [
    83_445, 68_402, 58_990, 48_610, 36_621, 19_064, 17_943, 11_833, 10_901, 10_640, 10_551, 10_397, 9_585,
    9_159, 6_446, 5_961, 5_604, 5_425, 5_344, 3_862, 2_886, 2_124, 1_872, 1_375, 934, 672, 563,
];

fn measured(name: &str, weights: &[u64], quota: u64) -> Arm {
    arm(name, |arm| {
        let (power, seconds) = timed(|| power(weights, quota));
        power?;
        arm.set("seconds", seconds);
        arm.count("quota", i64::try_from(quota)?);
        Ok(())
    })
}
