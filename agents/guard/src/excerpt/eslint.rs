//! ESLint: a file's path and below it a line for each finding; `✖ 8 problems` at the end.

use super::report::{Report, Telling, runs};

pub(super) fn read<'a>(lines: &'a [&'a str]) -> Option<Report<'a>> {
    let summary: Vec<&str> = lines.iter().copied().filter(|line| line.starts_with("✖ ")).collect();
    let is_file = |n: usize| {
        let next = lines.get(n + 1).copied().unwrap_or_default();
        !lines[n].is_empty() && !lines[n].starts_with(' ') && is_finding(next)
    };
    let failures = runs(lines, is_file, |line| line.starts_with("✖ "));
    (!summary.is_empty() && !failures.is_empty()).then_some(Report {
        failures,
        telling: Telling::Beginning,
        summary,
    })
}

/// `  12:5  error  …`
fn is_finding(line: &str) -> bool {
    let Some((row, rest)) = line.strip_prefix("  ").and_then(|line| line.trim_start().split_once(':')) else {
        return false;
    };
    let column = rest.split(' ').next().unwrap_or_default();
    [row, column].iter().all(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}
