use crate::builtin::{Finding, Node, Report, SettingsFault, Trees, examine};
use golden_crds::agent_task::BuiltinGuard;
use serde_json::{Value, json};

pub(super) fn file(bytes: &(impl AsRef<[u8]> + ?Sized)) -> Node<'_> {
    Node::File { bytes: bytes.as_ref(), executable: false }
}

pub(super) fn guard(settings: &Value) -> BuiltinGuard {
    serde_json::from_value(settings.clone()).unwrap()
}

pub(super) type Files<'a> = &'a [(&'a str, &'a str)];

pub(super) fn trees<'a>(base: Files<'a>, new: Files<'a>) -> Trees<'a> {
    let tree = |files: Files<'a>| files.iter().map(|(path, text)| (*path, file(*text))).collect();
    Trees { base: tree(base), new: tree(new) }
}

pub(super) fn try_run(settings: &Value, base: Files<'_>, new: Files<'_>) -> Result<Report, SettingsFault> {
    examine(&guard(settings), &trees(base, new))
}

pub(super) fn run(settings: &Value, base: Files<'_>, new: Files<'_>) -> Report {
    try_run(settings, base, new).unwrap()
}

/// `path:line rule` of each finding.
pub(super) fn found(report: &Report) -> Vec<String> {
    let one = |f: &Finding| {
        let line = f.line.map(|l| format!(":{l}")).unwrap_or_default();
        format!("{}{line} {}", f.path.clone().unwrap_or_default(), f.rule)
    };
    report.findings.iter().map(one).collect()
}

#[test]
fn exactly_one_guard_has_to_be_named() {
    assert!(try_run(&json!({}), &[], &[]).is_err());
    assert!(try_run(&json!({"secrets": {}, "licences": {}}), &[], &[]).is_err());
    assert!(try_run(&json!({"secrets": {}}), &[], &[]).is_ok());
}

#[test]
fn settings_that_mean_something_else_than_they_look_like_are_refused() {
    for bad in [
        json!({"secrets": {"allowedPaths": ["tests/[a-z]*"]}}),
        json!({"pathLimits": {"denied": ["src/**.rs"]}}),
        json!({"forbiddenFiles": {"paths": ["../x"]}}),
        json!({"licences": {"allowed": ["Apache2-or-so"]}}),
    ] {
        assert!(try_run(&bad, &[], &[]).is_err(), "{bad}");
    }
}
