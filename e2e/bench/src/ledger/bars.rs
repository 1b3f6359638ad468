//! What the figures must be, and what they say together.

use super::arms::{BATCHES, FDATASYNC, HALF, KILLED, LAST, TREE, hot};
use super::{naive, peer, raw};
use crate::report::{Bar, Report};

const SPENDS: &str = "spends_per_s";
/// Durable spends a second on one hot budget that we want to reach.
const AIM: f64 = 50_000.0;

pub(crate) fn of(report: &Report) -> Vec<Bar> {
    let hot = best_hot(report);
    let flat = report.metric(&super::arms::hot(512), SPENDS);
    let ratio = |a: Option<f64>, b: Option<f64>| Some(a? / b.filter(|b| *b > 0.0)?);
    let naive = report.metric(naive::How::Update.name(), SPENDS);
    let tree = report.metric(TREE, SPENDS);
    vec![
        Bar::at_least(
            "one hot budget against the raw insert of the same rows",
            0.5,
            " x",
            ratio(hot, best_raw(report)),
        ),
        Bar::at_least("one hot budget against the naive UPDATE", 8.0, " x", ratio(hot, naive)),
        Bar::at_most("p99 at half load", 15.0, " ms", report.metric(HALF, "p99_ms")),
        Bar::at_least("three-level tree against the flat budget", 0.5, " x", ratio(tree, flat)),
        Bar::at_most("overspend of the worst arm", 0.0, " micro-USD", overspend(report)),
        Bar::at_most(
            "acknowledged keys missing after the kill",
            0.0,
            "",
            report.metric(KILLED, "missing_keys"),
        ),
        Bar::at_least("aim: durable spends on one hot budget", AIM, "/s", hot),
    ]
}

pub(crate) fn notes(report: &Report) -> Vec<String> {
    let mut notes = vec![];
    if let (Some(hot), Some(raw)) = (best_hot(report), best_raw(report)) {
        let syncs = report.metric(FDATASYNC, "syncs_per_s").unwrap_or(0.0);
        notes.push(format!(
            "What stands between {hot:.0} and the aim of {AIM:.0} spends/s: it is {:.2} of the aim. Without a ledger \
             Postgres inserts {raw:.0} spends/s of the same rows here ({:.2} of the aim), and the disk syncs {syncs:.0} \
             times a second.",
            hot / AIM,
            raw / AIM
        ));
    }
    let busy = |metric| report.metric(&hot(512), metric).map(|v| format!("{v:.2}"));
    if let (Some(postgres), Some(callers)) = (busy("postgres_cores"), busy("caller_cores")) {
        notes.push(format!(
            "With 512 callers Postgres kept {postgres} of {} cores busy, the ledger with its callers {callers}.",
            report.host.cpus
        ));
    }
    notes.push(format!(
        "One spend is two acknowledged steps; {} runs them as two durable steps of a workflow.",
        peer::NAME
    ));
    notes
}

fn best_hot(report: &Report) -> Option<f64> {
    [1, 8, 64, 512].into_iter().filter_map(|callers| report.metric(&hot(callers), SPENDS)).reduce(f64::max)
}

/// The best the raw insert did with any size of batch: the harder comparison.
fn best_raw(report: &Report) -> Option<f64> {
    BATCHES.into_iter().filter_map(|batch| report.metric(&raw::name(batch), SPENDS)).reduce(f64::max)
}

/// Of all our arms; none of them may lack the figure.
fn overspend(report: &Report) -> Option<f64> {
    let ours = report.arms.iter().filter(|arm| arm.name.starts_with("ours"));
    let worst: Option<Vec<f64>> = ours.map(|arm| arm.get("overspend_micro_usd")).collect();
    report.metric(LAST, "granted")?;
    worst?.into_iter().reduce(f64::max)
}
