//! `golden guard` as a person, a script and a sandbox run it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::Value;
use std::path::Path;
use std::process::Command;

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn guard(args: &[&str]) -> Said {
    let done =
        Command::new(env!("CARGO_BIN_EXE_golden")).arg("guard").args(args).env_clear().output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: done.status.code(), out: text(done.stdout), err: text(done.stderr) }
}

fn folder(at: &Path, files: &[(&str, &str)]) -> String {
    for (path, text) in files {
        let file = at.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    at.to_str().unwrap().to_owned()
}

/// Put together here, so that no scanner finds one in this file.
fn token() -> String {
    format!("gh{}", "p_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX")
}

#[test]
fn what_the_base_had_passes_and_what_came_since_is_found_by_file_and_line() {
    let home = tempfile::tempdir().unwrap();
    let leak = format!("a = 1\nt = '{}'\n", token());
    let base = folder(&home.path().join("base"), &[("old.py", &leak)]);
    let new = folder(&home.path().join("new"), &[("old.py", &leak), ("src/new.py", "x = 2\n")]);
    let same = guard(&["secrets", &new, "--base", &base]);
    assert_eq!((same.code, same.out.as_str()), (Some(0), "secrets: passed, 0 findings in 1 changed file\n"));

    let fresh = guard(&["secrets", &new]);
    assert_eq!(fresh.code, Some(1), "{}", fresh.err);
    assert!(fresh.out.starts_with("old.py:2: github-token: a GitHub token"), "{}", fresh.out);
    assert!(!fresh.out.contains(&token()[..10]));

    let json = guard(&["secrets", &new, "-o", "json"]);
    assert_eq!(json.code, Some(1));
    let report: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&report["verdict"], &report["findings"][0]["line"]), (&"Failed".into(), &2.into()));
}

#[test]
fn settings_are_those_of_a_policy_and_may_come_in_parts() {
    let home = tempfile::tempdir().unwrap();
    let new = folder(
        home.path(),
        &[("src/a", "x"), ("web/package.json", r#"{"dependencies": {"left-pad": "1"}}"#)],
    );
    let yaml = guard(&["pathLimits", &new, "--settings", "denied: ['web/**']"]);
    assert_eq!(yaml.code, Some(1), "{}", yaml.err);
    let parts = guard(&["dependencies", &new, "--settings={\"denied\": [\"npm:le", "--settings=ft*\"]}"]);
    assert_eq!(parts.code, Some(1), "{}", parts.err);
    assert!(parts.out.contains("web/package.json:1: dependency-denied"), "{}", parts.out);
}

#[test]
fn what_cannot_be_examined_does_not_pass_and_says_why() {
    let home = tempfile::tempdir().unwrap();
    let dir = folder(home.path(), &[("a", "x")]);
    std::os::unix::fs::symlink("/etc/passwd", home.path().join("out")).unwrap();
    for (args, words) in [
        (vec!["secrets", "/not/there"], "/not/there cannot be examined"),
        (vec!["secrets", &dir], "which is not a plain relative path inside the tree"),
        (vec!["secret", &dir], "is no guard; it is one of secrets"),
        (vec!["sizeLimits", &dir, "--settings", "maxFiles: many"], "the settings are none of sizeLimits"),
        (vec!["sizeLimits", &dir, "--settings", "maxFile: 3"], "sizeLimits has no setting maxFile"),
        (vec!["secrets", &dir, "--settings", "{"], "neither YAML nor JSON"),
    ] {
        let said = guard(&args);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{args:?}");
        assert!(said.err.contains(words), "{args:?}: {}", said.err);
    }
}
