//! What someone who may edit everything in a team's namespace still cannot do.

use crate::support::tools;
use golden_scenarios::stories::NAMESPACE;

/// Expects a refusal whose message says why.
fn refused(result: anyhow::Result<String>, why: &str) {
    let error = format!("{:#}", result.expect_err("this must be refused"));
    assert!(error.contains(why), "{error}");
}

/// alice may edit the namespace.
fn let_alice_edit() {
    let binding = format!(
        r#"{{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{{"name":"editors","namespace":"{NAMESPACE}"}},
        "roleRef":{{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"admin"}},
        "subjects":[{{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"alice@example"}}]}}"#
    );
    tools().apply(&binding, &[]).expect("the binding is made");
}

const RUN_POD: &str = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"forged","namespace":"checkout","labels":{"goldenarch.dev/run":"true"}},
    "spec":{"containers":[{"name":"c","image":"golden.local/golden-python:dev","command":["true"]}]}}"#;

#[test]
fn an_editor_cannot_make_a_run_pod_or_draw_its_token() {
    let_alice_edit();
    refused(tools().apply(RUN_POD, &["--as=alice@example"]), "made and changed by Golden alone");
    let marked = RUN_POD.replace("goldenarch.dev/run", "goldenarch.dev/task-uid");
    refused(tools().apply(&marked, &["--as=alice@example"]), "made and changed by Golden alone");
    let token = tools().kubectl(&["-n", NAMESPACE, "create", "token", "golden-run", "--as=alice@example"]);
    refused(token, "tokens of golden-run are for run pods only");
}

#[test]
fn an_editor_cannot_write_a_status() {
    let_alice_edit();
    let patch = tools().kubectl(&[
        "-n",
        NAMESPACE,
        "patch",
        "agenttask",
        "fix-slugify",
        "--subresource=status",
        "--type=merge",
        "-p",
        r#"{"status":{"stage":"Complete"}}"#,
        "--as=alice@example",
    ]);
    refused(patch, "forbidden");
    // Even who may write any status by RBAC is stopped at admission.
    let patch = tools().kubectl(&[
        "-n",
        NAMESPACE,
        "patch",
        "agenttask",
        "fix-slugify",
        "--subresource=status",
        "--type=merge",
        "-p",
        r#"{"status":{"stage":"Complete"}}"#,
    ]);
    refused(patch, "written by Golden alone");
}

#[test]
fn an_editor_cannot_claim_another_submitter_or_decide() {
    let_alice_edit();
    let task = r#"{"apiVersion":"goldenarch.dev/v1alpha1","kind":"AgentTask","metadata":{"name":"claimed","namespace":"checkout"},
        "spec":{"teamRef":{"name":"core"},"goal":"x","source":{"inline":{"files":[{"path":"a","content":"a"}]}},"submittedBy":"bob@example"}}"#;
    refused(tools().apply(task, &["--as=alice@example"]), "submittedBy must be the caller");
    let decision = |by: &str| {
        format!(
            r#"{{"apiVersion":"goldenarch.dev/v1alpha1","kind":"Decision","metadata":{{"name":"claimed","namespace":"checkout"}},
            "spec":{{"target":{{"kind":"AgentTask","name":"fix-slugify","uid":"00000000-0000-0000-0000-000000000000","digest":"sha256:{0}"}},
            "verdict":"Approve","decidedBy":"{by}"}}}}"#,
            "0".repeat(64)
        )
    };
    refused(tools().apply(&decision("bob@example"), &["--as=alice@example"]), "decidedBy must be the caller");
    refused(tools().apply(&decision("alice@example"), &["--as=alice@example"]), "may not decide");
}
