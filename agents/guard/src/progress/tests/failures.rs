use super::outputs::{
    AGAIN, CARGO, GO, GO_PANIC, JEST, LINTS, NODE, PYTEST, PYTEST_AGAIN, RUSTC, UNITTEST, VITEST,
};
use crate::progress::{Cited, failure_fingerprint, objection_fingerprint};
use crate::{GuardFact, GuardVerdict};
use proptest::prelude::*;

fn fact(guard: &str, exit_code: i32, excerpt: &str) -> GuardFact {
    GuardFact {
        guard: guard.into(),
        verdict: GuardVerdict::Failed,
        required: true,
        exit_code: Some(exit_code),
        reason: "NonZeroExit".into(),
        excerpt: excerpt.into(),
        output_digest: excerpt.len().to_string(),
        tree_digest: excerpt.len().to_string(),
        image_id: None,
        command_digest: String::new(),
    }
}

fn of(excerpt: &str) -> Option<String> {
    failure_fingerprint(&[fact("unit", 1, excerpt)])
}

#[test]
fn two_runs_that_failed_alike_have_one_fingerprint() {
    for (one, swaps) in AGAIN {
        let other = swaps.iter().fold(one.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        assert_eq!(of(one), of(&other), "{one}\n---\n{other}");
    }
    // A Go of today draws where its heap begins, and what a panic's frames were called with changes with any code.
    let panic = include_str!("../../tests/outputs/go-panic.txt");
    let again = [
        ("0x38a57d959448", "0x2c1e0d5a2008"),
        ("0x55b820", "0x55c840"),
        ("+0x33", "+0x3d"),
        ("0.012s", "1.2s"),
    ]
    .iter()
    .fold(panic.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    assert_eq!(of(panic), of(&again), "{again}");
    assert_eq!(of(PYTEST), of(PYTEST_AGAIN));
    let ruled = "========================= 2 failed, 2 passed in 0.03s ==========================";
    let later = "==================== 2 failed, 2 passed in 62.51s (0:01:02) ====================";
    assert_eq!(of(ruled), of(later));
}

#[test]
fn what_changed_in_the_failure_itself_is_another_one() {
    let others = [
        (PYTEST, "2 failed, 2 passed", "1 failed, 3 passed"),
        (PYTEST, "test_first - ", "test_last - "),
        (PYTEST, "E       AssertionError: assert 'ab' ==", "E       AssertionError: assert 'a_b' =="),
        (PYTEST, "FAILED tests/test_slug.py::test_object", "FAILED tests/test_cart.py::test_object"),
        (CARGO, "1 passed; 1 failed", "0 passed; 2 failed"),
        (CARGO, "  left: \"ab\"", "  left: \"a b\""),
        (CARGO, "src/lib.rs:10:9", "src/slug.rs:10:9"),
        (RUSTC, "E0308", "E0382"),
        (GO, "= \"ab\", want", "= \"a_b\", want"),
        (GO, "ok  \texample.com/shop/cart", "FAIL\texample.com/shop/cart"),
        (GO_PANIC, "slug.Join(", "slug.Split("),
        (JEST, "Received: \"ab\"", "Received: \"a_b\""),
        (JEST, "Tests:       1 failed, 1 passed", "Tests:       2 failed, 0 passed"),
        (NODE, "ℹ fail 1", "ℹ fail 2"),
        (VITEST, "expected 'ab' to be", "expected 'a_b' to be"),
        (LINTS, "1 problem (1 error", "2 problems (2 errors"),
        (LINTS, "TS2322", "TS2345"),
        (UNITTEST, "out.txt'\n---", "in.txt'\n---"),
    ];
    for (text, from, to) in others {
        assert!(text.contains(from), "{from}");
        assert_ne!(of(text), of(&text.replacen(from, to, 1)), "{from} -> {to}");
    }
}

/// The values a check compares look like what is folded elsewhere, and are what the failure is about.
#[test]
fn a_value_that_moves_is_progress_whatever_it_looks_like() {
    let moved = [
        (
            "E       AssertionError: assert '10:00:00' == '11:00:00'",
            "E       AssertionError: assert '10:30:00' == '11:00:00'",
        ),
        ("E       assert 5 == 7", "E       assert 6 == 7"),
        ("  left: 0xdeadbeef", "  left: 0xdeadbeee"),
        ("    Received: \"2026-03-01T10:00:00Z\"", "    Received: \"2026-03-02T10:00:00Z\""),
        ("    slug_test.go:12: waited 30s, want 5s", "    slug_test.go:12: waited 10s, want 5s"),
        ("E       assert '5 ms' == '7 ms'", "E       assert '6 ms' == '7 ms'"),
        ("first difference at 0x10", "first difference at 0x20"),
        ("Expected: 3 items in 5 seconds", "Expected: 3 items in 6 seconds"),
        ("could not connect to 127.0.0.1:8080", "could not connect to 127.0.0.1:8081"),
        ("no such file: '/tmp/out/report.txt'", "no such file: '/tmp/out/summary.txt'"),
    ];
    for (before, after) in moved {
        assert_ne!(of(before), of(after), "{before} -> {after}");
    }
}

#[test]
fn one_finding_less_of_the_same_kind_is_another_failure() {
    let two = "src/a.py:10:80: E501 line too long\nsrc/a.py:20:80: E501 line too long";
    let one = "src/a.py:20:80: E501 line too long";
    assert_ne!(of(two), of(one));
}

#[test]
fn guards_and_how_they_ended_are_part_of_the_failure_and_their_order_is_not() {
    let (unit, lint) = (fact("unit", 1, "a"), fact("lint", 1, "b"));
    let both = failure_fingerprint(&[unit.clone(), lint.clone()]);
    assert_eq!(both, failure_fingerprint(&[lint.clone(), unit.clone()]));
    let one = failure_fingerprint([&unit]);
    assert_ne!(both, one, "one guard less");
    let timeout = GuardFact { reason: "Timeout".into(), exit_code: None, ..unit };
    for other in [fact("lint", 1, "a"), fact("unit", 2, "a"), timeout] {
        assert_ne!(one, failure_fingerprint([&other]), "{other:?}");
    }
    assert_eq!(failure_fingerprint(&[]), None);
}

#[test]
fn an_objection_is_what_it_points_at() {
    let cited = |file, quote| Cited { file, quote };
    let one = objection_fingerprint([cited("a.py", "x = 1\n  y = 2"), cited("b.py", "z")]);
    assert_eq!(
        one,
        objection_fingerprint([cited("b.py", " z "), cited("a.py", "x = 1 y = 2"), cited("b.py", "z")])
    );
    assert_ne!(one, objection_fingerprint([cited("a.py", "x = 1\n  y = 2")]), "one place less");
    assert_ne!(one, objection_fingerprint([cited("a.py", "x = 1\n  y = 3"), cited("b.py", "z")]));
    assert_eq!(objection_fingerprint([]), None);
    assert_eq!(objection_fingerprint([cited("a.py", " ")]), None, "a file alone is no place");
    assert_ne!(objection_fingerprint([cited("unit", "a")]), failure_fingerprint(&[fact("unit", 1, "a")]));
}

fn lines() -> impl Strategy<Value = Vec<String>> {
    let words = "(E  |assert|FAILED|a_b|left: |/tmp/x1|src/a.rs:7:1|in 0.0[0-9]s|[0-9]{1,3}|==|…|=====)";
    prop::collection::vec(prop::collection::vec(words, 0..6).prop_map(|words| words.join(" ")), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_and_white_space_change_nothing(mut lines in lines(), seed in any::<prop::sample::Index>()) {
        let before = of(&lines.join("\n"));
        if !lines.is_empty() {
            let at = seed.index(lines.len());
            lines.rotate_left(at);
        }
        let spaced: Vec<String> = lines.iter().map(|line| format!("  {}\t", line.replace(' ', "   "))).collect();
        prop_assert_eq!(before, of(&spaced.join("\n\n")));
    }

    #[test]
    fn a_line_more_or_less_is_another_failure(lines in lines(), at in any::<prop::sample::Index>()) {
        let mut fewer: Vec<String> = lines.iter().filter(|line| !line.trim().is_empty()).cloned().collect();
        prop_assume!(!fewer.is_empty());
        let all = of(&fewer.join("\n"));
        fewer.remove(at.index(fewer.len()));
        prop_assert_ne!(all, of(&fewer.join("\n")));
    }

    #[test]
    fn a_count_of_failures_always_counts(before in 0_u32..500, after in 0_u32..500) {
        prop_assume!(before != after);
        let said = |n: u32| [
            format!("{n} failed, 2 passed in 0.03s"),
            format!("test result: FAILED. 1 passed; {n} failed; 0 ignored; finished in 0.00s"),
            format!("Tests:       {n} failed, 1 passed, 2 total"),
            format!("FAILED (failures={n})"),
            format!("  {n} failing"),
            format!("# fail {n}"),
        ];
        for (one, other) in said(before).into_iter().zip(said(after)) {
            prop_assert_ne!(of(&one), of(&other));
        }
    }

    #[test]
    fn any_output_has_a_fingerprint(text in ".{0,400}") {
        prop_assert!(of(&text).is_some_and(|digest| digest.len() == 71));
    }
}
