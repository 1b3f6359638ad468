//! What holds for every input.

use crate::sanitize::{MAX_INPUT, TooLarge, sanitize};
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// Pieces from which findings are built, and what could be left of them.
const PIECES: &[&str] = &[
    "DROP TABLE users",
    ";",
    " ",
    "\n",
    "'",
    "\"",
    "`",
    "--",
    "-",
    "/*",
    "*/",
    "/",
    "*",
    "#",
    " OR ",
    "1=1",
    "'1'='1",
    "UNION SELECT",
    "SELECT * FROM t",
    "WHERE x = 1",
    "<",
    ">",
    "<script",
    "</script>",
    "script",
    "<img ",
    "onerror=",
    "javascript:",
    "&#60;",
    "&lt;",
    "&",
    "lt;",
    "#60;",
    "%3C",
    "%",
    "3C",
    "\\u003c",
    "\\",
    "\u{200b}",
    "\u{ff1c}",
    "$(",
    "$",
    "(",
    ")",
    "rm -rf /",
    "curl x",
    "|",
    "sh",
    "&&",
    "||",
    "> /etc/x",
    "; id",
    "é",
    "${IFS}",
    "a",
    "0",
];

fn pieces() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(PIECES), 0..24).prop_map(|parts| parts.concat())
}

fn check(input: &[u8]) {
    let done = sanitize(input).unwrap();
    let again = sanitize(done.neutralised.as_bytes()).unwrap();
    assert_eq!(again.neutralised, done.neutralised, "neutralising is not idempotent");
    let mut end = 0;
    for finding in &done.findings {
        assert!(
            finding.start >= end && finding.start < finding.end && finding.end <= input.len(),
            "{done:?}"
        );
        end = finding.end;
    }
    if done.findings.is_empty() {
        assert_eq!(
            done.neutralised,
            String::from_utf8_lossy(input),
            "without findings nothing is taken away"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_answered(input in proptest::collection::vec(any::<u8>(), 0..256)) {
        check(&input);
    }

    #[test]
    fn any_text_is_answered(input in ".{0,128}") {
        check(input.as_bytes());
    }

    #[test]
    fn hostile_pieces_in_any_order_are_neutralised_once_for_all(input in pieces()) {
        check(input.as_bytes());
    }

    #[test]
    fn pieces_between_bytes_that_are_no_text_keep_their_offsets(input in pieces(), noise in 0x80_u8..) {
        let mut bytes = vec![noise];
        bytes.extend_from_slice(input.as_bytes());
        bytes.push(noise);
        check(&bytes);
    }
}

/// Beginnings that never end, as they would make a reader look ahead or back again and again.
const UNENDED: &[&str] = &[
    "SELECT a,",
    "SELECT (",
    "DROP TABLE ",
    "' OR (",
    "<a ",
    "<a onx",
    "onclick=",
    "java\t",
    "$( ",
    "`id",
    "curl |",
    "rm -a ",
    "SELECT\n",
    "/*a",
    "<script>",
    "<script",
    "CREATE TABLE a (",
    "' ",
    "((((",
    "GRANT ALL,",
    "> ",
    "a.b.c.",
    "UNION SELECT 1,",
    "; curl ",
    "<scr<script>ipt>",
    "';';';",
    "&#",
    "-\u{200b}",
    "echo x >",
    "$(a ",
    "x=`cat ",
];

/// How long `bytes` of `piece` take.
fn took(piece: &str, bytes: usize) -> Duration {
    let input = piece.repeat(bytes / piece.len());
    let begun = Instant::now();
    let done = sanitize(input.as_bytes()).unwrap();
    let took = begun.elapsed();
    assert!(done.neutralised.len() <= 2 * input.len());
    took
}

#[test]
fn what_never_ends_takes_time_in_proportion() {
    for piece in PIECES.iter().chain(UNENDED) {
        let (small, large) = (took(piece, 16 << 10), took(piece, 128 << 10));
        // Eight times as much; a quadratic step would take 64 times as long.
        let most = small * 32 + Duration::from_millis(500);
        assert!(large < most, "{piece:?}: 16 KiB took {small:?}, 128 KiB {large:?}");
    }
}

#[test]
fn a_mebibyte_made_to_be_slow_is_answered_soon() {
    for piece in
        ["SELECT (", "' OR (", "<script>", "/*a", "$(a ", "x=`cat ", "<scr<script>ipt>", "';DROP TABLE a--"]
    {
        let took = took(piece, 1 << 20);
        // Far above what a busy machine needs, far below what a quadratic step would take.
        assert!(took < Duration::from_secs(30), "{piece:?} took {took:?}");
    }
}

#[test]
fn too_much_is_refused_and_the_most_is_not() {
    assert_eq!(sanitize(&vec![b'a'; MAX_INPUT + 1]), Err(TooLarge));
    assert!(sanitize(&vec![b' '; MAX_INPUT]).is_ok());
}
