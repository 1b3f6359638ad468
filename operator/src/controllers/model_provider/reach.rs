//! Whether a provider answers, by what the gateway's replicas wrote of it. Pure.

use golden_crds::conditions::Status;
use golden_crds::conditions::model_provider as reason;
use golden_crds::model_provider::{CircuitState, CircuitStatus};
use golden_platform::provider_health::Row;

/// As a breaker writes it.
const CLOSED: &str = "CLOSED";

/// A condition that follows from what the replicas wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    pub(super) status: Status,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// Reasons, the one that says most first.
const TROUBLES: [&str; 3] = [reason::KEY_REFUSED, reason::ENDPOINT_UNREACHABLE, reason::BREAKER_OPEN];

/// One replica that cannot reach it is enough: its callers wait. Trouble that nobody sees any more counts for nothing.
pub(super) fn reach(rows: &[Row]) -> Reach {
    let fresh = |trouble: &str| rows.iter().find(|r| r.fresh && r.trouble.as_deref() == Some(trouble));
    for trouble in TROUBLES {
        if let Some(row) = fresh(trouble) {
            return Reach {
                status: Status::False,
                reason: trouble,
                message: format!("{} since {}: {}; {}", row.replica, row.since, row.message, advice(trouble)),
            };
        }
    }
    if rows.iter().any(|row| row.trouble.is_none()) {
        return Reach {
            status: Status::True,
            reason: reason::ANSWERS,
            message: "it answered when it was called last".into(),
        };
    }
    let message = "it was not called within the last minutes; the next call will show".into();
    Reach { status: Status::Unknown, reason: reason::NOT_CALLED, message }
}

/// How its breakers stand, of those replicas that asked it lately.
pub(super) fn circuit(rows: &[Row]) -> Option<CircuitStatus> {
    let fresh: Vec<&Row> = rows.iter().filter(|row| row.fresh).collect();
    let open: Vec<&&Row> = fresh.iter().filter(|row| row.state != CLOSED).collect();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (!fresh.is_empty()).then(|| CircuitStatus {
        state: if open.is_empty() { CircuitState::Closed } else { CircuitState::Open },
        open_replicas: count(open.len()),
        replicas: count(fresh.len()),
        open_since: open.iter().map(|row| row.since.clone()).min(),
    })
}

fn advice(trouble: &str) -> &'static str {
    match trouble {
        reason::KEY_REFUSED => {
            "correct the key in its Secret, or what that key may do; the next call shows whether it is taken"
        }
        reason::ENDPOINT_UNREACHABLE => {
            "check baseURL, the endpoint and the way to it; calls are let through to see"
        }
        _ => "its endpoint is overloaded or failing; calls are let through to see",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(trouble: Option<&str>, fresh: bool) -> Row {
        Row {
            provider: "p".into(),
            replica: "gateway-0".into(),
            state: "OPEN".into(),
            failures: 0,
            trouble: trouble.map(ToOwned::to_owned),
            message: "it answered 503".into(),
            limits: None,
            since: "2026-01-01T00:00:00Z".into(),
            fresh,
        }
    }

    #[test]
    fn fresh_trouble_counts_old_trouble_does_not_and_nothing_is_not_known() {
        let bad = |trouble, fresh| row(Some(trouble), fresh);
        for (rows, status, reason) in [
            (vec![], Status::Unknown, "NotCalled"),
            (vec![row(None, false)], Status::True, "Answers"),
            (vec![row(None, true), bad("BreakerOpen", true)], Status::False, "BreakerOpen"),
            (vec![bad("BreakerOpen", true), bad("KeyRefused", true)], Status::False, "KeyRefused"),
            (vec![bad("EndpointUnreachable", true)], Status::False, "EndpointUnreachable"),
            (vec![bad("BreakerOpen", false)], Status::Unknown, "NotCalled"),
            (vec![bad("BreakerOpen", false), row(None, true)], Status::True, "Answers"),
        ] {
            let reach = reach(&rows);
            assert_eq!((reach.status, reach.reason), (status, reason), "{rows:?}");
        }
        assert!(reach(&[bad("BreakerOpen", true)]).message.contains("it answered 503"));
    }

    #[test]
    fn a_circuit_is_open_where_one_replica_has_it_open() {
        let closed = Row { state: "CLOSED".into(), ..row(None, true) };
        let later = Row { since: "2026-01-02T00:00:00Z".into(), ..row(Some("BreakerOpen"), true) };
        let old = row(Some("BreakerOpen"), false);
        assert_eq!(circuit(std::slice::from_ref(&old)), None);
        let shown = circuit(&[closed.clone(), old.clone()]).unwrap();
        assert_eq!(
            (shown.state, shown.open_replicas, shown.replicas, shown.open_since),
            (CircuitState::Closed, 0, 1, None)
        );
        let shown = circuit(&[closed, later, row(Some("BreakerOpen"), true), old]).unwrap();
        assert_eq!((shown.state, shown.open_replicas, shown.replicas), (CircuitState::Open, 2, 3));
        assert_eq!(shown.open_since.as_deref(), Some("2026-01-01T00:00:00Z"));
    }
}
