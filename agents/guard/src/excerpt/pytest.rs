//! pytest: sections with a ruled title, the assertion and its place before what the test wrote, and a short summary with every
//! name.
//!
//! What tests wrote stands in the sections and can look like any of pytest's own lines. Those are ruled on both sides to the
//! width of the terminal; and a banner with failures' sections still to come is not the end of the report, but something that
//! a test wrote, as one that runs pytest itself does. So no failure is lost by what one wrote before it; at worst there are
//! more sections than failures.

use super::report::{Report, Telling};

/// A line of pytest's own.
#[derive(Clone, Copy, PartialEq)]
enum Mark {
    /// Sections of failures follow.
    Failures,
    /// Sections of other tests follow.
    Others,
    /// Anything else of which no sections are: the summary, durations, a plugin's report.
    Banner,
    Section,
}

pub(super) fn read<'a>(lines: &'a [&'a str]) -> Option<Report<'a>> {
    let is_report = |line: &&&str| matches!(ruled(line, '='), Some("FAILURES" | "ERRORS"));
    let width = lines.iter().filter(is_report).map(|line| line.chars().count()).max()?;
    let mut failures = vec![];
    let (mut open, mut told, mut end) = (None, None, None);
    for (n, mark) in marks(lines, width) {
        if told.is_some()
            && let Some(from) = open.take()
        {
            failures.push(&lines[from..n]);
        }
        match mark {
            Mark::Failures => told = Some(n + 1),
            Mark::Section => open = told.map(|_| n),
            Mark::Others | Mark::Banner => end = told.take().map(|from| (from, n)).or(end),
        }
    }
    failures.extend(open.map(|from| &lines[from..]));
    let summary = end.filter(|_| told.is_none()).map_or(&[][..], |(_, n)| &lines[n..]);
    if failures.is_empty() {
        // A line for each failure, which the user may ask for. Without an end it is not known to be pytest's.
        failures.extend(end.map(|(from, n)| &lines[from..n]));
    }
    (!failures.is_empty()).then(|| Report {
        failures,
        telling: Telling::UpTo(is_captured),
        summary: summary.to_vec(),
    })
}

/// pytest's own lines, without banners that sections of failures follow.
fn marks(lines: &[&str], width: usize) -> Vec<(usize, Mark)> {
    let mut marks: Vec<(usize, Mark)> = vec![];
    let mut next = None;
    for (n, line) in lines.iter().enumerate().rev() {
        match mark(line, width) {
            None => continue,
            Some(Mark::Banner) if next == Some(Mark::Section) => continue,
            Some(Mark::Banner) => {}
            of_sections => next = of_sections,
        }
        marks.extend(mark(line, width).map(|mark| (n, mark)));
    }
    marks.reverse();
    marks
}

fn mark(line: &str, width: usize) -> Option<Mark> {
    // A title too long for the terminal has the shortest rules.
    let whole = |rule: char| {
        let length = line.chars().count();
        let title = ruled(line, rule)?;
        (length == width || (length > width && line.chars().nth(1) == Some(' '))).then_some(title)
    };
    match whole('=') {
        Some("FAILURES" | "ERRORS") => Some(Mark::Failures),
        Some("PASSES" | "XPASSES" | "XFAILURES") => Some(Mark::Others),
        Some(_) => Some(Mark::Banner),
        // `_ _ _ _` parts the places of a traceback.
        None => whole('_').filter(|title| title.contains(|c| !"_ ".contains(c))).map(|_| Mark::Section),
    }
}

/// `---- Captured stdout call ----`
fn is_captured(line: &str) -> bool {
    line.starts_with("---") && line.contains(" Captured ")
}

/// The title of `==== title ====`: rules of one length, or the right one longer by one.
fn ruled(line: &str, rule: char) -> Option<&str> {
    let inner = line.trim_start_matches(rule);
    let title = inner.trim_end_matches(rule);
    let (left, right) = (line.len() - inner.len(), inner.len() - title.len());
    let even = left > 0 && (left == right || left + 1 == right);
    title.strip_prefix(' ')?.strip_suffix(' ').filter(|title| even && !title.trim().is_empty())
}
