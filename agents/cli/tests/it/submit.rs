//! `golden submit` against a real apiserver with the kinds.

use golden_cluster::{ApiServer, Kubectl};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

const TASK: &str = "
apiVersion: goldenarch.dev/v1alpha1
kind: AgentTask
metadata: {name: guide, namespace: default}
spec:
  teamRef: {name: core}
  goal: Write a guide.
  submittedBy: alice@example
  source: {inline: {files: [{path: a.md, content: a}]}}
  maxAttempts: 2
";

fn server(home: &Path) -> (ApiServer, Kubectl) {
    let server = ApiServer::start(home).expect("an apiserver");
    let kubectl = Kubectl::new(server.kubeconfig()).expect("kubectl");
    for crd in golden_crds::crdgen::definitions().expect("the kinds") {
        kubectl.apply(&crd.to_string()).expect("a kind is accepted");
    }
    kubectl.run(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]).expect("served");
    (server, kubectl)
}

fn submit(server: &ApiServer, folder: &Path, manifest: &str) -> Output {
    let file = folder.join("task.yaml");
    std::fs::write(&file, manifest).unwrap();
    Command::new(env!("CARGO_BIN_EXE_golden"))
        .args(["submit", "-f"])
        .arg(&file)
        .env("KUBECONFIG", server.kubeconfig())
        .output()
        .unwrap()
}

#[test]
fn a_misspelt_field_is_refused_by_name_and_the_manifest_is_sent_as_it_is_written() {
    let home = tempfile::tempdir().unwrap();
    let (server, kubectl) = server(&home.path().join("apiserver"));
    let get = || kubectl.run(&["get", "agenttask", "guide", "--show-managed-fields", "-o", "json"]);

    for (right, wrong, field) in
        [("maxAttempts", "maxAttemps", "maxAttemps"), ("{name: core}", "{name: core, rolle: x}", "rolle")]
    {
        let refused = submit(&server, home.path(), &TASK.replace(right, wrong));
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains(field), "{said}");
        assert!(get().is_err(), "nothing was made of it");
    }

    let accepted = submit(&server, home.path(), TASK);
    assert!(accepted.status.success(), "{}", String::from_utf8_lossy(&accepted.stderr));
    let made: Value = serde_json::from_str(&get().unwrap()).unwrap();
    assert_eq!(made["spec"]["maxAttempts"], 2);
    let fields = made["metadata"]["managedFields"].as_array().unwrap();
    let ours = fields.iter().find(|f| f["manager"] == "golden-cli").expect("applied by golden");
    // A field that the manifest leaves out stays everybody's to set.
    let owned = &ours["fieldsV1"]["f:spec"];
    assert!(owned.get("f:maxAttempts").is_some() && owned.get("f:desiredState").is_none(), "{owned}");
}
