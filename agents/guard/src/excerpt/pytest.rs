//! pytest: sections with a ruled title, the assertion and its place at their end, and a short summary with every name.

use super::report::{Report, Telling, runs};

pub(super) fn read<'a>(lines: &'a [&'a str]) -> Option<Report<'a>> {
    let last = lines.iter().rposition(|line| is_banner(line, "FAILURES") || is_banner(line, "ERRORS"))?;
    // Errors of fixtures come first, under a banner of their own.
    let from = lines[..last]
        .iter()
        .rposition(|line| line.starts_with("==="))
        .filter(|n| is_banner(lines[*n], "ERRORS"))
        .unwrap_or(last);
    let after = &lines[last + 1..];
    let end = after.iter().position(|line| line.starts_with("===")).map_or(lines.len(), |n| last + 1 + n);
    let report = &lines[from..end];
    let mut failures = runs(report, |n| is_section(report[n]), |line| line.starts_with("==="));
    if failures.is_empty() {
        failures.push(&lines[last + 1..end]);
    }
    Some(Report { failures, telling: Telling::End, summary: lines[end..].to_vec() })
}

/// `==== FAILURES ====`
fn is_banner(line: &str, title: &str) -> bool {
    line.starts_with("===") && line.trim_matches('=').trim() == title
}

/// `____ test_name ____`
fn is_section(line: &str) -> bool {
    line.starts_with("___") && line.ends_with("___") && line.trim_matches('_').starts_with(' ')
}
