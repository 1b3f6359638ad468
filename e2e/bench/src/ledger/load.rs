//! Making load, and measuring it.

use crate::host::{cpu_s, family_cpu_s};
use crate::latency::Times;
use crate::report::Arm;
use anyhow::Result;
use futures::future::try_join_all;
use std::time::{Duration, Instant};

/// Not measured: connections are made, caches are cold.
const WARM: Duration = Duration::from_millis(500);
/// Fewer spends than these make no rate and no percentile.
const ENOUGH: usize = 50;

/// What a load came to.
#[derive(Debug, Default)]
pub(crate) struct Load {
    pub(crate) spends: Times,
    pub(crate) reserves: Times,
    pub(crate) settles: Times,
    pub(crate) seconds: f64,
    /// Spends that were answered with an error, and what the first said.
    pub(crate) failed: u32,
    pub(crate) said: Option<String>,
}

/// One spend's two steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spend {
    pub(crate) reserve: Duration,
    pub(crate) settle: Duration,
}

impl Load {
    fn add(&mut self, spend: Spend, whole: Duration) {
        self.spends.add(whole);
        self.reserves.add(spend.reserve);
        self.settles.add(spend.settle);
    }

    fn merge(mut self, other: Self) -> Self {
        self.spends.merge(other.spends);
        self.reserves.merge(other.reserves);
        self.settles.merge(other.settles);
        self.failed += other.failed;
        self.said = self.said.or(other.said);
        self
    }

    fn fail(&mut self, error: &anyhow::Error) {
        self.failed += 1;
        self.said.get_or_insert_with(|| format!("{error:#}"));
    }

    pub(crate) fn per_s(&self) -> f64 {
        let count = u32::try_from(self.spends.count()).unwrap_or(u32::MAX);
        f64::from(count) / self.seconds
    }

    /// A load that came to little is no figure; the arm says so.
    pub(crate) fn tell(&mut self, arm: &mut Arm) {
        arm.count("failed_spends", self.failed);
        let count = self.spends.count();
        if count < ENOUGH {
            let said = self.said.as_deref().unwrap_or("none failed");
            arm.error = Some(format!(
                "only {count} spends were done in {} s ({said}); try more --seconds",
                self.seconds
            ));
            return;
        }
        arm.set("spends_per_s", self.per_s());
        arm.set("p50_ms", self.spends.percentile_ms(50));
        arm.set("p99_ms", self.spends.percentile_ms(99));
        arm.set("reserve_p50_ms", self.reserves.percentile_ms(50));
        arm.set("reserve_p99_ms", self.reserves.percentile_ms(99));
        arm.set("settle_p99_ms", self.settles.percentile_ms(99));
    }
}

/// Callers that spend again as soon as a spend is done, for `seconds` after a short warm-up.
pub(crate) async fn closed<F, R>(callers: usize, seconds: f64, spend: F) -> Result<Load>
where
    F: Fn(usize, u64) -> R + Clone + Send + 'static,
    R: Future<Output = Result<Spend>> + Send,
{
    let from = Instant::now() + WARM;
    let until = from + Duration::from_secs_f64(seconds);
    let caller = |caller: usize| {
        let spend = spend.clone();
        tokio::spawn(async move {
            let mut load = Load::default();
            for n in 0.. {
                let start = Instant::now();
                if start >= until {
                    break;
                }
                match spend(caller, n).await {
                    Ok(done) if (from..until).contains(&Instant::now()) => load.add(done, start.elapsed()),
                    Ok(_) => {}
                    Err(error) => load.fail(&error),
                }
            }
            load
        })
    };
    let mut load = Load { seconds, ..Load::default() };
    for one in try_join_all((0..callers).map(caller)).await? {
        load = load.merge(one);
    }
    Ok(load)
}

/// Spends that begin at a steady rate, whether or not earlier ones are done. Each is measured from the moment it
/// should have begun, so that waiting is not left out.
pub(crate) async fn open<F, R>(per_s: f64, seconds: f64, spend: F) -> Result<Load>
where
    F: Fn(usize, u64) -> R + Clone + Send + 'static,
    R: Future<Output = Result<Spend>> + Send,
{
    let begin = Instant::now();
    let from = begin + WARM;
    let until = from + Duration::from_secs_f64(seconds);
    let (mut tasks, mut n) = (tokio::task::JoinSet::new(), 0_u32);
    loop {
        let due = begin + Duration::from_secs_f64(f64::from(n) / per_s);
        if due >= until {
            break;
        }
        tokio::time::sleep_until(due.into()).await;
        let spend = spend.clone();
        tasks.spawn(async move {
            let done = spend(0, u64::from(n)).await;
            (due >= from, done, due.elapsed())
        });
        n += 1;
    }
    let mut load = Load { seconds, ..Load::default() };
    while let Some(done) = tasks.join_next().await {
        match done? {
            (true, Ok(spend), whole) => load.add(spend, whole),
            (false, Ok(_), _) => {}
            (_, Err(error), _) => load.fail(&error),
        }
    }
    Ok(load)
}

/// How many cores Postgres and this process kept busy.
pub(crate) struct Busy {
    postgres: u32,
    at: Instant,
    used: (f64, f64),
}

impl Busy {
    pub(crate) fn from_now(postgres: Option<u32>) -> Self {
        let postgres = postgres.unwrap_or_default();
        Self { postgres, at: Instant::now(), used: Self::used(postgres) }
    }

    pub(crate) fn tell(&self, arm: &mut Arm) {
        let (seconds, now) = (self.at.elapsed().as_secs_f64(), Self::used(self.postgres));
        arm.set("postgres_cores", (now.0 - self.used.0) / seconds);
        arm.set("caller_cores", (now.1 - self.used.1) / seconds);
    }

    fn used(postgres: u32) -> (f64, f64) {
        (family_cpu_s(postgres), cpu_s(std::process::id()))
    }
}
