//! The TypeScript compiler: a line for each error, with further lines of explanation or, where it is pretty, of code.

use super::report::{Report, Telling, runs};

pub(super) fn read<'a>(lines: &'a [&'a str]) -> Option<Report<'a>> {
    // `a.ts(1,2): error TS2322: …` and `a.ts:1:2 - error TS2322: …`
    let is_error = |n: usize| lines[n].contains("): error TS") || lines[n].contains(" - error TS");
    let is_count = |line: &str| line.starts_with("Found ") && line.contains(" error");
    let failures = runs(lines, is_error, is_count);
    if failures.is_empty() {
        return None;
    }
    let summary = lines.iter().copied().filter(|line| is_count(line)).collect();
    Some(Report { failures, telling: Telling::Beginning, summary })
}
