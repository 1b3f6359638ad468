//! Ending leases of calls nobody speaks for any more.

use std::time::Duration;

use golden_platform::CancellationToken;

use crate::{Error, Ledger};

const EVERY: Duration = Duration::from_secs(5);
/// Leases ended in one go.
const BATCH: i64 = 200;

/// Ends what is overdue: Reserved goes back, Dispatched counts as spent at its bound. Returns how many ended.
/// Several ledgers may do this at once: each end looks again, under the lock.
pub async fn expire(ledger: &Ledger) -> Result<usize, Error> {
    let overdue: Vec<String> = sqlx::query_scalar(
        "SELECT op_key FROM reservations
         WHERE state IN ('Reserved', 'Dispatched') AND lease_until < now() ORDER BY lease_until LIMIT $1",
    )
    .bind(BATCH)
    .fetch_all(&ledger.pool)
    .await?;
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
