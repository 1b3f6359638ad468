use super::support::{Files, found, run};
use crate::builtin::Report;
use serde_json::{Value, json};

fn with(settings: &Value, base: Files<'_>, new: Files<'_>) -> Report {
    run(&json!({"dependencies": settings}), base, new)
}

fn free() -> Value {
    json!({"requireLockFile": false})
}

/// What each format says of the same change: `kept` stays, `left` comes, `moved` has another version, `gone` goes.
const FORMATS: [(&str, &str, &str, &str); 10] = [
    (
        "Cargo.toml",
        "[dependencies]\nkept = \"1\"\nmoved = \"1\"\n[target.'cfg(unix)'.dependencies]\ngone = \"1\"",
        "[dependencies]\nkept = \"1\"\nmoved = { version = \"2\", features = [\"x\"] }\n[dev-dependencies]\nother = { package = \"left\", version = \"1\" }",
        "cargo: +left 1, ~moved 2, -gone",
    ),
    (
        "Cargo.lock",
        "version = 4\n[[package]]\nname = \"own\"\nversion = \"0.1.0\"\n[[package]]\nname = \"moved\"\nversion = \"1.0.0\"\nsource = \"registry+https://index\"\n[[package]]\nname = \"gone\"\nversion = \"1.0.0\"\nsource = \"registry+https://index\"",
        "version = 4\n[[package]]\nname = \"own\"\nversion = \"0.2.0\"\n[[package]]\nname = \"moved\"\nversion = \"1.0.0\"\nsource = \"git+https://elsewhere\"\n[[package]]\nname = \"left\"\nversion = \"1\"\nsource = \"registry+https://index\"",
        "cargo: +left 1, ~moved 1.0.0 from git+https://elsewhere, -gone",
    ),
    (
        "web/package.json",
        r#"{"dependencies": {"kept": "1", "moved": "1"}, "devDependencies": {"gone": "1"}}"#,
        r#"{"dependencies": {"kept": "1", "moved": "2"}, "peerDependencies": {"left": "1"}}"#,
        "npm: +left 1, ~moved 2, -gone",
    ),
    (
        "package-lock.json",
        r#"{"packages": {"": {"version": "1"}, "node_modules/moved": {"version": "1"}, "node_modules/a/node_modules/gone": {"version": "1"}}}"#,
        r#"{"packages": {"": {"version": "2"}, "node_modules/moved": {"version": "2"}, "node_modules/left": {"version": "1"}}}"#,
        "npm: +left 1, ~moved 2, -gone",
    ),
    (
        "npm-shrinkwrap.json",
        r#"{"dependencies": {"moved": {"version": "1", "dependencies": {"gone": {"version": "1"}}}}}"#,
        r#"{"dependencies": {"moved": {"version": "2", "dependencies": {"left": {"version": "1"}}}}}"#,
        "npm: +left 1, ~moved 2, -gone",
    ),
    (
        "requirements-dev.txt",
        "kept==1\nMoved_==1 # why\ngone\n",
        "--index-url https://x\nkept == 1\nmoved>=2 ; python_version < '3.13'\nleft[extra] == 1 \\\n    --hash=sha256:00\n",
        "pypi: +left == 1, ~kept == 1, ~moved >=2, -gone",
    ),
    (
        "pyproject.toml",
        "[project]\ndependencies = [\"kept\", \"moved<2\"]\n[tool.poetry.dependencies]\npython = \"^3.12\"\ngone = \"1\"",
        "[project]\ndependencies = [\"kept\", \"moved<3\"]\n[dependency-groups]\ndev = [\"Left~=1\", {include-group = \"x\"}]",
        "pypi: +left ~=1, ~moved <3, -gone",
    ),
    (
        "uv.lock",
        "version = 1\n[[package]]\nname = \"own\"\nversion = \"1\"\nsource = { editable = \".\" }\n[[package]]\nname = \"gone\"\nversion = \"1\"\nsource = { registry = \"https://index\" }",
        "version = 1\n[[package]]\nname = \"own\"\nversion = \"2\"\nsource = { editable = \".\" }\n[[package]]\nname = \"left\"\nversion = \"1\"\nsource = { registry = \"https://index\" }",
        "pypi: +left 1, -gone",
    ),
    (
        "go.mod",
        "module m\n\ngo 1.24\n\nrequire (\n\tx.org/kept v1\n\tx.org/moved v1 // indirect\n)\nrequire x.org/gone v1\n",
        "module m\n\nrequire (\n\tx.org/kept v1\n\tx.org/moved v2\n)\nrequire x.org/left v1\n",
        "go: +x.org/left v1, ~x.org/moved v2, -x.org/gone",
    ),
    (
        "go.sum",
        "x.org/gone v1 h1:a=\nx.org/gone v1/go.mod h1:b=\n",
        "x.org/left v1 h1:a=\nx.org/only v1/go.mod h1:b=\n",
        "go: +x.org/left v1, -x.org/gone",
    ),
];

