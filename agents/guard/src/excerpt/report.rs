//! A tool's report within a bound: of every failure something rather than of one everything.
//!
//! Where not all fits, failures that are short are whole and the others share what is left evenly; of a failure that is cut
//! its first line, which names it, and the part that tells most. Those for which nothing is left are counted.

use super::{CUT, tail};

/// Longest part of an excerpt that repeats what a tool says of all failures.
const MAX_SUMMARY_BYTES: usize = 1024;

/// What each failure that is shown gets at least, unless it is shorter.
const LEAST_BYTES: usize = 320;

/// Room for the line that counts what is left out.
const COUNT_BYTES: usize = 48;

pub(super) struct Report<'a> {
    /// The lines of each failure, in the order they are told.
    pub(super) failures: Vec<&'a [&'a str]>,
    pub(super) telling: Telling,
    /// What the tool says of all of them.
    pub(super) summary: Vec<&'a str>,
}

/// The part of a failure that says most of it.
#[derive(Clone, Copy)]
pub(super) enum Telling {
    Beginning,
    /// From the last line for which this holds, with as much of what stands before as there is room for.
    From(fn(&str) -> bool),
    /// The end of what stands up to the first line for which this holds, and where that is whole the end of the rest.
    UpTo(fn(&str) -> bool),
}

impl Report<'_> {
    /// The report in at most `max` bytes; `max` is larger than the bounds above.
    pub(super) fn within(&self, max: usize) -> String {
        let summary = tail(&self.summary.join("\n"), MAX_SUMMARY_BYTES);
        let texts: Vec<String> = self.failures.iter().map(|lines| lines.join("\n") + "\n").collect();
        let lengths: Vec<usize> = texts.iter().map(String::len).collect();
        let shares = shares(&lengths, max.saturating_sub(summary.len() + COUNT_BYTES));
        let shown: String =
            texts.iter().zip(&shares).map(|(text, share)| self.telling.cut(text, *share)).collect();
        let left_out = match texts.len() - shares.len() {
            0 => String::new(),
            1 => "[… 1 more failure]\n".to_owned(),
            n => format!("[… {n} more failures]\n"),
        };
        format!("{}\n{left_out}{summary}", shown.trim_end()).trim_end().to_owned()
    }
}

/// How much of each failure is shown, of the first ones that get their least.
fn shares(lengths: &[usize], room: usize) -> Vec<usize> {
    let mut least = 0;
    let shown = lengths
        .iter()
        .take_while(|length| {
            least += (**length).min(LEAST_BYTES);
            least <= room
        })
        .count();
    let mut shortest: Vec<usize> = (0..shown).collect();
    shortest.sort_by_key(|n| lengths[*n]);
    let (mut shares, mut left) = (vec![0; shown], room);
    for (done, n) in shortest.into_iter().enumerate() {
        shares[n] = lengths[n].min(left / (shown - done));
        left -= shares[n];
    }
    shares
}

impl Telling {
    /// At most `max` bytes of a failure, with a line's end.
    fn cut(self, text: &str, max: usize) -> String {
        if text.len() <= max {
            return text.to_owned();
        }
        let (name, rest) = named(text, max);
        let room = max.saturating_sub(name.len() + 1);
        // With room for more than the mark of a cut.
        let left = |telling: &str| room.checked_sub(telling.len()).filter(|left| *left > CUT.len());
        let split = |at: usize| rest.split_at_checked(at).unwrap_or((rest, ""));
        match self {
            Self::UpTo(ends) => {
                let last = line_starts(rest, ends).next();
                let end = last.and_then(|at| Some(at + rest.get(at..)?.find('\n')? + 1));
                let (telling, after) = split(end.unwrap_or(rest.len()));
                match left(telling) {
                    Some(left) => format!("{name}{telling}{}\n", tail(after, left)),
                    None => format!("{name}{}\n", tail(telling, room)),
                }
            }
            Self::From(tells) => match line_starts(rest, tells).last().map(split) {
                // Otherwise the beginning has both.
                Some((before, telling)) if before.len() > room / 3 => match left(telling) {
                    Some(left) => format!("{name}{}\n{telling}", tail(before, left)),
                    None => format!("{name}{CUT}{}{CUT}", head(telling, room.saturating_sub(2 * CUT.len()))),
                },
                _ => Self::Beginning.cut(text, max),
            },
            Self::Beginning => format!("{}{CUT}", head(text, max.saturating_sub(CUT.len()))),
        }
    }
}

/// The first line, which names a failure, shortened to a third of `max`; and what follows it.
fn named(text: &str, max: usize) -> (String, &str) {
    let (name, rest) = text.split_once('\n').unwrap_or((text, ""));
    let name = head(name, max / 3);
    (if name.is_empty() || name.ends_with('\n') { name } else { name + "\n" }, rest)
}

/// Where lines begin for which `holds`.
fn line_starts(text: &str, holds: fn(&str) -> bool) -> impl Iterator<Item = usize> {
    let mut at = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let start = at;
        at += line.len();
        holds(line.trim_end()).then_some(start)
    })
}

/// The beginning of a text within `max` bytes, up to the end of a line where one is near.
fn head(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let mut to = max.saturating_sub(1);
    while !text.is_char_boundary(to) {
        to -= 1;
    }
    let kept = text.get(..to).unwrap_or_default();
    match kept.rsplit_once('\n') {
        Some((whole, cut)) if cut.len() < 200 => format!("{whole}\n"),
        _ => format!("{kept}\n"),
    }
}

/// Runs of lines that each begin where `begins` holds and end before the next such line or one where `ends` holds.
pub(super) fn runs<'a>(
    lines: &'a [&'a str],
    begins: impl Fn(usize) -> bool,
    ends: impl Fn(&str) -> bool,
) -> Vec<&'a [&'a str]> {
    let mut found = vec![];
    let mut start: Option<usize> = None;
    for (n, line) in lines.iter().enumerate() {
        let begins = begins(n);
        if let Some(from) = start.filter(|_| begins || ends(line)) {
            found.push(&lines[from..n]);
            start = None;
        }
        if begins {
            start = Some(n);
        }
    }
    found.extend(start.map(|from| &lines[from..]));
    found
}
