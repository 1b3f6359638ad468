//! What the figures must be, and what they say together.

use super::arms::{DIRECT, GOLDEN, GOLDEN_REDIS, LITELLM, PROXY};
use super::litellm::MODE;
use super::measure::RATES;
use super::races::{RACES, Race};
use super::services::PROVIDERS;
use crate::report::{Bar, Report};

/// The rate of the bars.
const RATE: u32 = 3000;

pub(crate) fn of(report: &Report) -> Vec<Bar> {
    let ratio = |a: Option<f64>, b: Option<f64>| Some(a? / b.filter(|b| *b > 0.0)?);
    let peak = ratio(report.metric(GOLDEN, "peak_per_s"), report.metric(PROXY, "peak_per_s"));
    let at = |figure: &str| report.metric(GOLDEN, &format!("at_{RATE}_{figure}"));
    let races = |figure: &str| worst(report, figure);
    let arm_and_races = |figure: &str| Some(report.metric(GOLDEN, figure)?.max(races(figure)?));
    vec![
        Bar::at_most(
            &format!("p99 added at {RATE}/s besides the reserve"),
            0.5,
            " ms",
            p99_added(report, RATE).zip(at("reserve_p99_ms")).map(|(added, reserve)| added - reserve),
        ),
        Bar::at_most(&format!("p99 of the reserve at {RATE}/s"), 15.0, " ms", at("reserve_p99_ms")),
        Bar::at_least("peak against the plain axum proxy", 0.7, " x", peak),
        Bar::at_most("resident memory of the gateway", 30.0, " MB", report.metric(GOLDEN, "rss_mb")),
        Bar::at_most("first token of a stream, added besides the reserve", 1.0, " ms", first_added(report)),
        Bar::at_most("settlements lost", 0.0, "", report.metric(GOLDEN, "lost_settles")),
        Bar::at_most("overspend of the worst arm", 0.0, " micro-USD", arm_and_races("overspend_micro_usd")),
        Bar::at_most("calls refused wrongly in the races", 0.0, "", races("refused_wrongly_calls")),
        Bar::at_most("charged otherwise than paid in the races", 0.0, " micro-USD", mischarged(report)),
    ]
}

pub(crate) fn notes(report: &Report) -> Vec<String> {
    let mut notes = vec![format!(
        "The load, the upstream, the stores and what is measured share {} cores: only the ratios within this run say \
         something. Rates are open-loop: each call has its time beforehand and is measured from then; the peak is the \
         best that 16, 64 and 256 callers get who call again as soon as they are answered.",
        report.host.cpus
    )];
    notes.push(format!(
        "golden is the gateway's and the ledger's own routers in a process each, on a Postgres that waits for the disk, \
         16 tasks on one budget and {PROVIDERS} providers. Tokens have a real one's length and are hashed and looked up in \
         each call; the apiserver's TokenReview, asked once a minute and caller, is replaced by a list, and providers and \
         their key do not come from watches: that work and its memory are not in the figures."
    ));
    notes.extend(where_time_goes(report));
    notes.extend(of_first_pieces(report));
    notes.extend(of_redis(report));
    notes.push(
        "A percentile of a difference is not the difference of percentiles: bars of p99 take the difference, as the \
         nearest one can say; the means add up."
            .to_owned(),
    );
    notes.extend(report.arm(LITELLM).map(|_| MODE.to_owned()));
    notes.extend(races(report));
    notes
}

/// Against the same rate without anything between.
fn p99_added(report: &Report, rate: u32) -> Option<f64> {
    let p99 = |arm: &str| report.metric(arm, &format!("at_{rate}_p99_ms"));
    Some(p99(GOLDEN)? - p99(DIRECT)?)
}

/// Of the means, which may be subtracted.
fn first_added(report: &Report) -> Option<f64> {
    let first = |arm: &str| report.metric(arm, "stream_first_mean_ms");
    Some(first(GOLDEN)? - first(DIRECT)? - report.metric(GOLDEN, "stream_reserve_mean_ms")?)
}

/// The worst of Golden's races; none of them may lack the figure.
fn worst(report: &Report, figure: &str) -> Option<f64> {
    let each: Option<Vec<f64>> = RACES.iter().map(|race| report.metric(&race.arm(GOLDEN), figure)).collect();
    each?.into_iter().reduce(f64::max)
}

