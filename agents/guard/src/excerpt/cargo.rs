//! cargo build, check, clippy and test: the compiler's errors, and what failed tests wrote.
//!
//! What a test wrote can look like any line of cargo's or the compiler's. So nothing within it counts but the heading of the
//! next test and the list of names at the end, and the latter not if another list or a heading without its headline
//! follows: then a test wrote it, as one that runs cargo itself does.

use super::report::{Report, Telling};
use std::collections::BTreeSet;

/// Lines within which an error's place follows its message.
const MESSAGE_LINES: usize = 8;

/// How cargo's and the compiler's own conclusions go on after `error: `; programs that tests start write there too.
const CONCLUSIONS: [&str; 6] = [
    "could not compile ",
    "test failed",
    "doctest failed",
    "build failed",
    "aborting due to ",
    "process didn't ",
];

#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// The compiler's and cargo's own words.
    Cargo,
    /// What a failed test wrote.
    Test,
    /// The names of those that failed.
    Names,
}

pub(super) fn read<'a>(lines: &'a [&'a str]) -> Option<Report<'a>> {
    let lists = lists(lines);
    let (mut failures, mut summary) = (vec![], vec![]);
    let (mut open, mut place) = (None, Place::Cargo);
    for (n, line) in lines.iter().enumerate() {
        let list = lists.contains(&n);
        place = match place {
            _ if is_test(line) => Place::Test,
            _ if list => Place::Names,
            Place::Names if !line.starts_with("    ") => Place::Cargo,
            same => same,
        };
        let error = place == Place::Cargo && is_error(&lines[n..]);
        let begins = is_test(line) || error;
        if begins || list || (place == Place::Cargo && ends_error(line)) {
            failures.extend(open.take().map(|from| &lines[from..n]));
        }
        if begins {
            open = Some(n);
        }
        if place == Place::Names || (place == Place::Cargo && !error && is_conclusion(line)) {
            summary.push(*line);
        }
    }
    failures.extend(open.map(|from| &lines[from..]));
    (!failures.is_empty()).then_some(Report { failures, telling: Telling::From(is_panic), summary })
}

/// Where the lists of failed tests' names begin, `failures:` with the first name below, but for those that tests wrote.
fn lists(lines: &[&str]) -> BTreeSet<usize> {
    let (mut lists, mut inside) = (BTreeSet::new(), false);
    for (n, line) in lines.iter().enumerate().rev() {
        if is_test(line) {
            inside = n < 2 || lines[n - 2] != "failures:";
        } else if *line == "failures:" && lines.get(n + 1).is_some_and(|name| name.starts_with("    ")) {
            if !inside {
                lists.insert(n);
            }
            inside = true;
        }
    }
    lists
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

/// What follows the compiler's errors.
fn ends_error(line: &str) -> bool {
    ["failures:", "warning: ", "error: ", "test result: FAILED"].iter().any(|begins| line.starts_with(begins))
}

/// `---- tests::name stdout ----`
fn is_test(line: &str) -> bool {
    line.starts_with("---- ") && (line.ends_with(" stdout ----") || line.ends_with(" stderr ----"))
}

/// Why a test failed, below all that it wrote: `thread 'tests::name' (29526) panicked at src/lib.rs:11:9:`, or the error
/// that it returned.
fn is_panic(line: &str) -> bool {
    (line.starts_with("thread '") && line.contains(" panicked at ")) || line.starts_with("Error: ")
}

/// `test result: FAILED. …`, `error: could not compile …`, `error: 2 targets failed:`
fn is_conclusion(line: &str) -> bool {
    let error = line.strip_prefix("error: ").unwrap_or_default();
    line.starts_with("test result: FAILED")
        || CONCLUSIONS.iter().any(|begins| error.starts_with(begins))
        || (error.starts_with(|c: char| c.is_ascii_digit()) && error.contains(" failed"))
}
