use super::support::{Files, file, found, guard, run};
use crate::builtin::{Node, Trees, examine};
use serde_json::json;

const BASE: Files<'_> = &[("kept", "k"), ("src/a", "old"), ("gone", "g")];
const NEW: Files<'_> = &[("kept", "k"), ("src/a", "newer"), ("docs/b", "12345678")];

#[test]
fn a_change_has_a_size_in_files_and_in_bytes() {
    let sizes = |limits: serde_json::Value| found(&run(&json!({"sizeLimits": limits}), BASE, NEW));
    assert_eq!(sizes(json!({"maxFiles": 3, "maxFileBytes": 8, "maxTotalBytes": 13})), Vec::<String>::new());
    assert_eq!(sizes(json!({"maxFiles": 2})), [" too-many-files"]);
    assert_eq!(sizes(json!({"maxFileBytes": 7})), ["docs/b file-too-large"]);
    assert_eq!(sizes(json!({"maxTotalBytes": 12})), [" change-too-large"]);
}

#[test]
fn a_change_stays_where_it_may_reach_also_when_it_removes() {
    let paths = |limits: serde_json::Value| found(&run(&json!({"pathLimits": limits}), BASE, NEW));
    assert_eq!(paths(json!({"allowed": ["src/**", "docs/*", "gone"]})), Vec::<String>::new());
    assert_eq!(paths(json!({"allowed": ["src/**"]})), ["docs/b path-not-allowed", "gone path-not-allowed"]);
    assert_eq!(paths(json!({"denied": ["gone", "kept"]})), ["gone path-denied"]);
    let both = json!({"allowed": ["**"], "denied": ["src/**"]});
    assert_eq!(paths(both), ["src/a path-denied"], "what is denied cannot be allowed");
}

#[test]
fn forbidden_files_may_be_removed_and_left_but_not_brought_in() {
    let settings = json!({"forbiddenFiles": {"paths": ["**/.env", "gone", "kept", "src/a"]}});
    let new: Files<'_> = &[("kept", "k"), ("src/a", "newer"), ("deep/down/.env", "x")];
    assert_eq!(found(&run(&settings, BASE, new)), ["deep/down/.env forbidden-path", "src/a forbidden-path"]);
}

#[test]
fn kinds_of_files_are_told_by_what_they_are() {
    let all = guard(&json!({"forbiddenFiles": {"kinds": ["Binary", "Executable", "Link"]}}));
    let mut trees = Trees::default();
    let program = |bytes: &'static str| Node::File { bytes: bytes.as_bytes(), executable: true };
    trees.base.insert("was", program("a"));
    trees.new.insert("was", program("b"));
    trees.new.insert("run", program("#!/bin/sh"));
    trees.new.insert("image", file("PNG\0\0"));
    let late = format!("{}\0", "x".repeat(9000));
    trees.new.insert("late", file(&late));
    trees.new.insert("latin", Node::File { bytes: b"caf\xe9", executable: false });
    trees.new.insert("link", Node::Link { target: "image" });
    trees.new.insert("text", file("plain"));
    assert_eq!(
        found(&examine(&all, &trees).unwrap()),
        [
            "image forbidden-binary",
            "late forbidden-binary",
            "latin forbidden-binary",
            "link forbidden-link",
            "run forbidden-executable"
        ]
    );
}
