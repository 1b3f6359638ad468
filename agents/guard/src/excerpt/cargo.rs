//! cargo build, check, clippy and test: the compiler's errors, and what failed tests wrote.

use super::report::{Report, Telling, runs};

/// Lines within which an error's place follows its message.
const MESSAGE_LINES: usize = 8;

pub(super) fn read<'a>(lines: &'a [&'a str]) -> Option<Report<'a>> {
    let failures = runs(
        lines,
        |n| is_error(&lines[n..]) || is_test(lines[n]),
        |line| line == "failures:" || line.starts_with("warning: ") || is_conclusion(line),
    );
    if failures.is_empty() {
        return None;
    }
    let mut names = false;
    let summary = lines.iter().enumerate().filter(|(n, line)| {
        // The list of names, not the headline of what the tests wrote.
        let next = lines.get(n + 1).copied().unwrap_or_default();
        names = (names && line.starts_with("    ")) || (**line == "failures:" && next.starts_with("    "));
        names || (is_conclusion(line) && !is_error(&lines[*n..]))
    });
    Some(Report { summary: summary.map(|(_, line)| *line).collect(), failures, telling: Telling::Beginning })
}

/// `error[E0308]: mismatched types`, `error: unused variable` with the place after it.
fn is_error(from: &[&str]) -> bool {
    let Some((first, rest)) = from.split_first() else { return false };
    let place = || {
        rest.iter()
            .take(MESSAGE_LINES)
            .take_while(|line| !line.is_empty())
            .any(|line| line.trim_start().starts_with("--> "))
    };
    first.starts_with("error[E") || (first.starts_with("error: ") && place())
}

/// `---- tests::name stdout ----`
fn is_test(line: &str) -> bool {
    line.starts_with("---- ") && (line.ends_with(" stdout ----") || line.ends_with(" stderr ----"))
}

/// `test result: FAILED. …`, `error: could not compile …`
fn is_conclusion(line: &str) -> bool {
    line.starts_with("test result: FAILED") || line.starts_with("error: ")
}
