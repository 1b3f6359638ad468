//! go build, vet and test: errors by package, and failed tests with what they wrote, which with `-v` stands before the verdict.

use super::report::{Report, Telling};

pub(super) fn read<'a>(lines: &'a [&'a str]) -> Option<Report<'a>> {
    let mut failures = vec![];
    let (mut at, mut began) = (0, None);
    while let Some(line) = lines.get(at) {
        if let Some(test) = started(line) {
            began = (!test.contains('/')).then_some(at).or(began);
        }
        if is_failure(&lines[at..]) {
            let inner = lines[at + 1..].iter().position(|line| is_next(line));
            let end = inner.map_or(lines.len(), |n| at + 1 + n);
            failures.push(&lines[began.take().unwrap_or(at)..end]);
            at = end;
        } else {
            // Another test's verdict: what was written before it is not the next one's.
            began = began.filter(|_| !is_verdict(line));
            at += 1;
        }
    }
    if failures.is_empty() {
        return None;
    }
    let summary = lines.iter().copied().filter(|line| line.starts_with("FAIL\t")).collect();
    Some(Report { failures, telling: Telling::From(tells), summary })
}

/// The test of `=== RUN   TestName` and of what says that a test goes on.
fn started(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("=== ")?;
    ["RUN ", "CONT ", "NAME "].iter().find_map(|word| rest.strip_prefix(word)).map(str::trim)
}

/// `--- FAIL: TestName (0.00s)`; `# package` before errors in its files; a panic outside a test.
fn is_failure(from: &[&str]) -> bool {
    let Some((first, rest)) = from.split_first() else { return false };
    let in_file = |line: &&str| line.contains(".go:");
    let traced = || rest.iter().take(8).any(|line| line.starts_with("goroutine "));
    (first.starts_with("--- FAIL: ") && is_verdict(first))
        || (first.starts_with("# ") && rest.iter().take(2).any(in_file))
        || ((first.starts_with("panic: ") || first.starts_with("fatal error: ")) && traced())
}

/// What ends a failure: the next test, package or verdict. Tests write diffs, whose lines begin with `---` too.
fn is_next(line: &str) -> bool {
    is_verdict(line)
        || started(line).is_some()
        || ["FAIL", "PASS"].contains(&line)
        || ["=== PAUSE ", "FAIL\t", "ok  \t", "?   \t"].iter().any(|begins| line.starts_with(begins))
        || (line.starts_with("# ") && !line.starts_with("# ["))
}

/// `--- FAIL: TestName (0.00s)`
fn is_verdict(line: &str) -> bool {
    let name =
        ["FAIL: ", "PASS: ", "SKIP: "].iter().find_map(|word| line.strip_prefix("--- ")?.strip_prefix(word));
    name.is_some_and(|name| name.contains(" (") && name.ends_with("s)"))
}

/// `    slug_test.go:18: wrong length`, with `-v` below all that the test wrote; a panic.
fn tells(line: &str) -> bool {
    line.starts_with("panic: ") || (line.starts_with("    ") && line.contains("_test.go:"))
}
