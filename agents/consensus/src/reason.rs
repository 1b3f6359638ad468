//! The sentence that explains an outcome, with its arithmetic.

use crate::outcome::Outcome;
use crate::policy::{OnUndecided, Policy};
use crate::tally::Tally;

pub(crate) fn reason(policy: &Policy, outcome: &Outcome, tally: &Tally) -> String {
    match outcome {
        Outcome::Approved(cleared) => {
            let share = shares(policy, tally);
            format!("{share}; {}", guards_passed(cleared.passed()))
        }
        Outcome::ChangesRequested => shares(policy, tally),
        Outcome::Vetoed { voters } => {
            format!("{} vetoed with verified evidence; a person decides", voters.join(", "))
        }
        Outcome::VetoUnverified { voters } => {
            format!("{} vetoed, but no evidence could be verified; a person decides", voters.join(", "))
        }
        Outcome::Tie if tally.approve_weight == 0 => {
            format!("every voter abstained (cast weight {}); {}", tally.cast_weight, then(policy.on_tie))
        }
        Outcome::Tie => format!(
            "tie: approving weight {} equals rejecting weight {}; {}",
            tally.approve_weight,
            tally.reject_weight,
            then(policy.on_tie)
        ),
        Outcome::RequiredVoterMissing { roles } => {
            format!("no ballot by required {}; {}", roles.join(", "), then(policy.on_timeout))
        }
        Outcome::QuorumMissing => format!(
            "cast weight {} of {} is below the quorum of {} ({} %); {}",
            tally.cast_weight,
            tally.total_weight,
            tally.quorum,
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
            tally.cast_weight, tally.total_weight, tally.approve_weight, tally.reject_weight
        ),
    }
}

fn shares(policy: &Policy, tally: &Tally) -> String {
    let needs = policy.approval_share();
    let needs = if needs == 50 { "more than half".to_owned() } else { format!("at least {needs} %") };
    format!(
        "approving weight {} against rejecting {} (needed: {needs}); cast {} of {}, quorum {}",
        tally.approve_weight, tally.reject_weight, tally.cast_weight, tally.total_weight, tally.quorum
    )
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
