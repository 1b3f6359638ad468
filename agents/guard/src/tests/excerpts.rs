use crate::{MAX_EXCERPT_BYTES, excerpt};
use proptest::prelude::*;

const PYTEST: &str = "\
.F.F                                                                     [100%]
=================================== FAILURES ===================================
__________________________________ test_first __________________________________

    def test_first():
>       assert slugify('a b') == 'a-b'
E       AssertionError: assert 'ab' == 'a-b'

tests/test_slug.py:5: AssertionError
_________________________________ test_strasse _________________________________

    def test_strasse():
>       assert slugify('Straße') == 'strasse'
E       AssertionError: assert 'strae' == 'strasse'

tests/test_slug.py:9: AssertionError
=========================== short test summary info ============================
FAILED tests/test_slug.py::test_first - AssertionError: assert 'ab' == 'a-b'
FAILED tests/test_slug.py::test_strasse - AssertionError: assert 'strae' == 'strasse'
2 failed, 2 passed in 0.03s
";

#[test]
fn output_that_fits_is_kept_whole() {
    assert_eq!(excerpt(PYTEST.as_bytes()), PYTEST.trim_end());
}

#[test]
fn of_long_pytest_output_every_failing_section_is_kept_with_the_summary() {
    // Progress and captured output before the report are what has no room.
    let noisy = format!("{}{PYTEST}", "collecting ...\n".repeat(400));
    let text = excerpt(noisy.as_bytes());
    assert!(text.starts_with("__________________________________ test_first"), "{text}");
    assert!(text.contains("assert 'ab' == 'a-b'") && text.contains("assert 'strae' == 'strasse'"), "{text}");
    assert!(text.ends_with("2 failed, 2 passed in 0.03s"), "{text}");

    // Of a first section without end its name and its end.
    let uneven = PYTEST.replace("    def test_first():\n", &"    setup()\n".repeat(2000));
    let text = excerpt(uneven.as_bytes());
    assert!(text.starts_with("__________________________________ test_first"), "{text}");
    assert!(text.contains("[…]\n    setup()\n") && text.contains("assert 'ab' == 'a-b'"), "{text}");
    assert!(text.contains("tests/test_slug.py:9") && text.contains("FAILED tests/test_slug.py::test_first"));
}

#[test]
fn errors_of_pytests_fixtures_are_kept_beside_failures() {
    let both = format!(
        "{}==================================== ERRORS ====================================\n\
         _________________________ ERROR at setup of test_third _________________________\n\
         E   fixture 'shop' not found\n{}",
        "noise\n".repeat(1000),
        PYTEST.split_once('\n').unwrap().1
    );
    let text = excerpt(both.as_bytes());
    assert!(text.starts_with("_________________________ ERROR at setup of test_third"), "{text}");
    assert!(text.contains("fixture 'shop' not found") && text.contains("assert 'ab' == 'a-b'"), "{text}");
    assert!(!text.contains("FAILURES"), "{text}");
}

#[test]
fn pytest_collection_errors_are_found_too() {
    let output = "\
==================================== ERRORS ====================================
_____________________ ERROR collecting tests/test_slug.py ______________________
E   ModuleNotFoundError: No module named 'shop'
=========================== short test summary info ============================
ERROR tests/test_slug.py
";
    let text = excerpt(output.as_bytes());
    assert!(text.contains("No module named 'shop'") && text.ends_with("ERROR tests/test_slug.py"), "{text}");
    let text = excerpt(format!("{}{output}", "noise\n".repeat(1000)).as_bytes());
    assert!(text.starts_with("_____________________ ERROR collecting") && text.len() < 500, "{text}");
}

#[test]
fn long_pytest_sections_keep_their_end_and_the_summary() {
    let long = PYTEST.replace("    def test_strasse():\n", &"    setup()\n".repeat(2000));
    let text = excerpt(long.as_bytes());
    assert!(text.len() <= MAX_EXCERPT_BYTES, "{}", text.len());
    assert!(text.contains("test_strasse _________________________________\n[…]\n    setup()"), "{text}");
    assert!(
        text.contains("assert 'strae' == 'strasse'")
            && text.contains("FAILED tests/test_slug.py::test_strasse")
    );
}

#[test]
fn other_output_gives_its_end_from_the_start_of_a_line() {
    let output = (0..2000).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
    let text = excerpt(output.as_bytes());
    assert!(text.len() <= MAX_EXCERPT_BYTES && text.len() > MAX_EXCERPT_BYTES - 32);
    assert!(text.starts_with("[…]\nline ") && text.ends_with("line 1999"), "{text}");
    assert_eq!(excerpt(b"short\n"), "short");
    assert_eq!(excerpt(b""), "");
}

