//! What the program under test writes can look like any line of its tool's report, and hides no failure by that.

use crate::{MAX_EXCERPT_BYTES, excerpt};

/// What tests wrote themselves, as pytest 9 and cargo 1.95 told it: banners, errors, whole reports of another run.
const PYTEST: &str = include_str!("outputs/pytest-imitated.txt");
const CARGO: &str = include_str!("outputs/cargo-test-imitated.txt");

fn of_long(output: &str) -> String {
    let text = excerpt(format!("{}{output}", "progress\n".repeat(1000)).as_bytes());
    assert!(text.len() <= MAX_EXCERPT_BYTES);
    text
}

fn many_words() -> String {
    (0..2000).map(|n| format!("looking at word {n}\n")).collect::<Vec<_>>().concat()
}

#[track_caller]
fn tells(text: &str, telling: &[&str]) {
    for told in telling {
        assert!(text.contains(told), "{told:?} is not in\n{text}");
    }
}

#[test]
fn banners_that_pytests_tests_wrote_end_no_report() {
    let text = of_long(PYTEST);
    tells(
        &text,
        &[
            "E       assert 1 == 2\n",
            "E       assert 2 == 3\n",
            "E       assert 3 == 4\n",
            "E       assert 4 == 5\n",
        ],
    );
    // A name as long as the terminal is wide is a heading too.
    assert!(text.contains(&format!("_ test_long[{}] _\n", "a".repeat(70))), "{text}");
    let (_, summary) = text.split_once("warnings summary").unwrap();
    assert!(
        !summary.contains("____") && summary.ends_with("4 failed, 1 passed, 1 warning in 2.28s"),
        "{text}"
    );
}

#[test]
fn failures_after_one_with_pytests_banners_are_counted() {
    let section = |n: usize| {
        format!(
            "{:_^80}\n{}E       assert {n} == 0\n{}\n===\n{:=^80}\n{:=^80}\n",
            format!(" test_case_{n} "),
            "    setup()\n".repeat(60),
            format_args!("{:-^80}", " Captured stdout call "),
            " step 2 ",
            " 1 failed in 0.02s ",
        )
    };
    let sections: String = (10..40).map(section).collect();
    let text = of_long(&format!(
        "{:=^80}\n{sections}{:=^80}\nFAILED test_a.py::test_case_10\n{:=^80}\n",
        " FAILURES ", " short test summary info ", " 30 failed in 0.09s "
    ));
    let shown = text.matches("__ test_case_").count();
    tells(
        &text,
        &[
            &format!("[… {} more failures]\n", 30 - shown),
            "FAILED test_a.py::test_case_10\n",
            " 30 failed in 0.09s ",
        ],
    );
    assert!((5..15).contains(&shown), "{text}");
}

#[test]
fn a_test_of_pytests_that_wrote_much_keeps_why_it_failed() {
    let words = many_words();
    let captured = format!("{:-^80}\n", " Captured stdout call ");
    let output = PYTEST.replace(&captured, &format!("{captured}{words}"));
    let text = of_long(&output);
    tells(
        &text,
        &[
            "E       assert 1 == 2\n",
            "E       assert 2 == 3\n",
            "E       assert 3 == 4\n",
            &format!("E       assert 4 == 5\n\ntest_a.py:25: AssertionError\n{captured}[…]\nlooking at word"),
        ],
    );
}

#[test]
fn tests_that_passed_are_no_failures_of_pytests() {
    let passes = format!(
        "{:=^80}\n{:_^80}\n{:-^80}\npassing words\n{:=^80}\n",
        " PASSES ", " test_passes ", " Captured stdout call ", " short test summary info "
    );
    let banner = format!("{:=^80}\n", " short test summary info ");
    let (report, summary) = PYTEST.rsplit_once(&banner).unwrap();
    let text = of_long(&format!("{report}{passes}{summary}"));
    tells(&text, &["assert 1 == 2", "assert 2 == 3", "assert 3 == 4", "assert 4 == 5"]);
    let (failures, _) = text.split_once("warnings summary").unwrap();
    assert!(!failures.contains("test_passes"), "{text}");
}

#[test]
fn a_plugins_report_is_no_part_of_the_last_failure_of_pytests() {
    let coverage =
        format!("{:=^80}\n{}", " tests coverage ", "src/shop/slug.py   12   0   100%\n".repeat(200));
    let banner = format!("{:=^80}\n", " short test summary info ");
    let (report, summary) = PYTEST.rsplit_once(&banner).unwrap();
    let text = of_long(&format!("{report}{coverage}{banner}{summary}"));
    tells(&text, &["E       assert 4 == 5\n", "4 failed, 1 passed"]);
}

#[test]
fn reports_of_two_runs_of_pytest_are_both_told() {
    let run = |words: &str| {
        format!(
            "{:=^80}\n{:_^80}\nE       assert {words}\n{:=^80}\n{:=^80}\n",
            " FAILURES ", " test_it ", " short test summary info ", " 1 failed in 0.01s "
        )
    };
    let text = of_long(&format!("{}{}{}", run("1 == 2"), "progress\n".repeat(100), run("2 == 3")));
    tells(&text, &["assert 1 == 2", "assert 2 == 3"]);
    assert_eq!(text.matches("progress").count() + text.matches("short test").count(), 1, "{text}");
}

