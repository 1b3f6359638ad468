//! Decisions with their explanation, on one core.

use super::arm;
use crate::report::Arm;
use anyhow::{Context as _, Result};
use golden_consensus::{Ballot, GuardFact, Policy, decide, parse_policy};
use serde_json::json;
use std::hint::black_box;
use std::time::{Duration, Instant};

const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

pub(super) fn name(voters: usize) -> String {
    format!("{voters} voters")
}

pub(super) fn arms(duration: Duration) -> Vec<Arm> {
    let measured = [3, 7, 25].map(|voters| {
        arm(&name(voters), |arm| {
            arm.set("decisions_per_s", per_second(voters, duration)?);
            Ok(())
        })
    });
    measured.into()
}

/// Over all combinations of three verdicts among the first five voters, one after the other: approvals, rejections,
/// ties and missing quorums, each with dissent, impact and the smallest flip.
fn per_second(voters: usize, duration: Duration) -> Result<f64> {
    let (policy, facts) = (policy(voters)?, facts()?);
    let reviews: Vec<Vec<Ballot>> = (0..243).map(|code| ballots(voters, code)).collect::<Result<_>>()?;
    let begun = Instant::now();
    let mut decided = 0u32;
    while begun.elapsed() < duration {
        for ballots in &reviews {
            black_box(decide(black_box(&policy), ballots, &facts, DIGEST, true));
        }
        decided = decided.saturating_add(243);
    }
    Ok(f64::from(decided) / begun.elapsed().as_secs_f64())
}

fn policy(voters: usize) -> Result<Policy> {
    let seats: Vec<_> =
        (0..voters).map(|i| json!({"role": format!("role-{i}"), "weight": 1 + i % 3})).collect();
    Ok(parse_policy(&json!({"voters": seats, "quorumPercent": 60, "approvePercent": 60}).to_string())?)
}

fn facts() -> Result<Vec<GuardFact>> {
    let facts = ["unit-tests", "secrets", "size"].map(|guard| json!({"guard": guard, "verdict": "Passed"}));
    serde_json::from_value(json!(facts)).context("facts")
}

fn ballots(voters: usize, code: usize) -> Result<Vec<Ballot>> {
    let verdicts = ["Approve", "Reject", "Abstain"];
    let ballots: Vec<_> = (0..voters)
        .map(|i| {
            let verdict = verdicts[code / 3usize.pow(u32::try_from(i % 5).unwrap_or(0)) % 3];
            json!({
                "voter": format!("role-{i}"), "role": format!("role-{i}"), "model": "provider/model", "verdict": verdict,
                "severity": "Minor", "confidence": 80, "digest": DIGEST, "rationale": "the empty list is not handled",
                "evidence": [{"file": "src/list.rs", "startLine": 12, "endLine": 14, "quote": "list[0]"}],
            })
        })
        .collect();
    serde_json::from_value(json!(ballots)).context("ballots")
}
