//! Whether the gateway's replicas count a provider's limits together, by what they wrote of it. Pure.

use super::reach::Reach;
use golden_crds::conditions::Status;
use golden_crds::conditions::model_provider as reason;
use golden_platform::provider_health::Row;

/// The condition LimitsShared. One replica that counts for itself is enough: then the limits are not those of the spec.
/// None where no replica was given a Redis, or nobody says how it is now.
pub(super) fn shared(rows: &[Row]) -> Option<Reach> {
    let says = |row: &Row, what: &str| row.limits.as_deref() == Some(what);
    if let Some(row) = rows.iter().find(|row| row.fresh && says(row, reason::CACHE_UNREACHABLE)) {
        return Some(Reach {
            status: Status::False,
            reason: reason::CACHE_UNREACHABLE,
            message: format!(
                "{} cannot use Redis: until it is back each replica of the gateway counts the limits for itself; calls \
                 and money are not affected",
                row.replica
            ),
        });
    }
    rows.iter().any(|row| says(row, reason::SHARED)).then(|| Reach {
        status: Status::True,
        reason: reason::SHARED,
        message: "the replicas of the gateway count the limits together".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(limits: Option<&str>, fresh: bool) -> Row {
        Row {
            provider: "p".into(),
            replica: "gateway-0".into(),
            state: "CLOSED".into(),
            failures: 0,
            trouble: None,
            message: String::new(),
            limits: limits.map(ToOwned::to_owned),
            since: "2026-01-01T00:00:00Z".into(),
            fresh,
        }
    }

    #[test]
    fn one_replica_that_counts_alone_is_told_while_it_says_so() {
        let (shared_row, alone) =
            (|fresh| row(Some("Shared"), fresh), |fresh| row(Some("CacheUnreachable"), fresh));
        for (rows, want) in [
            (vec![], None),
            (vec![row(None, true)], None),
            (vec![shared_row(false)], Some((Status::True, "Shared"))),
            (vec![shared_row(true), alone(true)], Some((Status::False, "CacheUnreachable"))),
            (vec![shared_row(true), alone(false)], Some((Status::True, "Shared"))),
            (vec![alone(false)], None),
        ] {
            let reach = shared(&rows);
            assert_eq!(reach.as_ref().map(|r| (r.status, r.reason)), want, "{rows:?}");
            assert!(
                want.is_none_or(|(s, _)| s == Status::True) || reach.unwrap().message.contains("gateway-0")
            );
        }
    }
}
