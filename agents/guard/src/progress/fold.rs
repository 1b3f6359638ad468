//! A line of a check's output without what differs between two runs that failed alike.
//!
//! Folded is what a program says of its own run, told by where it stands: the same characters in an asserted value stay,
//! for there they are what the failure is about. Counts stay in any place: one failing test less is progress.
//!
//! | folded | where |
//! |---|---|
//! | white space; rulers of `=`, `-`, `_`, `~`, `^` | runs are one |
//! | moments | at a line's beginning, in square brackets, after `start at` |
//! | durations | in parentheses or brackets; after `in`, with a fraction or in less than seconds; before pytest's `call`, `setup` and `teardown`; a line that is a duration with its name; at the end of Go's lines |
//! | addresses of six digits and more | after `at`, `addr=`, `pc=`, `sp=`; of Go's heap; a traced call's words; offsets at a line's end |
//! | threads, processes, seeds, workers | `goroutine 7`, `thread 'name' (7)`, `(node:7)`, `[gw0]`, `seed=7` |
//! | names made for one run | below `/tmp` and `/var/folders` those that begin with `tmp` or hold a digit; pytest's counter; logs of npm; digests of Cargo's binaries |
//! | lines and columns | after a file's name with an extension; Python's `line 7`; at the beginning of quoted code (`7 \|`) and of eslint's findings |

use regex::Regex;
use std::borrow::Cow;
use std::sync::LazyLock;

/// A length of time as tools write it.
const SECONDS: &str = r"\d+(?:\.\d+)? ?(?:ns|µs|us|ms|s|secs?|seconds?|m|min)";
/// One that no count of whole seconds in a sentence is.
const FINE: &str = r"(?:\d+\.\d+ ?(?:s|secs?|seconds?)|\d+(?:\.\d+)? ?(?:ns|µs|us|ms))";
/// A moment of a day, with its date or without.
const MOMENT: &str =
    r"(?:\d{4}[-/]\d\d[-/]\d\d[T ])?\d\d?:\d\d:\d\d(?:[.,]\d+)?(?: ?(?:Z|UTC|[AP]M)|[+-]\d\d:?\d\d)?";

/// Pattern and what stands for it. In this order: what one leaves is read by the next.
fn rules() -> Vec<(String, &'static str)> {
    vec![
        // Runs of ruling characters are as long as the line has room beside a duration.
        (r"={3,}|-{3,}|_{3,}|~{2,}|\^{2,}".into(), "…"),
        (format!(r"^(\[?){MOMENT}"), "$1<moment>"),
        (format!(r"\[{MOMENT}\]"), "[<moment>]"),
        (format!(r"(?i)(\bstart(?:ed)? at:? ){MOMENT}"), "$1<moment>"),
        // Of a line that is a duration with its name, also what follows in parentheses or after a comma.
        (
            format!(
                r"(?i)^((?:\S{{1,2}} )?(?:total )?(?:time(?: elapsed)?|duration(?:_ms)?)):? (?:{SECONDS}|[\d.]+)(?: \(.*\)|, estimated .*)?$"
            ),
            "$1 <time>",
        ),
        (format!(r"([(\[]){SECONDS}([)\]])"), "$1<time>$2"),
        (format!(r"(\bin ){FINE}(?: \(\d+:\d\d:\d\d\))?"), "$1<time>"),
        (r"^((?:FAIL|ok) \S+ )\d+\.\d+s$".into(), "$1<time>"),
        (format!(r"^{FINE}( (?:call|setup|teardown) )"), "<time>$1"),
        (r"(\bat |\baddr=|\bpc=|\bsp=)0x[0-9a-f]{6,}".into(), "$1<address>"),
        (r"\b0x(?:c000[0-9a-f]{6}|[0-9a-f]{12})\b".into(), "<address>"),
        (r"^(\S+)\([{0-9a-fx?, }.]*0x[{0-9a-fx?, }.]*\)$".into(), "$1(<words>)"),
        (r" \+0x[0-9a-f]+$".into(), ""),
        (r"\bgoroutine \d+".into(), "goroutine <n>"),
        (r"(\bthread '[^']*' )\(\d+\)".into(), "$1(<n>)"),
        (r"\(node:\d+\)".into(), "(node:<n>)"),
        (r"\[gw\d+\]".into(), "[gw]"),
        (r"(?i)\bseed[=:] ?\d+".into(), "seed=<n>"),
        (
            r"(/tmp|/var/folders/[^/\s]+/[^/\s]+/T)/(?:\.?tmp[^/\s':)]+|[^/\s':)]*\d[^/\s':)]*)".into(),
            "$1/<name>",
        ),
        (r"(/pytest-of-[^/\s]+/pytest-)\d+".into(), "$1<n>"),
        (r"(/_logs/)[^\s/]+".into(), "$1<name>"),
        (r"(/deps/[\w-]+-)[0-9a-f]{16}\b".into(), "$1<digest>"),
        (
            r"(\b[\w./@+-]*(?:\.[A-Za-z][A-Za-z0-9]{0,7}|Makefile|Dockerfile)):\d+(?::\d+)?".into(),
            "$1:<line>",
        ),
        (r"(\.[A-Za-z][A-Za-z0-9]{0,7})\(\d+,\d+\)".into(), "$1:<line>"),
        (r#"(", line )\d+"#.into(), "$1<line>"),
        (r"^(> ?)?\d+( \|)".into(), "$1<line>$2"),
        (r"^\d+:\d+( (?:error|warning) )".into(), "<line>$1"),
    ]
}

static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    // Each compiles, as a test asserts; without one less would be folded.
    rules().into_iter().filter_map(|(form, with)| Some((Regex::new(&form).ok()?, with))).collect()
});

/// The line as it is compared; empty if nothing is in it.
pub(super) fn fold(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    RULES.iter().fold(words.join(" "), |line, (form, with)| match form.replace_all(&line, *with) {
        Cow::Borrowed(_) => line,
        Cow::Owned(folded) => folded,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_a_pattern() {
        assert_eq!(RULES.len(), rules().len());
    }
}
