//! The sentence that explains an outcome, with its arithmetic.

use crate::outcome::Outcome;
use crate::policy::{OnUndecided, Policy, Weights};
use crate::tally::Tally;
use std::collections::BTreeMap;

pub(crate) fn reason(policy: &Policy, outcome: &Outcome, tally: &Tally) -> String {
    let weight = |weight: u64| in_units(weight, policy.unit());
    match outcome {
        Outcome::Approved(cleared) => {
            let share = shares(policy, tally);
            format!("{share}; {}{}", guards_passed(cleared.passed()), records(policy))
        }
        Outcome::ChangesRequested => shares(policy, tally) + &records(policy),
        Outcome::Vetoed { voters } => {
            format!("{} vetoed with verified evidence; a person decides", voters.join(", "))
        }
        Outcome::VetoUnverified { voters } => {
            format!("{} vetoed, but no evidence could be verified; a person decides", voters.join(", "))
        }
        Outcome::Tie if tally.approve_weight == 0 => {
            let cast = weight(tally.cast_weight);
            format!("every voter abstained (cast weight {cast}); {}", then(policy.on_tie))
        }
        Outcome::Tie => format!(
            "tie: approving weight {} equals rejecting weight {}; {}{}",
            weight(tally.approve_weight),
            weight(tally.reject_weight),
            then(policy.on_tie),
            records(policy)
        ),
        Outcome::RequiredVoterMissing { roles } => {
            format!("no ballot by required {}; {}", roles.join(", "), then(policy.on_timeout))
        }
        Outcome::QuorumMissing if tally.has_quorum() => format!(
            "the quorum of {} ({} %) is cast only with the additional reviewer, who does not approve; {}",
            weight(tally.quorum),
            policy.quorum_percent,
            then(policy.on_timeout)
        ),
        Outcome::QuorumMissing => format!(
            "cast weight {} of {} is below the quorum of {} ({} %); {}",
            weight(tally.cast_weight),
            weight(tally.total_weight),
            weight(tally.quorum),
            policy.quorum_percent,
            then(policy.on_timeout)
        ),
        Outcome::GuardFailed { guards } => {
            format!("required guard {} failed; votes cannot change that", guards.join(", "))
        }
        Outcome::GuardMissing { guards } => {
            format!("required guard {} has no verdict on this result", guards.join(", "))
        }
        Outcome::Undecided => format!(
            "still open: cast weight {} of {}, approving {}, rejecting {}",
            weight(tally.cast_weight),
            weight(tally.total_weight),
            weight(tally.approve_weight),
            weight(tally.reject_weight)
        ),
    }
}

fn shares(policy: &Policy, tally: &Tally) -> String {
    let needs = policy.approval_share();
    let needs = if needs == 50 { "more than half".to_owned() } else { format!("at least {needs} %") };
    let weight = |weight: u64| in_units(weight, policy.unit());
    format!(
        "approving weight {} against rejecting {} (needed: {needs}); cast {} of {}, quorum {}",
        weight(tally.approve_weight),
        weight(tally.reject_weight),
        weight(tally.cast_weight),
        weight(tally.total_weight),
        weight(tally.quorum)
    )
}

/// A weight in the policy's own units, `2` or `2.4`; of parts of a unit, no more than there are.
fn in_units(weight: u64, unit: u64) -> String {
    let (whole, part) = (weight / unit, weight % unit);
    if part == 0 {
        return whole.to_string();
    }
    let digits = format!("{:03}", part * 1000 / unit);
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

/// Whose opinions weighed more or less than the policy says; nothing where they may not.
fn records(policy: &Policy) -> String {
    if policy.weights == Weights::Policy {
        return String::new();
    }
    let moved: BTreeMap<&str, u32> = policy
        .voters
        .iter()
        .filter_map(|v| Some((v.role.as_str(), v.weight_per_mille?)))
        .filter(|(_, per_mille)| *per_mille != 1000)
        .collect();
    if moved.is_empty() {
        return "; track records change no weight".into();
    }
    let moved =
        moved.iter().map(|(role, per_mille)| format!("{role} × {}", in_units((*per_mille).into(), 1000)));
    format!("; by track record: {}", moved.collect::<Vec<_>>().join(", "))
}

fn guards_passed(passed: &[String]) -> String {
    if passed.is_empty() {
        "no guard was required".into()
    } else {
        format!("guards passed: {}", passed.join(", "))
    }
}

fn then(rule: OnUndecided) -> &'static str {
    match rule {
        OnUndecided::Escalate => "a person decides",
        OnUndecided::Reject => "the policy sends it back",
    }
}
