//! The same figures of every arm.

use super::load::{Load, Step};
use super::scrape::Counted;
use super::services::{RESERVE, SETTLE};
use super::target::Target;
use crate::host::{cpu_s, family_rss_mb};
use crate::report::Arm;
use anyhow::{Result, ensure};
use std::time::Instant;

/// Calls a second, as far as an arm bears them.
pub(crate) const RATES: [u32; 3] = [200, 1000, 3000];
/// Callers at once, for the peak.
const CALLERS: [usize; 3] = [16, 64, 256];
/// Streams a second, few enough for every arm.
const STREAMS: u32 = 50;
/// Fewer answers give no figure.
const ENOUGH: usize = 20;

/// What is looked at beside the answers.
#[derive(Clone, Copy)]
pub(crate) struct Watched<'a> {
    /// The process that is measured; none for the upstream alone.
    pub(crate) pid: Option<u32>,
    /// The gateway's metrics.
    pub(crate) metrics: Option<&'a Target>,
}

/// Peak, streams and rates. The peak comes first and warms up; the highest rate may leave a queue behind.
pub(crate) async fn all(arm: &mut Arm, load: &Load, watched: Watched<'_>, seconds: f64) -> Result<()> {
    load.first().await?;
    peak(arm, load, watched, seconds).await?;
    streams(arm, load, watched, seconds).await?;
    for rate in RATES {
        if !at_rate(arm, load, watched, rate, seconds).await? {
            arm.count("not_borne_per_s", rate);
            break;
        }
    }
    if let Some(pid) = watched.pid {
        arm.set("rss_mb", family_rss_mb(pid));
    }
    Ok(())
}

/// The best of a few numbers of callers: too many slow some servers down.
async fn peak(arm: &mut Arm, load: &Load, watched: Watched<'_>, seconds: f64) -> Result<()> {
    let mut best = 0.0;
    let mut most = Step::default();
    for callers in CALLERS {
        let (begun, effort) = (Instant::now(), Effort::of(load, watched));
        let step = load.closed(callers, seconds).await?;
        if step.answered() >= ENOUGH && step.reached_per_s > best {
            best = step.reached_per_s;
            arm.set("peak_per_s", best);
            arm.count("peak_callers", i64::try_from(callers)?);
            arm.count("peak_failed_calls", step.failed);
            if let Some(effort) = effort {
                arm.set("peak_cores", effort.cpu_s() / begun.elapsed().as_secs_f64());
                arm.set("peak_cpu_us_per_call", effort.us_per_call(load));
            }
        }
        if step.answered() >= most.answered() {
            most = step;
        }
    }
    let said = most.said.as_deref().unwrap_or("none failed");
    ensure!(
        best > 0.0,
        "at most {} calls were answered in {seconds} s ({said}); try more --seconds",
        most.answered()
    );
    Ok(())
}

async fn streams(arm: &mut Arm, load: &Load, watched: Watched<'_>, seconds: f64) -> Result<()> {
    let before = Waits::read(watched).await?;
    let mut step = load.open(STREAMS, seconds.max(2.0), true).await?;
    arm.count("stream_failed_calls", step.failed);
    if step.answered() < ENOUGH {
        let said = step.said.unwrap_or_else(|| "too few were answered".into());
        arm.metrics.insert("stream_first_failure".into(), said.into());
        return Ok(());
    }
    arm.set("stream_first_p50_ms", step.first.percentile_ms(50));
    arm.set("stream_first_p99_ms", step.first.percentile_ms(99));
    arm.set("stream_first_mean_ms", step.first.mean_ms());
    if let (Some(before), Some(after)) = (before, Waits::read(watched).await?) {
        arm.set("stream_reserve_mean_ms", after.reserves.since(&before.reserves).mean_ms());
    }
    Ok(())
}

/// Whether the rate was borne.
async fn at_rate(arm: &mut Arm, load: &Load, watched: Watched<'_>, rate: u32, seconds: f64) -> Result<bool> {
    let before = Waits::read(watched).await?;
    let effort = Effort::of(load, watched);
    let mut step = load.open(rate, seconds, false).await?;
    let cpu = effort.map(|effort| effort.us_per_call(load));
    let borne = step.is_borne();
    let mut set = |figure: &str, value: f64| arm.set(&format!("at_{rate}_{figure}"), value);
    set("reached_per_s", step.reached_per_s);
    set("p50_ms", step.whole.percentile_ms(50));
    set("p99_ms", step.whole.percentile_ms(99));
    set("mean_ms", step.whole.mean_ms());
    set("load_late_p99_ms", step.late.percentile_ms(99));
    if let Some(cpu) = cpu {
        set("cpu_us_per_call", cpu);
    }
    if let (Some(before), Some(after)) = (before, Waits::read(watched).await?) {
        let (reserves, settles) =
            (after.reserves.since(&before.reserves), after.settles.since(&before.settles));
        set("reserve_p50_ms", reserves.percentile_ms(50.0));
        set("reserve_p99_ms", reserves.percentile_ms(99.0));
        set("reserve_mean_ms", reserves.mean_ms());
        set("settle_p99_ms", settles.percentile_ms(99.0));
        set("settle_mean_ms", settles.mean_ms());
    }
    arm.count(&format!("at_{rate}_failed_calls"), step.failed);
    if let Some(said) = step.said.filter(|_| !borne) {
        arm.metrics.insert(format!("at_{rate}_first_failure"), said.into());
    }
    Ok(borne)
}

/// What a process did for its answers. Other work on the machine moves it less than it moves times.
struct Effort {
    pid: u32,
    cpu_s: f64,
    answered: u64,
}

impl Effort {
    /// From now on; of nothing where no process is watched.
    fn of(load: &Load, watched: Watched<'_>) -> Option<Self> {
        let pid = watched.pid?;
        Some(Self { pid, cpu_s: cpu_s(pid), answered: load.answered() })
    }

    fn cpu_s(&self) -> f64 {
        cpu_s(self.pid) - self.cpu_s
    }

    /// Microseconds of a core for each answer; of no answer, as if there had been one.
    fn us_per_call(&self, load: &Load) -> f64 {
        let answers = u32::try_from(load.answered() - self.answered).unwrap_or(u32::MAX).max(1);
        self.cpu_s() * 1e6 / f64::from(answers)
    }
}

/// How long the ledger kept calls waiting, so far.
struct Waits {
    reserves: Counted,
    settles: Counted,
}

impl Waits {
    async fn read(watched: Watched<'_>) -> Result<Option<Self>> {
        let Some(gateway) = watched.metrics else { return Ok(None) };
        let reserves = Counted::read(gateway, RESERVE).await?;
        Ok(Some(Self { reserves, settles: Counted::read(gateway, SETTLE).await? }))
    }
}
