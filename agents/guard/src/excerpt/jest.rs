//! Jest: `  ● suite › test` before each failure; with many suites it tells all of them again at the end.

use super::report::{Report, Telling, runs};
use std::collections::BTreeSet;

pub(super) fn read<'a>(lines: &'a [&'a str]) -> Option<Report<'a>> {
    let mut failures = runs(
        lines,
        |n| lines[n].starts_with("  ● ") && lines[n] != "  ● Console",
        |line| {
            line == "  ● Console"
                || line == "Summary of all failing tests"
                || ["FAIL ", "PASS ", "Test Suites:"].iter().any(|begins| line.starts_with(begins))
        },
    );
    let mut told = BTreeSet::new();
    failures.retain(|failure| told.insert(failure.join("\n").trim_end().to_owned()));
    if failures.is_empty() {
        return None;
    }
    let is_summary = |line: &&str| line.starts_with("Test Suites:") || line.starts_with("Tests:");
    let summary = lines.iter().copied().filter(is_summary).collect();
    Some(Report { failures, telling: Telling::Beginning, summary })
}
