//! Ending leases of calls nobody speaks for any more.

use std::time::Duration;

use golden_platform::CancellationToken;

use crate::{Error, Ledger};

const EVERY: Duration = Duration::from_secs(5);
/// Leases ended in one go.
const BATCH: i64 = 200;

/// A lease that began so long ago is seen by everyone, or will never be: no transaction of a ledger lasts longer.
const IN_FLIGHT: Duration = Duration::from_secs(30);

/// Leases that have ended, from where the last look that found none stopped: no index has open leases only, since every
/// call's end would have to change it. A mark in the future was made by a database whose clock was ahead of this one's (before
/// a failover, say); leases made since end before it, so that all are looked at once.
const OVERDUE: &str = "
WITH overdue AS (
    SELECT op_key, lease_until FROM reservations
    WHERE state IN ('Reserved', 'Dispatched')
      AND lease_until >= (SELECT CASE WHEN swept_until > now() THEN '-infinity' ELSE swept_until END FROM lease_sweep)
      AND lease_until < now()
    ORDER BY lease_until LIMIT $1
), swept AS (
    UPDATE lease_sweep SET swept_until = now() - make_interval(secs => $2)
    WHERE NOT EXISTS (SELECT FROM overdue)
      AND (swept_until > now()
           OR EXISTS (SELECT FROM reservations
                      WHERE lease_until >= swept_until AND lease_until < now() - make_interval(secs => $2)))
)
SELECT op_key FROM overdue ORDER BY lease_until";

/// Ends what is overdue: Reserved goes back, Dispatched counts as spent at its bound. Returns how many ended.
/// Several ledgers may do this at once: each end looks again, under the lock.
pub async fn expire(ledger: &Ledger) -> Result<usize, Error> {
    let overdue: Vec<String> =
        sqlx::query_scalar(OVERDUE).bind(BATCH).bind(IN_FLIGHT.as_secs_f64()).fetch_all(&ledger.pool).await?;
    let ends = overdue.iter().map(|op_key| async move {
        let answer = ledger.lease_ended(op_key).await?;
        tracing::warn!(op_key, state = answer.state, "a call was not heard of any more; its lease ended");
        Ok::<(), Error>(())
    });
    futures::future::try_join_all(ends).await?;
    Ok(overdue.len())
}

/// [`expire`] every five seconds until `stop`.
pub async fn keep_expiring(ledger: Ledger, stop: CancellationToken) {
    loop {
        match expire(&ledger).await {
            Ok(n) if n == usize::try_from(BATCH).unwrap_or(usize::MAX) => continue,
            Ok(_) => {}
            Err(e) => tracing::warn!(error = %e, "cannot end leases now; trying again"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
