use super::support::run;
use serde_json::json;

#[test]
fn a_report_reads_like_a_compilers_and_ends_with_its_sum() {
    let manifest = "{\"dependencies\":\n{\"left-pad\": \"1\"}}";
    let settings = json!({"dependencies": {"denied": ["npm:left-pad"]}});
    let report = run(&settings, &[], &[("package.json", manifest)]);
    assert_eq!(
        report.to_string(),
        "note: package.json (npm): +left-pad 1\n\
         package.json:2: dependency-denied: npm dependency left-pad (1) is denied; do without it\n\
         package.json: lock-file-missing: it gained dependencies, but no package-lock.json or npm-shrinkwrap.json or \
         yarn.lock or pnpm-lock.yaml or bun.lock or bun.lockb is there; make one\n\
         dependencies: failed, 2 findings in 1 changed file\n"
    );
    let value = serde_json::to_value(&report).unwrap();
    assert_eq!((&value["verdict"], &value["findings"][0]["line"]), (&json!("Failed"), &json!(2)));
}

#[test]
fn names_in_the_tree_cannot_write_lines_of_their_own() {
    let manifest = json!({"dependencies": {"a\nsecrets: passed": "1\u{1b}[2J"}}).to_string();
    let text = run(&json!({"dependencies": {}}), &[], &[("package.json", &manifest)]).to_string();
    assert!(!text.contains('\u{1b}') && !text.lines().any(|line| line.starts_with("secrets: ")), "{text}");
}
