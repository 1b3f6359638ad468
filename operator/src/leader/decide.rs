//! What to do about the Lease. Pure: how long it was seen unchanged is measured by the caller's own clock, since
//! clocks of different machines differ.

use k8s_openapi::api::coordination::v1::LeaseSpec;
use std::time::Duration;

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is ours: renew it.
    Renew,
    /// Nobody's, or its holder stopped renewing: take it.
    Acquire,
    /// Another one's.
    Wait,
}

/// Decides on the Lease as read, which was seen `unchanged_for` so long.
pub(crate) fn decide(spec: Option<&LeaseSpec>, me: &str, unchanged_for: Duration) -> Step {
    let holder = spec.and_then(|s| s.holder_identity.as_deref()).unwrap_or_default();
    let seconds = spec.and_then(|s| s.lease_duration_seconds).unwrap_or(0);
    let duration = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    match holder {
        "" => Step::Acquire,
        holder if holder == me => Step::Renew,
        _ if unchanged_for > duration => Step::Acquire,
        _ => Step::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_taken_only_when_free_or_not_renewed() {
        let held = LeaseSpec {
            holder_identity: Some("other".into()),
            lease_duration_seconds: Some(15),
            ..LeaseSpec::default()
        };
        let released = LeaseSpec { holder_identity: Some(String::new()), ..held.clone() };
        let mine = LeaseSpec { holder_identity: Some("me".into()), ..held.clone() };
        let after = Duration::from_secs;
        for (spec, unchanged, step) in [
            (None, 0, Step::Acquire),
            (Some(&released), 0, Step::Acquire),
            (Some(&held), 0, Step::Wait),
            (Some(&held), 15, Step::Wait),
            (Some(&held), 16, Step::Acquire),
            // Ours from before a restart with the same name, or just late: go on.
            (Some(&mine), 99, Step::Renew),
        ] {
            assert_eq!(decide(spec, "me", after(unchanged)), step, "{spec:?} {unchanged}");
        }
    }
}