#[test]
fn each_format_tells_what_came_changed_and_went() {
    for (path, old, new, told) in FORMATS {
        let report = with(&free(), &[(path, old)], &[(path, new)]);
        let (ecosystem, rest) = told.split_once(": ").unwrap();
        assert_eq!(report.notes, [format!("{path} ({ecosystem}): {rest}")]);
        assert!(report.findings.is_empty(), "{report}");
    }
}

#[test]
fn what_is_denied_is_denied_by_every_way_in() {
    let settings = json!({"denied": ["npm:left*", "go:evil.example/**"], "requireLockFile": false});
    let new: Files<'_> = &[
        ("go.mod", "require evil.example/a/b v1\nrequire good.example/a => evil.example/b v1\n"),
        (
            "package-lock.json",
            "{\"packages\":\n{\"node_modules/a/node_modules/left-pad\": {\"version\": \"1\"}}}",
        ),
        ("package.json", "{\n\"dependencies\": {\n\"left-pad\": \"1\"}}"),
        ("requirements.txt", "left-pad==1"),
    ];
    assert_eq!(
        found(&with(&settings, &[], new)),
        [
            "go.mod:1 dependency-denied",
            "package-lock.json:2 dependency-denied",
            "package.json:3 dependency-denied",
        ]
    );
}

