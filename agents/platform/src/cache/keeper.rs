//! The task that connects, and looks once a second whether Redis answers.

use std::sync::Weak;
use std::time::{Duration, Instant};

use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use tokio::time::MissedTickBehavior;

use super::Inner;

const EVERY: Duration = Duration::from_secs(1);
/// Connecting, with the password and what TLS needs.
const CONNECT: Duration = Duration::from_secs(2);
/// A connection on which nothing comes back for so long is given up: its other end may be gone without a word.
const DEAD: Duration = Duration::from_secs(1);

/// Looks until nobody has the cache any more.
pub(super) async fn keep(cache: Weak<Inner>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(inner) = cache.upgrade() else { return };
        look(&inner).await;
    }
}

/// Connects where there is no connection, and sends one PING, behind the breaker.
async fn look(inner: &Inner) {
    if inner.circuit.admit(Instant::now()).is_err() {
        // It has just opened, or a caller is finding out already.
        return;
    }
    let went = match ping(inner).await {
        Ok(took) if took > inner.patience => Err(format!("it took {} ms to answer", took.as_millis())),
        Ok(_) => Ok(()),
        Err(why) => Err(why),
    };
    inner.circuit.report(went.is_ok(), Instant::now());
    inner.figures.up.set(i64::from(went.is_ok()));
    let why = went.as_ref().err().cloned();
    if inner.link.looked(went) {
        if let Some(why) = why {
            tracing::warn!(why, "Redis does not answer; going on without it");
        } else {
            tracing::info!("Redis answers");
        }
    }
}

/// How long a PING took, or why there was no answer.
async fn ping(inner: &Inner) -> Result<Duration, String> {
    let (number, mut connection) = match inner.link.connection() {
        Some(known) => known,
        None => inner.link.made(connect(inner).await?),
    };
    let (begun, ping) = (Instant::now(), redis::cmd("PING"));
    let why = match tokio::time::timeout(DEAD, ping.query_async::<String>(&mut connection)).await {
        Ok(Ok(said)) if said == "PONG" => return Ok(begun.elapsed()),
        Ok(Ok(_)) => "it answers what was not asked for".to_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {DEAD:?}"),
    };
    inner.link.broke(number);
    Err(why)
}

async fn connect(inner: &Inner) -> Result<MultiplexedConnection, String> {
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(DEAD));
    let connecting = inner.client.get_multiplexed_async_connection_with_config(&config);
    let connected = tokio::time::timeout(CONNECT, connecting).await;
    connected
        .map_err(|_| format!("no connection within {CONNECT:?}"))?
        .map_err(|e| format!("no connection: {e}"))
}
