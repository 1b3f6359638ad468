//! The ledger as a process of its own, so that it can be killed: the service's own routes and its own ending of
//! leases, for one caller whose token is known.

use anyhow::{Context as _, Result};
use golden_ledger_service::{CALLER, Leases, Ledger, expire, router};
use golden_platform::CancellationToken;
use golden_platform::auth::{Authenticator, Caller, Fixed};
use golden_platform::cache::Cache;
use golden_platform::db;
use golden_platform::http::{Health, serve_on};
use golden_platform::telemetry::Metrics;
use std::io::Read as _;
use std::time::Duration;

/// What the caller shows.
pub(crate) const TOKEN: &str = "chaos";
/// From reserve to dispatch, and from dispatch to settlement. Short, so that leases end while others spend.
pub(crate) const LEASES: Leases =
    Leases { reserved: Duration::from_secs(2), dispatched: Duration::from_secs(3) };
/// How often ended leases are looked for; the service itself takes five seconds.
const EXPIRE: Duration = Duration::from_millis(500);

/// Serves on a free port, which it prints, until standard input ends: it never outlives who started it.
pub async fn serve(database_url: &str, redis_url: &str) -> Result<()> {
    golden_platform::init_crypto();
    let pool = db::connect(database_url, db::POOL_SIZE)?;
    let metrics = Metrics::new("ledger")?;
    let cache = Cache::open(redis_url, &metrics)?;
    let ledger = Ledger::new(pool.clone(), LEASES).remembering(Some(&cache), &metrics)?;
    tokio::spawn(keep_expiring(ledger.clone()));
    let known = [(TOKEN.to_owned(), Caller::service("golden-system", CALLER))];
    let routes = router(ledger, "golden-system", Authenticator::new(Fixed(known.into())));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let stop = CancellationToken::new();
    let ended = stop.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut vec![]);
        ended.cancel();
    });
    let health = Health::new(metrics).postgres(pool).cache(Some(cache));
    serve_on(listener, routes, health, stop).await.context("the ledger's service")
}

async fn keep_expiring(ledger: Ledger) {
    loop {
        // Postgres may be away; the next look finds what this one did not.
        let _ = expire(&ledger).await;
        tokio::time::sleep(EXPIRE).await;
    }
}
