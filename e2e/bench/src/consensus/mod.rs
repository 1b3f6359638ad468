//! `consensus`: decisions, exact power and reviewers' reliability, with nothing but a processor. Reliability stands beside
//! crowd-kit's Dawid–Skene, on the same votes.

mod bars;
mod crowd;
mod decisions;
mod power;
mod reliability;

use crate::host::Host;
use crate::report::{Arm, Report, Timed};
use anyhow::Result;
use std::time::{Duration, Instant};

/// The columns of the table.
const COLUMNS: [&str; 4] = ["decisions_per_s", "seconds", "votes_per_s", "accuracy_percent"];

pub(crate) fn run(timed: &Timed) -> Result<()> {
    let host = Host::this();
    let duration = Duration::from_secs(timed.seconds.into());
    let mut arms = decisions::arms(duration);
    arms.extend(power::arms());
    arms.extend(reliability::arms());
    let mut report = Report { bench: "consensus", host, arms, bars: vec![], notes: vec![] };
    report.bars = bars::of(&report);
    report.notes = bars::notes();
    report.tell(&COLUMNS, &timed.end)
}

/// An arm, or why it could not be measured.
fn arm(name: &str, measure: impl FnOnce(&mut Arm) -> Result<()>) -> Arm {
    let mut arm = Arm::new(name);
    match measure(&mut arm) {
        Ok(()) => arm,
        Err(error) => Arm::failed(name, &error),
    }
}

/// What it gives, and the seconds it took.
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let begun = Instant::now();
    let made = work();
    (made, begun.elapsed().as_secs_f64())
}
