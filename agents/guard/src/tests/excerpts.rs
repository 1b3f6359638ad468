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
fn of_long_pytest_output_the_last_failing_sections_that_fit_are_kept_with_the_summary() {
    // Progress and captured output before the report are what has no room.
    let noisy = format!("{}{PYTEST}", "collecting ...\n".repeat(400));
    let text = excerpt(noisy.as_bytes());
    assert!(text.starts_with("__________________________________ test_first"), "{text}");
    assert!(text.contains("assert 'ab' == 'a-b'") && text.contains("assert 'strae' == 'strasse'"), "{text}");
    assert!(text.ends_with("2 failed, 2 passed in 0.03s"), "{text}");

    // A first section without end leaves room for the last one only.
    let uneven = PYTEST.replace("    def test_first():\n", &"    setup()\n".repeat(2000));
    let text = excerpt(uneven.as_bytes());
    assert!(text.starts_with("[…]\n_________________________________ test_strasse"), "{text}");
    assert!(text.contains("tests/test_slug.py:9") && text.contains("FAILED tests/test_slug.py::test_first"));
    assert!(!text.contains("setup()"), "{text}");
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
    assert!(text.starts_with("[…]\n    setup()"), "{}", &text[..40]);
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
        lines in proptest::collection::vec("(=== FAILURES ===|___ t ___|=== short ===|é{0,300}|E  x)", 0..60),
    ) {
        prop_assert!(excerpt(lines.join("\n").as_bytes()).len() <= MAX_EXCERPT_BYTES);
    }
}