#[test]
fn another_name_for_what_is_denied_does_not_let_it_in() {
    let settings = json!({"denied": ["npm:evil", "npm:@evil/*"], "requireLockFile": false});
    for value in ["npm:evil@1", "npm:evil", "npm:@evil/x@^2", "npm:@evil/x"] {
        let new = format!(r#"{{"dependencies": {{"good": "{value}"}}}}"#);
        let report = with(&settings, &[], &[("package.json", &new)]);
        assert_eq!(found(&report), ["package.json:1 dependency-denied"], "{value}");
    }
    let listed = with(&settings, &[], &[("requirements.txt", "-r requirements-dev.txt\n--hash=x\n")]);
    assert!(listed.findings.is_empty(), "that list is looked at by itself: {listed}");
}

#[test]
fn a_list_of_the_allowed_holds_for_what_a_manifest_gains() {
    let settings = json!({"allowed": ["npm:@acme/*"], "requireLockFile": false});
    let old = r#"{"dependencies": {"was": "1"}}"#;
    let new = r#"{"dependencies": {"was": "2", "@acme/ui": "1", "@other/ui": "1"}}"#;
    let lock = r#"{"packages": {"node_modules/indirect": {"version": "1"}}}"#;
    let report =
        with(&settings, &[("package.json", old)], &[("package.json", new), ("package-lock.json", lock)]);
    assert_eq!(found(&report), ["package.json:1 dependency-not-allowed"]);
    assert!(report.findings[0].message.contains("@other/ui"));
}

#[test]
fn a_manifest_gains_only_together_with_its_lock_file() {
    let manifest = "[dependencies]\na = \"1\"\n";
    let more = "[dependencies]\na = \"1\"\nb = \"1\"\n";
    let wider = "[dependencies]\na = \">=1\"\n";
    let at = |path| {
        found(&with(&json!({}), &[(path, manifest), ("Cargo.lock", "")], &[(path, more), ("Cargo.lock", "")]))
    };
    assert_eq!(at("Cargo.toml"), ["Cargo.toml lock-file-behind"]);
    assert_eq!(
        at("crates/x/Cargo.toml"),
        ["crates/x/Cargo.toml lock-file-behind"],
        "the lock is a workspace's"
    );
    let none = with(&json!({}), &[("Cargo.toml", manifest)], &[("Cargo.toml", more)]);
    assert_eq!(found(&none), ["Cargo.toml lock-file-missing"]);
    let both = with(
        &json!({}),
        &[("Cargo.toml", manifest), ("Cargo.lock", "")],
        &[("Cargo.toml", more), ("Cargo.lock", "version = 4\n")],
    );
    assert!(both.findings.is_empty(), "{both}");
    let widened = with(
        &json!({}),
        &[("Cargo.toml", manifest), ("Cargo.lock", "")],
        &[("Cargo.toml", wider), ("Cargo.lock", "")],
    );
    assert!(widened.findings.is_empty(), "the locked version may still do: {widened}");
}

#[test]
fn requirements_are_their_own_lock_and_so_are_pinned() {
    let new =
        "good==1.2\nloose>=1\nnewest==1.*\nplaced @ https://x.example/p.whl\ngit+https://x.example/r.git\n";
    let report = with(
        &json!({}),
        &[("requirements.txt", "was>=1\n")],
        &[("requirements.txt", &format!("was>=1\n{new}"))],
    );
    assert_eq!(
        found(&report),
        ["requirements.txt:6 not-pinned", "requirements.txt:3 not-pinned", "requirements.txt:4 not-pinned"]
    );
}

#[test]
fn a_dependency_without_a_name_is_found_like_any_other() {
    for line in
        [".", "-e .", "./", "-e.", "--editable=.", "-egit+https://x.example/r", "-r more.txt", "-rmore.txt"]
    {
        let report = with(&json!({}), &[], &[("requirements.txt", line)]);
        assert_eq!(found(&report), ["requirements.txt:1 not-pinned"], "{line}");
    }
    let nameless = [
        ("package.json", r#"{"dependencies": {"": "1"}}"#),
        ("Cargo.toml", "[dependencies]\n\"\" = \"1\"\n"),
    ];
    for (path, text) in nameless {
        let settings = json!({"allowed": ["npm:a", "cargo:a"], "requireLockFile": false});
        assert_eq!(found(&with(&settings, &[], &[(path, text)])), [format!("{path} dependency-not-allowed")]);
    }
}

#[test]
fn what_cannot_be_read_fails_and_what_could_not_be_read_before_is_all_new() {
    assert_eq!(found(&with(&free(), &[], &[("a/Cargo.toml", "[dependencies")])), ["a/Cargo.toml unreadable"]);
    let mended =
        with(&free(), &[("package.json", "{")], &[("package.json", r#"{"dependencies": {"a": "1"}}"#)]);
    assert_eq!(mended.notes, ["package.json (npm): +a 1"]);
    let opaque = with(&json!({"denied": ["npm:x"]}), &[], &[("yarn.lock", "x@1")]);
    assert_eq!(opaque.notes, ["yarn.lock changed; this version does not read its format"]);
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    let deep = format!("{}1{}", "{\"dependencies\":{\"a\":".repeat(5_000), "}}".repeat(5_000));
    assert_eq!(found(&with(&free(), &[], &[("package-lock.json", &deep)])), ["package-lock.json unreadable"]);
}