/// The most that a race's charges differ from what the provider was paid.
fn mischarged(report: &Report) -> Option<f64> {
    let differs = |race: &Race| {
        let of = |figure| report.metric(&race.arm(GOLDEN), figure);
        Some((of("charged_micro_usd")? - of("paid_micro_usd")?).abs())
    };
    let each: Option<Vec<f64>> = RACES.iter().map(differs).collect();
    each?.into_iter().reduce(f64::max)
}

fn where_time_goes(report: &Report) -> Vec<String> {
    let each = RATES.iter().filter_map(|rate| {
        if report.metric(GOLDEN, "not_borne_per_s") == Some(f64::from(*rate)) {
            return Some(format!("golden does not bear {rate}/s here: calls queue, and no higher rate was tried."));
        }
        let mean = |arm: &str, figure: &str| report.metric(arm, &format!("at_{rate}_{figure}_ms"));
        let added = mean(GOLDEN, "mean")? - mean(DIRECT, "mean")?;
        let (reserve, settle) = (mean(GOLDEN, "reserve_mean")?, mean(GOLDEN, "settle_mean")?);
        let plain = mean(PROXY, "mean").map_or_else(String::new, |proxy| {
            format!("; the plain proxy adds {:.2}", proxy - mean(DIRECT, "mean").unwrap_or_default())
        });
        Some(format!(
            "At {rate}/s golden adds {added:.2} ms in the mean: {reserve:.2} the reserve, {:.2} the rest{plain}. In \
             p99 it adds {:.2} ms. A settlement, for which nobody waits, takes {settle:.2}.",
            added - reserve,
            p99_added(report, *rate)?
        ))
    });
    each.collect()
}

/// How much later a stream begins, with the reserve and without.
fn of_first_pieces(report: &Report) -> Option<String> {
    let later = |arm: &str| {
        let first = |arm: &str| report.metric(arm, "stream_first_mean_ms");
        Some(first(arm)? - first(DIRECT)?)
    };
    let (golden, reserve) = (later(GOLDEN)?, report.metric(GOLDEN, "stream_reserve_mean_ms")?);
    let plain =
        later(PROXY).map_or_else(String::new, |later| format!("; through the plain proxy {later:.2}"));
    Some(format!(
        "The first piece of a stream comes {golden:.2} ms later through golden in the mean: {reserve:.2} the reserve, {:.2} \
         the rest, of which the bar speaks{plain}.",
        golden - reserve
    ))
}

/// What the shared count of limits costs a call.
fn of_redis(report: &Report) -> Option<String> {
    let cpu = |arm: &str| report.metric(arm, "peak_cpu_us_per_call");
    let (alone, shared) = (cpu(GOLDEN)?, cpu(GOLDEN_REDIS)?);
    Some(format!(
        "golden_redis is golden with Redis, which counts the limits of providers for all replicas and is asked before each \
         call: the gateway works {shared:.0} µs for a call with it and {alone:.0} without. Bars are about golden."
    ))
}

fn races(report: &Report) -> Vec<String> {
    let played = RACES.iter().filter(|race| report.arm(&race.arm(GOLDEN)).is_some());
    let mut told = played
        .map(|race| {
            let of = |side: &str| side_of(report, *race, side);
            format!("{}: golden {}; litellm {}.", race.name(), of(GOLDEN), of(LITELLM))
        })
        .peekable();
    if told.peek().is_none() {
        return vec![];
    }
    let head = "The races are named by their issues of BerriAI/litellm. A refusal is wrong if the money for the call was \
                there and nothing was under way that could need it; in the last race every one is."
        .to_owned();
    std::iter::once(head).chain(told).collect()
}

fn side_of(report: &Report, race: Race, side: &str) -> String {
    let name = race.arm(side);
    if let Some(error) = report.arm(&name).and_then(|arm| arm.error.as_ref()) {
        return format!("was not measured ({error})");
    }
    let figure = |metric: &str| report.metric(&name, metric).unwrap_or_default();
    format!(
        "let {} calls through and refused {}, {} of them wrongly, {} micro-USD above the limit of {}",
        figure("let_through_calls"),
        figure("refused_calls"),
        figure("refused_wrongly_calls"),
        figure("overspend_micro_usd"),
        figure("limit_micro_usd")
    )
}
