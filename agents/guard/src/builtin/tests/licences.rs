use super::support::{Files, found, run};
use serde_json::{Value, json};

fn free() -> Value {
    json!({"licences": {"allowed": ["Apache-2.0", "MIT"]}})
}

/// As it stands in files, without standing here as one.
fn header(id: &str) -> String {
    format!("// SPDX-License-{}: {id}\n", "Identifier")
}

#[test]
fn licence_files_stay_as_they_are() {
    let base: Files<'_> = &[("LICENSE", "a"), ("vendor/COPYING.txt", "b"), ("src/license.rs", "c")];
    let new: Files<'_> = &[
        ("LICENSE", "b"),
        ("src/license.rs", "d"),
        ("LICENSE-2.0", "x"),
        ("LICENSES/MIT.txt", "y"),
        ("notices.py", "z"),
    ];
    assert_eq!(
        found(&run(&json!({"licences": {}}), base, new)),
        [
            "LICENSE licence-file",
            "LICENSE-2.0 licence-file",
            "LICENSES/MIT.txt licence-file",
            "vendor/COPYING.txt licence-file",
        ]
    );
}

#[test]
fn a_header_may_neither_change_nor_go_and_a_new_one_must_be_allowed() {
    let (mit, gpl, either) = (header("MIT"), header("GPL-3.0-only"), header("GPL-3.0-only OR MIT"));
    let html = format!("<!-- {} -->", header("MIT").trim_start_matches("// ").trim());
    let base: Files<'_> = &[("a.rs", &mit), ("b.rs", &mit), ("c.rs", &mit)];
    let new: Files<'_> = &[
        ("a.rs", "nothing"),
        ("b.rs", &gpl),
        ("d.rs", &gpl),
        ("e.rs", &either),
        ("f.html", &html),
        ("g.rs", "no header"),
    ];
    assert_eq!(
        found(&run(&free(), base, new)),
        [
            "a.rs licence-changed",
            "b.rs licence-changed",
            "b.rs licence-not-allowed",
            "d.rs licence-not-allowed",
        ]
    );
    assert_eq!(
        found(&run(&json!({"licences": {}}), base, new)),
        ["a.rs licence-changed", "b.rs licence-changed"],
        "without a list any licence may be brought in, and none changed"
    );
}

#[test]
fn the_manifests_licence_counts_as_the_works_own() {
    let cases = [
        (
            "Cargo.toml",
            "[package]\nname = \"a\"\nlicense = \"MIT\"",
            "[package]\nlicense = \"AGPL-3.0-only\"",
        ),
        ("package.json", r#"{"license": "MIT"}"#, r#"{"license": "UNLICENSED"}"#),
        (
            "pyproject.toml",
            "[project]\nlicense = {text = \"MIT\"}",
            "[project]\nlicense = \"LicenseRef-Own\"",
        ),
    ];
    for (path, old, new) in cases {
        let report = run(&free(), &[(path, old)], &[(path, new)]);
        let wanted = [format!("{path} licence-changed"), format!("{path} licence-not-allowed")];
        assert_eq!(found(&report), wanted, "{report}");
        assert!(found(&run(&free(), &[(path, old)], &[(path, &format!("{old}\n"))])).is_empty());
    }
}

#[test]
fn a_new_dependencys_licence_counts_where_its_lock_file_names_it() {
    let lock = |packages: Value| json!({"lockfileVersion": 3, "packages": packages}).to_string();
    let old = lock(json!({"node_modules/was": {"version": "1.0.0", "license": "GPL-2.0-only"}}));
    let new = lock(json!({
        "node_modules/was": {"version": "1.0.0", "license": "GPL-2.0-only"},
        "node_modules/good": {"version": "1.0.0", "license": "(BSD-3-Clause OR MIT)"},
        "node_modules/bad": {"version": "2.0.0", "license": "SSPL-1.0"},
        "node_modules/silent": {"version": "3.0.0"},
    }));
    let report = run(&free(), &[("package-lock.json", &old)], &[("package-lock.json", &new)]);
    assert_eq!(found(&report), ["package-lock.json licence-not-allowed"]);
    assert!(report.findings[0].message.contains("dependency bad 2.0.0"), "{report}");
    assert_eq!(report.notes, ["package-lock.json does not name the licences of 1 dependencies it gained"]);
}

#[test]
fn what_a_lock_file_does_not_say_is_told_as_not_known() {
    let lock =
        "version = 4\n[[package]]\nname = \"x\"\nversion = \"1.0.0\"\nsource = \"registry+https://index\"\n";
    let report = run(&free(), &[], &[("Cargo.lock", lock)]);
    assert!(report.findings.is_empty());
    assert_eq!(report.notes, ["Cargo.lock does not name the licences of 1 dependencies it gained"]);
}
