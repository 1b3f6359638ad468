use crate::builtin::{Node, Tree, Trees};
use crate::progress::change_fingerprint;
use proptest::prelude::*;

fn file(text: &str) -> Node<'_> {
    Node::File { bytes: text.as_bytes(), executable: false }
}

fn of(base: &[(&str, Node<'_>)], new: &[(&str, Node<'_>)]) -> String {
    let trees = Trees { base: tree(base), new: tree(new) };
    change_fingerprint(trees.changes())
}

fn tree<'a>(nodes: &[(&'a str, Node<'a>)]) -> Tree<'a> {
    nodes.iter().copied().collect()
}

/// Of one file that was `pass` before.
fn text(path: &str, text: &str) -> String {
    of(&[(path, file("pass\n"))], &[(path, file(text))])
}

#[test]
fn white_space_blank_lines_and_comments_are_no_other_change() {
    let same = [
        (
            "slug.py",
            "def f(a):\n    return a\n",
            "# now it works\ndef  f(a):\n\n    # TODO\n    return a   \n",
        ),
        ("slug.rs", "fn f() {\n    g();\n}\n", "// a fix\nfn f() {\n  g();\n    // end\n}"),
        ("slug.go", "func F() {\n\tg()\n}\n", "func F() {\n        g()\n}\n"),
        ("run.sh", "set -e\nmake\n", "#!/bin/sh\nset -e\n\nmake\n"),
        ("q.sql", "SELECT 1", "-- one\n  SELECT 1"),
        ("README", "a b\n", "a b   \n\n"),
    ];
    for (path, one, other) in same {
        assert_eq!(text(path, one), text(path, other), "{path}");
    }
}

#[test]
fn what_means_something_is_another_change() {
    let other = [
        ("slug.py", "if a:\n    b()\nc()\n", "if a:\n    b()\n    c()\n"),
        ("ci.yaml", "a:\n  b: 1\n", "a:\nb: 1\n"),
        ("Makefile", "all:\n\tmake\n", "all:\nmake\n"),
        ("notes.txt", "# one\n", "# two\n"),
        ("slug.rs", "#[test]\nfn f() {}\n", "fn f() {}\n"),
        ("slug.rs", "fn f() { g(1) }", "fn f() { g(2) }"),
        ("slug.py", "x = 1 // 2", "x = 1 // 3"),
        ("slug.py", "a()\nb()\n", "b()\na()\n"),
    ];
    for (path, one, other) in other {
        assert_ne!(text(path, one), text(path, other), "{path}");
    }
}

#[test]
fn files_kinds_and_names_are_part_of_a_change() {
    let base = [("a.py", file("a = 1\n")), ("b.bin", Node::File { bytes: b"\0\x01", executable: false })];
    let plain = of(&base, &[("a.py", file("a = 2\n")), base[1]]);
    assert_eq!(plain, of(&base, &[("a.py", file("a = 2  # \n".trim_end_matches("  # \n"))), base[1]]));
    let others = [
        of(&base, &[("a.py", file("a = 2\n"))]),
        of(&base, &[("a.py", file("a = 2\n")), base[1], ("c.py", file("c"))]),
        of(&base, &[("a.py", Node::File { bytes: b"a = 2\n", executable: true }), base[1]]),
        of(&base, &[("a.py", Node::Link { target: "a = 2" }), base[1]]),
        of(
            &base,
            &[("a.py", file("a = 2\n")), ("b.bin", Node::File { bytes: b"\0\x02", executable: false })],
        ),
        of(
            &base,
            &[("a.py", file("a = 2\n")), ("b.bin", Node::File { bytes: b"\0 \x01", executable: false })],
        ),
        of(&base, &[base[1]]),
    ];
    for (n, other) in others.iter().enumerate() {
        assert_ne!(&plain, other, "{n}");
        assert!(!others[..n].contains(other), "{n}");
    }
}

#[test]
fn a_file_that_only_gained_a_comment_is_not_part_of_the_change() {
    let base = [("a.py", file("a = 1\n")), ("b.py", file("b = 1\n"))];
    let one = of(&base, &[("a.py", file("a = 2\n")), base[1]]);
    assert_eq!(one, of(&base, &[("a.py", file("a = 2\n")), ("b.py", file("# said\nb = 1\n"))]));
    assert_ne!(one, of(&base, &[("a.py", file("a = 2\n")), ("b.py", file("b = 2\n"))]));
    assert_ne!(
        one,
        of(&base, &[("a.py", file("a = 2\n")), base[1], ("c.py", file(""))]),
        "a module that is empty is one"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decoration_never_makes_another_change_and_words_always_do(
        lines in prop::collection::vec("( {0,4}[a-z]{1,4}( [a-z]{1,4}){0,3})", 1..12),
        at in any::<prop::sample::Index>(),
        path in prop::sample::select(vec!["a.py", "a.rs", "a.yaml", "a.sh"]),
    ) {
        let at = at.index(lines.len());
        let mark = if path == "a.rs" { "//" } else { "#" };
        let before = lines.join("\n");
        let mut decorated = lines.clone();
        decorated[at].push_str("  ");
        decorated.insert(at, format!("   {mark} said"));
        decorated.insert(at, String::new());
        prop_assert_eq!(text(path, &before), text(path, &decorated.join("\n")));
        let mut changed = lines;
        changed[at].push('0');
        prop_assert_ne!(text(path, &before), text(path, &changed.join("\n")));
    }
}