#[test]
fn terminal_escapes_and_deceiving_characters_are_dropped() {
    assert_eq!(excerpt(b"\x1b[31mred\x1b[0m\r\nnext\rover\0\x07\x1bM\ttab"), "red\nnext\noverM\ttab");
    assert_eq!(excerpt("safe\u{202e}gnp.exe\u{2066}".as_bytes()), "safegnp.exe");
    assert_eq!(excerpt(b"bad \xff\xfe utf"), "bad \u{fffd}\u{fffd} utf");
    assert_eq!(excerpt(b"\x1b["), "");
}

/// What the tools really wrote.
const REPORTS: [(&str, &str, &[&str]); 12] = [
    (
        "cargo test",
        include_str!("outputs/cargo-test.txt"),
        &[
            "---- tests::nothing_is_refused stdout ----\nlooking at nothing\nError: \"an empty slug\"",
            "panicked at src/lib.rs:27:9:\ngot straße",
            "assertion `left == right` failed\n  left: \"ab\"\n right: \"a-b\"",
            "failures:\n    tests::nothing_is_refused\n    tests::spaces_become_dashes",
            "test result: FAILED. 1 passed; 3 failed",
        ],
    ),
    (
        "cargo build",
        include_str!("outputs/cargo-build.txt"),
        &[
            "error[E0425]: cannot find value `two` in this scope\n --> src/lib.rs:7:9",
            "expected `String`, found `usize`",
            "error: could not compile `shop` (lib) due to 2 previous errors",
        ],
    ),
    (
        "cargo clippy",
        include_str!("outputs/cargo-clippy.txt"),
        &[
            "error: unneeded `return` statement\n --> src/lib.rs:2:5",
            "error: writing `&String` instead of `&str`",
            "error: could not compile `shop` (lib) due to 2 previous errors",
        ],
    ),
    (
        "go test",
        include_str!("outputs/go-test.txt"),
        &[
            "--- FAIL: TestSpaces (0.00s)\n    --- FAIL: TestSpaces/a_b (0.00s)",
            "slug_test.go:9: Slugify(\"x y z\") = \"xyz\", want \"x-y-z\"",
            "--- FAIL: TestLength (0.00s)\n    slug_test.go:16: looking\n    slug_test.go:18: wrong length",
            "FAIL\texample.com/shop",
        ],
    ),
    (
        "go test -v",
        include_str!("outputs/go-test-v.txt"),
        &[
            "=== RUN   TestSpaces\n=== RUN   TestSpaces/a_b\n    slug_test.go:9:",
            "=== RUN   TestLength\n    slug_test.go:16: looking\n    slug_test.go:18: wrong length\n--- FAIL: TestLength",
            "FAIL\texample.com/shop",
        ],
    ),
    (
        "go test that panics",
        include_str!("outputs/go-panic.txt"),
        &[
            "--- FAIL: TestPanics (0.00s)\npanic: assignment to entry in nil map",
            "/workspace/slug_test.go:26 +0x33",
            "--- FAIL: TestLength",
        ],
    ),
    (
        "go build",
        include_str!("outputs/go-build.txt"),
        &["# example.com/shop\n./slug.go:7:28: declared and not used: x\n./slug.go:7:47: undefined: two"],
    ),
    (
        "jest",
        include_str!("outputs/jest.txt"),
        &[
            "● slugify › joins words with dashes\n\n    expect(received).toBe(expected)",
            "-   \"slug\": \"a-b\",\n    +   \"slug\": \"ab\",",
            "● throws on nothing\n\n    TypeError: Cannot read properties of undefined",
            "Tests:       3 failed, 1 passed, 4 total",
        ],
    ),
    (
        "vitest",
        include_str!("outputs/vitest.txt"),
        &[
            "FAIL  vt/slug.test.js > slugify > joins words with dashes\nAssertionError: expected 'ab' to be 'a-b'",
            "❯ vt/slug.test.js:12:48",
            "TypeError: Cannot read properties of undefined",
            "      Tests  3 failed | 1 passed (4)",
        ],
    ),
    (
        "tsc",
        include_str!("outputs/tsc.txt"),
        &["bad.ts(2,9): error TS2322: Type 'string'", "bad.ts(6,8): error TS2322: Type 'number'"],
    ),
    (
        "tsc --pretty",
        include_str!("outputs/tsc-pretty.txt"),
        &["bad.ts:3:3 - error TS2322", "return text.length;", "Found 3 errors in the same file"],
    ),
    (
        "eslint",
        include_str!("outputs/eslint.txt"),
        &[
            "/workspace/lint.js\n  1:7   error    'unused' is assigned",
            "/workspace/lint2.js\n  1:7   error    'unused' is assigned",
            "✖ 8 problems (6 errors, 2 warnings)",
        ],
    ),
];

