//! What the figures must be, and what was measured.

use super::reliability::{OURS, PEER};
use super::{decisions, power};
use crate::report::{Bar, Report};

pub(super) fn of(report: &Report) -> Vec<Bar> {
    let accuracy = |arm| report.metric(arm, "accuracy_percent");
    let behind = accuracy(PEER).zip(accuracy(OURS)).map(|(peer, ours)| peer - ours);
    let seven = decisions::name(7);
    vec![
        Bar::at_least("decisions of 7 voters", 200_000.0, "/s", report.metric(&seven, "decisions_per_s")),
        Bar::at_most(power::NAME, 1.0, " s", report.metric(power::NAME, "seconds")),
        Bar::at_least("reliability", 100_000.0, " votes/s", report.metric(OURS, "votes_per_s")),
        Bar::at_most("accuracy below Dawid–Skene's", 0.5, " points", behind),
    ]
}

pub(super) fn notes() -> Vec<String> {
    vec![
        "One core. A decision is made from parsed ballots and comes with dissent, impact of every ballot and the smallest \
         flip. Power is exact, both indices of all voters. Reliability is timed from CSV to CSV, crowd-kit's fit without \
         reading and writing its files; it runs up to 100 sweeps, on numpy and pandas."
            .to_owned(),
    ]
}
