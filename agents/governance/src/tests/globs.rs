use crate::{GlobFault, MAX_GLOB_BYTES, check_glob, glob_matches};
use proptest::prelude::*;

#[test]
fn globs_match_whole_paths() {
    for (glob, path, expected) in [
        ("README.md", "README.md", true),
        ("README.md", "docs/README.md", false),
        ("README.md", "README.md.bak", false),
        ("*.md", "README.md", true),
        ("*.md", "docs/README.md", false),
        ("*", "a", true),
        ("*", "a/b", false),
        ("docs/*.md", "docs/a.md", true),
        ("docs/*.md", "docs/deep/a.md", false),
        ("docs/**", "docs/a.md", true),
        ("docs/**", "docs/deep/a.md", true),
        ("docs/**", "docs", true),
        ("docs/**", "docsx/a", false),
        ("docs/", "docs/deep/a.md", true),
        ("**/Dockerfile", "Dockerfile", true),
        ("**/Dockerfile", "a/b/Dockerfile", true),
        ("**/Dockerfile", "a/Dockerfile.dev", false),
        ("a/**/z", "a/z", true),
        ("a/**/z", "a/b/c/z", true),
        ("a/**/z", "a/b/c/zz", false),
        ("a/**/b/**/c", "a/x/b/b/y/c", true),
        ("**", "anything/at/all", true),
        ("**/*.tf", "infra/main.tf", true),
        ("test_?.py", "test_1.py", true),
        ("test_?.py", "test_10.py", false),
        ("test_?.py", "test_/.py", false),
        ("?", "é", true),
        ("a*b*c", "aXbXbXc", true),
        ("a*b*c", "aXbXbX", false),
        (".github/**", ".github/workflows/ci.yaml", true),
        ("*.py", ".py", true),
        ("Docs/*", "docs/a", false),
        ("docs/*", "./docs/a", true),
        ("docs/*", "/docs/a", true),
        ("a.b", "axb", false),
    ] {
        assert_eq!(glob_matches(glob, path), expected, "{glob} on {path}");
    }
}

#[test]
fn globs_that_mean_something_else_than_they_look_are_refused() {
    for glob in ["a", "*.md", "docs/", "docs/**", "**/x", "a?b", ".github/**", "ünï"] {
        assert_eq!(check_glob(glob), Ok(()), "{glob}");
    }
    assert_eq!(check_glob(""), Err(GlobFault::Empty));
    assert_eq!(check_glob(&"a".repeat(MAX_GLOB_BYTES + 1)), Err(GlobFault::TooLong(MAX_GLOB_BYTES + 1)));
    for glob in ["/etc", "a//b", "../x", "a/./b", "a/..", "/"] {
        assert!(matches!(check_glob(glob), Err(GlobFault::NotRelative(_))), "{glob}");
    }
    for glob in ["[ab]", "{a,b}", "!a", "a\\*", "a\nb"] {
        assert!(matches!(check_glob(glob), Err(GlobFault::Unsupported { .. })), "{glob}");
    }
    for glob in ["a**", "**.md", "x/a**/y", "***"] {
        assert!(matches!(check_glob(glob), Err(GlobFault::PartialDoubleStar(_))), "{glob}");
    }
}

#[test]
fn hostile_globs_take_no_exponential_time() {
    let glob = "a*".repeat(200);
    assert!(!glob_matches(&glob, &"a".repeat(5000).replace('a', "ab").replace("ba", "bc")));
    let deep = "**/a/".repeat(100) + "b";
    assert!(!glob_matches(&deep, &"a/".repeat(2000)));
}

/// The meaning of a glob, written as plain recursion.
fn slow(glob: &[&str], path: &[&str]) -> bool {
    match (glob.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), segments) => {
            slow(rest, path) || segments.is_some_and(|(_, tail)| slow(glob, tail))
        }
        (Some((one, rest)), Some((segment, tail))) => slow_segment(one, segment) && slow(rest, tail),
        _ => false,
    }
}

fn slow_segment(glob: &str, segment: &str) -> bool {
    let mut characters = glob.chars();
    match characters.next() {
        None => segment.is_empty(),
        Some('*') => {
            let rest = characters.as_str();
            segment
                .char_indices()
                .map(|(i, _)| i)
                .chain([segment.len()])
                .any(|i| slow_segment(rest, &segment[i..]))
        }
        Some(c) => segment.chars().next().is_some_and(|s| {
            (c == '?' || c == s) && slow_segment(characters.as_str(), &segment[s.len_utf8()..])
        }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fast_matching_agrees_with_the_definition(
        glob in proptest::collection::vec("(\\*\\*|[ab*?]{1,4})", 1..5), path in proptest::collection::vec("[ab]{1,4}", 1..6),
    ) {
        let (pattern, segments): (Vec<&str>, Vec<&str>) =
            (glob.iter().map(String::as_str).collect(), path.iter().map(String::as_str).collect());
        prop_assert_eq!(glob_matches(&glob.join("/"), &path.join("/")), slow(&pattern, &segments));
    }
}