#[test]
fn a_title_alone_is_no_report_of_pytests() {
    // A test of another tool printed it.
    let text = of_long(&format!("{CARGO}=== FAILURES ===\nnone\n"));
    tells(&text, &["  left: \"ab\"\n right: \"a-b\""]);
}

#[test]
fn errors_and_lists_that_cargos_tests_wrote_end_no_section() {
    let text = of_long(CARGO);
    tells(
        &text,
        &[
            "---- tests::flags_are_read stdout ----\nerror: bad flag\nwarning: it is old\n",
            "panicked at src/lib.rs:6:9:\nassertion `left == right` failed\n  left: \"ab\"\n right: \"a-b\"",
            "assertion `left == right` failed: the outer one\n  left: 2\n right: 3",
        ],
    );
    let (_, summary) = text.split_once("failures:\n    tests::flags_are_read\n").unwrap();
    assert_eq!(
        summary,
        "    tests::the_build_is_run\n    tests::words_are_many\ntest result: FAILED. 0 passed; 3 failed; 0 ignored; 0 measured; 0 \
         filtered out; finished in 0.01s\nerror: test failed, to rerun pass `--lib`"
    );
    assert!(!text.contains("more failure"), "{text}");
}

#[test]
fn what_programs_say_beside_cargos_tests_is_no_conclusion() {
    // A child's words are not captured.
    let text = of_long(&CARGO.replace("running 3 tests\n", "running 3 tests\nerror: no such slug\n"));
    assert!(!text.contains("no such slug"), "{text}");
    let several = "error: 2 targets failed:\n    `-p shop --lib`\n    `-p shop --test it`\n";
    tells(&of_long(&format!("{CARGO}{several}")), &["error: 2 targets failed:"]);
}

#[test]
fn a_test_of_cargos_that_wrote_much_keeps_why_it_failed() {
    let words = many_words();
    let heading = "---- tests::words_are_many stdout ----\n";
    let text = of_long(&CARGO.replace(heading, &format!("{heading}{words}")));
    tells(
        &text,
        &["---- tests::words_are_many stdout ----\n[…]\nlooking", "  left: \"straße\"\n right: \"strasse\""],
    );
    let returned = "Error: \"an empty slug\"\n";
    let output = format!("failures:\n\n{heading}{words}{returned}\n\nfailures:\n    tests::words_are_many\n");
    tells(&of_long(&output), &[heading, "looking at word 1999\nError: \"an empty slug\""]);
    // Longer than its share even without what stands before.
    let frames = "   0: core::panicking::panic_fmt\n".repeat(500);
    let output =
        output.replace(returned, &format!("thread 'a' (1) panicked at src/lib.rs:1:1:\nwhy\n{frames}"));
    tells(
        &of_long(&output),
        &[&format!("{heading}[…]\nthread 'a' (1) panicked at src/lib.rs:1:1:\nwhy\n   0: core")],
    );
}

#[test]
fn errors_of_doc_tests_stay_in_their_sections() {
    let output = "\
failures:

---- src/lib.rs - slug (line 3) stdout ----
error[E0425]: cannot find value `two` in this scope
 --> src/lib.rs:4:1

error: aborting due to 1 previous error

Couldn't compile the test.

failures:
    src/lib.rs - slug (line 3)

test result: FAILED. 0 passed; 1 failed
error: doctest failed, to rerun pass `--doc`
";
    let text = of_long(output);
    assert!(text.starts_with("---- src/lib.rs - slug (line 3) stdout ----\nerror[E0425]"), "{text}");
    let (_, summary) = text.split_once("Couldn't compile the test.\n").unwrap();
    assert!(
        summary.starts_with("failures:\n    src/lib.rs - slug (line 3)\n") && !summary.contains("aborting"),
        "{text}"
    );
}

#[test]
fn diffs_that_gos_tests_wrote_are_no_verdicts() {
    let output = "\
=== RUN   TestDiff
the slugs differ
--- want
+++ got
=== of all
    slug_test.go:7: want 3
--- FAIL: TestDiff (0.00s)
FAIL
FAIL\texample.com/shop\t0.016s
";
    let text = of_long(output);
    assert!(
        text.starts_with(
            "=== RUN   TestDiff\nthe slugs differ\n--- want\n+++ got\n=== of all\n    slug_test.go:7"
        ),
        "{text}"
    );
    let much = output.replace("the slugs differ\n", &"the slugs differ\n".repeat(1000));
    tells(&of_long(&much), &["=== RUN   TestDiff\n[…]\n", "slug_test.go:7: want 3\n--- FAIL: TestDiff"]);
}

#[test]
fn rules_and_counts_that_vitests_errors_hold_end_no_failure() {
    let output = " FAIL  a.test.js > runs the others
Error: the inner run failed:
⎯⎯ it said
 Test Files  1 failed (1)
its code was 1
⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯[1/1]⎯

 Test Files  2 failed (2)
";
    tells(&of_long(output), &["⎯⎯ it said\n", "its code was 1\n"]);
}
