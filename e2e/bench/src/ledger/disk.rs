//! What the disk alone allows: one page written and synced at a time, as a commit does with its log.

use crate::latency::Times;
use crate::report::Arm;
use anyhow::{Context as _, Result};
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

const PAGE: usize = 8 << 10;
/// A segment of the log exists at its full size before it is written to.
const PAGES: u64 = 2048;

pub(crate) fn fdatasync(seconds: f64) -> Result<Arm> {
    // Where the Postgres of this run has its data too.
    let file = tempfile::tempfile().context("cannot make a file")?;
    let page = [7_u8; PAGE];
    let mut write = |n: u64| file.write_all_at(&page, (n % PAGES) * PAGE as u64);
    (0..PAGES).try_for_each(&mut write)?;
    file.sync_all()?;
    let mut times = Times::default();
    let begin = Instant::now();
    let until = begin + Duration::from_secs_f64(seconds);
    for n in 0.. {
        let start = Instant::now();
        if start >= until {
            break;
        }
        write(n)?;
        file.sync_data()?;
        times.add(start.elapsed());
    }
    let mut arm = Arm::new("fdatasync");
    let count = u32::try_from(times.count()).unwrap_or(u32::MAX);
    arm.set("syncs_per_s", f64::from(count) / begin.elapsed().as_secs_f64());
    arm.set("p50_ms", times.percentile_ms(50));
    arm.set("p99_ms", times.percentile_ms(99));
    Ok(arm)
}
