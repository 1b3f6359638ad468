//! Vitest: ` FAIL  file > suite > test` before each failure, several such lines before one that they share.

use super::report::{Report, Telling, runs};

pub(super) fn read<'a>(lines: &'a [&'a str]) -> Option<Report<'a>> {
    let is_name = |n: usize| lines[n].starts_with(" FAIL ");
    let failures = runs(
        lines,
        |n| is_name(n) && (n == 0 || !is_name(n - 1)),
        // `⎯⎯⎯[1/3]⎯` after each. What is thrown has words of its own, the counts of another run among them.
        |line| line.starts_with("⎯⎯") && line.ends_with('⎯'),
    );
    if failures.is_empty() {
        return None;
    }
    let is_summary = |line: &&str| {
        let line = line.trim_start();
        line.starts_with("Test Files ") || line.starts_with("Tests ")
    };
    let summary = lines.iter().copied().filter(is_summary).collect();
    Some(Report { failures, telling: Telling::Beginning, summary })
}
