//! What the figures must be, and what they say together.

use super::cell::{BUDGETS, CALLERS, CELLS, Cell};
use super::sizes::{BYTES_PER_TOKEN, MOST_OUTPUT};
use crate::report::{Bar, Report};

/// The cell of the bar.
const BAR: Cell = Cell { callers: 8, mean_calls: 500 };

pub(crate) fn of(report: &Report) -> Vec<Bar> {
    let spent = report.metric(&BAR.name(), "spent_before_first_hold_percent");
    let worst = |figure: &str| largest(|cell| report.metric(&cell.name(), figure));
    let mischarged = largest(|cell| {
        let of = |figure| report.metric(&cell.name(), figure);
        Some((of("charged_micro_usd")? - of("paid_micro_usd")?).abs())
    });
    vec![
        Bar::at_least(&format!("spent before the first hold, {}", BAR.name()), 90.0, " %", spent),
        Bar::at_most(
            "spent and reserved at any time, worst cell",
            100.0,
            " %",
            worst("max_committed_percent"),
        ),
        Bar::at_most("charged otherwise than paid, worst cell", 0.0, " micro-USD", mischarged),
        Bar::at_most("overspend of the worst cell", 0.0, " micro-USD", worst("overspend_micro_usd")),
        Bar::at_most("settlements lost", 0.0, "", worst("lost_settles")),
    ]
}

/// The largest of a figure; no cell may lack it.
fn largest(figure: impl Fn(&Cell) -> Option<f64>) -> Option<f64> {
    CELLS.iter().map(figure).collect::<Option<Vec<f64>>>()?.into_iter().reduce(f64::max)
}

pub(crate) fn notes(report: &Report) -> Vec<String> {
    let mut notes = vec![curve(report)];
    notes.extend(why(report));
    notes.push(format!(
        "Calls are drawn anew by one seed for each cell. Half of the sessions are like Claude Code's (86,000 bytes at first, \
         asks for 64,000 tokens of output), half like Codex's (40,000 bytes, names no cap), each of ten turns, with 4,000 \
         bytes more in each; a token is {BYTES_PER_TOKEN} bytes, answers are log-normal with a median of 200 tokens, a model \
         gives at most {MOST_OUTPUT}. Nothing is read from a provider's cache. A model takes a thousandth of the time."
    ));
    notes
}

/// The share spent when the first call was held, with a row for each number of callers.
fn curve(report: &Report) -> String {
    let mut text =
        "Spent before the first call was held, in percent, by callers and the budget in mean calls:\n\n"
            .to_owned()
            + &format!("{:>8}", "callers");
    for budget in BUDGETS {
        text += &format!(" {budget:>7}");
    }
    for callers in CALLERS {
        text += &format!("\n{callers:>8}");
        for mean_calls in BUDGETS {
            let name = Cell { callers, mean_calls }.name();
            let percent = report.metric(&name, "spent_before_first_hold_percent");
            text += &format!(" {:>7}", percent.map_or("-".to_owned(), |p| format!("{p:.1}")));
        }
    }
    text
}

/// What the calls under way keep from being spent.
fn why(report: &Report) -> Option<String> {
    let of = |figure| report.metric(&BAR.name(), figure);
    let (whole, prompt) = (of("reserved_mean_calls")?, of("reserved_for_prompt_mean_calls")?);
    let (times, lowered, cut) = (of("prompt_bound_ratio")?, of("lowered_calls")?, of("cut_off_calls")?);
    Some(format!(
        "{}: while there is plenty, a call reserves {whole:.1} times what it costs in the mean: {prompt:.1} for its prompt, \
         which is taken for {times:.2} times as long as it is, and {:.1} for its output. When little was left, {lowered:.0} \
         calls were made with less output, so that the others were not held; {cut:.0} answers were cut off by that.",
        BAR.name(),
        whole - prompt,
    ))
}