#[test]
fn what_tools_say_of_failures_is_found_between_noise() {
    for (tool, output, telling) in REPORTS {
        let noise = "PASS or progress, nothing of which matters here\n".repeat(100);
        let text = excerpt(format!("{noise}{output}{noise}").as_bytes());
        assert!(text.len() <= MAX_EXCERPT_BYTES, "{tool}: {}", text.len());
        for told in telling {
            assert!(text.contains(told), "{tool}: {told:?} is not in\n{text}");
        }
    }
}

#[test]
fn of_more_failures_than_there_is_room_for_each_that_is_shown_is_named_and_the_others_are_counted() {
    let section = |n: usize| {
        format!("---- tests::case_{n} stdout ----\nfirst word of {n}\n{}\n", "frame\n".repeat(300))
    };
    let failed = |count| {
        let tests = (0..count).map(section).collect::<Vec<_>>().concat();
        excerpt(
            format!("failures:\n\n{tests}\nfailures:\n    tests::case_0\n\ntest result: FAILED. 0 passed\n")
                .as_bytes(),
        )
    };
    let text = failed(3);
    for n in 0..3 {
        assert!(
            text.contains(&format!("---- tests::case_{n} stdout ----\nfirst word of {n}\nframe")),
            "{text}"
        );
    }
    assert!(text.len() > MAX_EXCERPT_BYTES - 200 && !text.contains("more failure"), "{text}");

    let text = failed(40);
    assert!(text.contains("first word of 10\n") && text.ends_with("test result: FAILED. 0 passed"), "{text}");
    let shown = text.matches("first word").count();
    assert!(
        text.contains(&format!("[… {} more failures]\nfailures:\n    tests::case_0", 40 - shown)),
        "{text}"
    );
}

#[test]
fn short_failures_leave_their_room_to_a_long_one() {
    let long = format!("src/a.ts(1,1): error TS1: first\n{}", "  because of this\n".repeat(400));
    let short =
        (2..12).map(|n| format!("src/a.ts({n},1): error TS2: number {n}\n")).collect::<Vec<_>>().concat();
    let text = excerpt(format!("{long}{short}").as_bytes());
    assert!(text.contains("number 11") && text.len() > MAX_EXCERPT_BYTES - 100, "{text}");
}

#[test]
fn what_jest_tells_twice_is_shown_once() {
    let output = include_str!("outputs/jest.txt");
    let (report, counts) = output.split_once("Test Suites:").unwrap();
    let summary = report.split_once("  ● slugify").unwrap().1;
    let twice = format!(
        "{}{report}Summary of all failing tests\nFAIL jest/slug.test.js\n  ● slugify{summary}Test Suites:{counts}",
        "progress\n".repeat(600)
    );
    assert_eq!(excerpt(twice.as_bytes()).matches("● slugify › joins words").count(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_output_gives_a_bounded_plain_excerpt(bytes in proptest::collection::vec(any::<u8>(), 0..9000)) {
        let text = excerpt(&bytes);
        prop_assert!(text.len() <= MAX_EXCERPT_BYTES);
        prop_assert!(text.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
    }

    #[test]
    fn output_that_looks_like_a_report_is_bounded(
        lines in proptest::collection::vec(
            "(=== FAILURES ===|==== ERRORS ====|==== PASSES ====|____ t_name ____|==== short =====|é{0,300}|E  x|\
             error\\[E1\\]: é{0,900}|---- t stdout ----|thread 't' panicked at é{0,900}|failures:|    t|error: x|--- FAIL: T \\(0s\\)|\
             === RUN   T|    a_test\\.go:1: é{0,900}|# a|a\\.go:1|panic: x|goroutine 1|FAIL\ta|  ● t|Tests: 1| FAIL  a|⎯⎯|\
             a\\(1,1\\): error TS1: é{0,400}|  1:1  error|✖ 1)",
            0..60,
        ),
    ) {
        prop_assert!(excerpt(lines.join("\n").as_bytes()).len() <= MAX_EXCERPT_BYTES);
    }
}
