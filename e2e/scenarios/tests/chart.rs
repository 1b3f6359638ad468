//! The charts on a real apiserver: they render, are accepted, and their admission policies hold.
//!
//! The scenarios play the same on a whole cluster; here it costs seconds.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected by failing")]

#[path = "chart/preflight.rs"]
mod preflight;
#[path = "chart/rendered.rs"]
mod rendered;

use anyhow::Result;
use golden_cluster::{ApiServer, Kubectl, tools};
use golden_scenarios::install::root;
use golden_scenarios::tools::wait_for;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// The account of a tool that delivers tasks from git.
const TOOL: &str = "system:serviceaccount:gitops:applier";

struct Installed {
    server: ApiServer,
    _home: tempfile::TempDir,
}

/// One apiserver with both charts applied, shared by the tests of this file.
fn installed() -> &'static Installed {
    static INSTALLED: OnceLock<Installed> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let home = tempfile::tempdir().expect("a temporary folder");
        let server = ApiServer::start(home.path()).expect("an apiserver starts");
        install(&server).expect("both charts are accepted");
        Installed { server, _home: home }
    })
}

fn install(server: &ApiServer) -> Result<()> {
    let kubectl = Kubectl::new(server.kubeconfig())?;
    kubectl.apply(r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"golden-system"}}"#)?;
    kubectl.apply(&render("golden-crds", &[])?)?;
    kubectl.run(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"])?;
    // As it is, then as an upgrade that names a tool: both are accepted.
    kubectl.apply(&render("golden", &[])?)?;
    kubectl.apply(&render("golden", &[&format!("--set=admission.deliveryTools={{{TOOL}}}")])?)?;
    for file in [
        "platform/namespace.yaml",
        "platform/policies.yaml",
        "platform/provider.yaml",
        "checkout/budgets.yaml",
        "checkout/team.yaml",
    ] {
        kubectl.apply(&std::fs::read_to_string(root().join("examples").join(file))?)?;
    }
    kubectl.apply(r#"{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"golden-run","namespace":"checkout"}}"#)?;
    kubectl.apply(
        r#"{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"editors","namespace":"checkout"},
        "roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"},
        "subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"alice@example"}]}"#,
    )?;
    // The apiserver takes a moment to load policies: they hold once a forged status is refused.
    wait_for("the admission policies to hold", Duration::from_secs(30), || {
        Ok(alice(server)?
            .apply(RUN_POD)
            .is_err_and(|e| format!("{e:#}").contains("Golden alone"))
            .then_some(()))
    })?;
    // And one that stamps tasks needs their schema, which it learns of a little later than the kinds are served.
    let task = root().join("examples/tasks/adr-queue.yaml").display().to_string();
    wait_for("tasks to be stamped", Duration::from_secs(30), || {
        kubectl.run(&["apply", "--server-side", "--dry-run=server", "-f", &task]).map(Some)
    })
    .map(drop)
}

/// What `helm template` makes of a chart with further arguments.
fn render(chart: &str, more: &[&str]) -> Result<String> {
    let helm = tools::program("helm", "helm")?;
    let output = Command::new(helm)
        .args(["template", chart, "-n", "golden-system"])
        .arg(root().join("charts").join(chart))
        .args(more)
        .output()?;
    anyhow::ensure!(
        output.status.success(),
        "helm template {chart}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

fn alice(server: &ApiServer) -> Result<Kubectl> {
    Kubectl::new(&server.user_kubeconfig("alice@example", &[])?)
}

/// The operator, by the name of its account.
fn golden_operator(server: &ApiServer) -> Result<Kubectl> {
    Kubectl::new(&server.user_kubeconfig("system:serviceaccount:golden-system:golden-operator", &[])?)
}

fn refused(result: Result<String>, why: &str) {
    let error = format!("{:#}", result.expect_err("this must be refused"));
    assert!(error.contains(why), "{error}");
}

const RUN_POD: &str = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"forged","namespace":"checkout","labels":{"goldenarch.dev/run":"true"}},
    "spec":{"containers":[{"name":"c","image":"x"}]}}"#;

fn task(name: &str, more: &str) -> String {
    format!(
        r#"{{"apiVersion":"goldenarch.dev/v1alpha1","kind":"AgentTask","metadata":{{"name":"{name}","namespace":"checkout"}},
        "spec":{{"teamRef":{{"name":"core"}},"goal":"x","source":{{"inline":{{"files":[{{"path":"a","content":"a"}}]}}}}{more}}}}}"#
    )
}

#[test]
fn every_example_is_accepted() {
    let kubectl = Kubectl::new(installed().server.kubeconfig()).expect("kubectl");
    for name in ["fix-slugify", "adr-queue", "small-budget", "last-cent"] {
        let text =
            std::fs::read_to_string(root().join(format!("examples/tasks/{name}.yaml"))).expect("an example");
        kubectl.apply(&text).unwrap_or_else(|e| panic!("{name}: {e:#}"));
    }
}

#[test]
fn the_submitter_is_stamped_kept_and_cannot_be_claimed() {
    let alice = alice(&installed().server).expect("kubectl");
    alice.apply(&task("stamped", "")).expect("accepted");
    let by = || {
        alice.run(&["-n", "checkout", "get", "agenttask", "stamped", "-o", "jsonpath={.spec.submittedBy}"])
    };
    assert_eq!(by().expect("stamped"), "alice@example");
    alice.apply(&task("stamped", r#","priority":3"#)).expect("applied again without the stamp");
    assert_eq!(by().expect("kept"), "alice@example");
    refused(
        alice.apply(&task("claimed", r#","submittedBy":"bob@example""#)),
        "submittedBy must be the caller",
    );
}

#[test]
fn of_a_delivery_tools_task_the_committer_is_the_author() {
    let server = &installed().server;
    let tool =
        Kubectl::new(&server.user_kubeconfig(TOOL, &["system:masters"]).expect("a user")).expect("kubectl");
    let committed = |name: &str, by: &str, more: &str| {
        let annotation = format!(r#""annotations":{{"goldenarch.dev/committed-by":"{by}"}},"namespace""#);
        task(name, more).replacen(r#""namespace""#, &annotation, 1)
    };
    let by = |name: &str| {
        tool.run(&["-n", "checkout", "get", "agenttask", name, "-o", "jsonpath={.spec.submittedBy}"])
    };
    tool.apply(&committed("from-git", "carol@example", "")).expect("accepted");
    assert_eq!(by("from-git").expect("stamped"), "carol@example");
    tool.apply(&task("from-git", r#","priority":3"#)).expect("a later sync need not name her");
    assert_eq!(by("from-git").expect("kept"), "carol@example");
    tool.apply(&committed("written", "carol@example", r#","submittedBy":"carol@example""#))
        .expect("accepted");

    refused(tool.apply(&task("nameless", "")), "committed-by must name who");
    refused(tool.apply(&committed("empty", "", "")), "committed-by must name who");
    let other = committed("other", "carol@example", r#","submittedBy":"dave@example""#);
    refused(tool.apply(&other), "must be the committer, carol@example");

    // From anybody else it counts for nothing.
    let alice = alice(server).expect("kubectl");
    alice.apply(&committed("by-hand", "bob@example", "")).expect("accepted");
    assert_eq!(by("by-hand").expect("stamped"), "alice@example");
    let claimed = committed("claimed-by-hand", "bob@example", r#","submittedBy":"bob@example""#);
    refused(alice.apply(&claimed), "must be the caller, alice@example");
}

#[test]
fn only_golden_writes_status() {
    let kubectl = Kubectl::new(installed().server.kubeconfig()).expect("kubectl");
    kubectl.apply(&task("status", "")).expect("accepted");
    refused(
        kubectl.run(&[
            "-n",
            "checkout",
            "patch",
            "agenttask",
            "status",
            "--subresource=status",
            "--type=merge",
            "-p",
            r#"{"status":{"stage":"Complete"}}"#,
        ]),
        "written by Golden alone",
    );
}

#[test]
fn a_run_pod_cannot_be_made_or_its_token_drawn() {
    let alice = alice(&installed().server).expect("kubectl");
    refused(alice.apply(RUN_POD), "made and changed by Golden alone");
    let account = RUN_POD
        .replace(r#","labels":{"goldenarch.dev/run":"true"}"#, "")
        .replace(r#""spec":{"#, r#""spec":{"serviceAccountName":"golden-run","#);
    refused(alice.apply(&account), "made and changed by Golden alone");
    refused(alice.run(&["-n", "checkout", "create", "token", "golden-run"]), "for run pods only");
    // Whatever Golden's parts know their pods by cannot be written either, when a pod is made or later.
    let forged = |name: &str, metadata: &str| {
        format!(
            r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{name}","namespace":"checkout"{metadata}}},
        "spec":{{"containers":[{{"name":"c","image":"x"}}]}}}}"#
        )
    };
    let marks = [
        r#""labels":{"goldenarch.dev/task-uid":"3f2a9c1d-0000-4000-8000-000000000000"}"#,
        r#""ownerReferences":[{"apiVersion":"goldenarch.dev/v1alpha1","kind":"SandboxRun","name":"r","uid":"1","controller":true}]"#,
    ];
    alice.apply(&forged("own", "")).expect("a pod of one's own");
    for mark in marks {
        refused(alice.apply(&forged("forged", &format!(",{mark}"))), "made and changed by Golden alone");
        let patch = format!(r#"{{"metadata":{{{mark}}}}}"#);
        let patched = alice.run(&["-n", "checkout", "patch", "pod", "own", "--type=merge", "-p", &patch]);
        refused(patched, "made and changed by Golden alone");
    }
}

#[test]
fn a_run_pod_cannot_be_changed() {
    let server = &installed().server;
    let (alice, golden) = (alice(server).expect("kubectl"), golden_operator(server).expect("kubectl"));
    let run = RUN_POD
        .replace(r#""name":"forged""#, r#""name":"made""#)
        .replace(r#""image":"x""#, r#""image":"x","resources":{"requests":{"cpu":"10m"}}"#);
    golden.apply(&run).expect("Golden makes run pods");
    let on = |subresource: &str, patch: &str| {
        let subresource = (!subresource.is_empty()).then(|| format!("--subresource={subresource}"));
        let mut args = vec!["-n", "checkout", "patch", "pod", "made", "--type=strategic", "-p", patch];
        args.extend(subresource.as_deref());
        alice.run(&args)
    };
    for (subresource, patch) in [
        ("", r#"{"metadata":{"labels":{"goldenarch.dev/run":null}}}"#),
        ("", r#"{"spec":{"activeDeadlineSeconds":1}}"#),
        ("ephemeralcontainers", r#"{"spec":{"ephemeralContainers":[{"name":"e","image":"x"}]}}"#),
        ("resize", r#"{"spec":{"containers":[{"name":"c","resources":{"requests":{"cpu":"20m"}}}]}}"#),
        ("status", r#"{"status":{"phase":"Succeeded"}}"#),
    ] {
        refused(on(subresource, patch), "made and changed by Golden alone");
    }
    alice
        .run(&["-n", "checkout", "delete", "pod", "made", "--wait=false"])
        .expect("whoever may delete pods may");
}

/// Known by its name, as admission does not see the pod behind a CONNECT.
#[test]
fn a_run_pod_cannot_be_entered() {
    let alice = alice(&installed().server).expect("kubectl");
    let name = "fix-slugify-3f2a9c1d-a1-t1";
    let named = format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{name}","namespace":"checkout"}},
        "spec":{{"containers":[{{"name":"c","image":"x"}}]}}}}"#
    );
    alice.apply(&named).expect("a pod of one's own");
    refused(alice.run(&["-n", "checkout", "exec", name, "--", "sh"]), "cannot be entered");
    let of_a_guard = format!("http:{name}-unit-tests:8080");
    for (asked, how) in [
        (name, "exec?command=sh&stdout=true"),
        (name, "attach?stdout=true"),
        (name, "portforward"),
        (name, "proxy/"),
        (&format!("{name}:8080"), "proxy/"),
        (&of_a_guard, "proxy/"),
    ] {
        let path = format!("/api/v1/namespaces/checkout/pods/{asked}/{how}");
        refused(alice.run(&["get", "--raw", &path]), "cannot be entered");
    }
    let other = alice.run(&["get", "--raw", "/api/v1/namespaces/checkout/pods/own:8080/proxy/"]);
    let words = format!("{:#}", other.expect_err("it runs nowhere"));
    assert!(!words.contains("cannot be entered"), "{words}");
}

#[test]
fn a_guards_run_cannot_be_forged() {
    let alice = alice(&installed().server).expect("kubectl");
    let run = |label: &str| {
        format!(
            r#"{{"apiVersion":"goldenarch.dev/v1alpha1","kind":"SandboxRun","metadata":{{"name":"r","namespace":"checkout"{label}}},
            "spec":{{"image":"x","command":["true"]}}}}"#
        )
    };
    alice.apply(&run("")).expect("a run of one's own is allowed");
    refused(alice.apply(&run(r#","labels":{"goldenarch.dev/task-uid":"0"}"#)), "made by Golden alone");
}

#[test]
fn only_approvers_decide_and_only_for_themselves() {
    let server = &installed().server;
    let decision = |name: &str, by: &str| {
        format!(
            r#"{{"apiVersion":"goldenarch.dev/v1alpha1","kind":"Decision","metadata":{{"name":"{name}","namespace":"checkout"}},
            "spec":{{"target":{{"kind":"AgentTask","name":"x","uid":"3f2a9c1d-0000-4000-8000-000000000000","digest":"sha256:{}"}},
            "verdict":"Approve","decidedBy":"{by}"}}}}"#,
            "0".repeat(64)
        )
    };
    let bob = Kubectl::new(&server.user_kubeconfig("bob@example", &[]).expect("a user")).expect("kubectl");
    bob.run(&[
        "create",
        "--raw",
        "/apis/goldenarch.dev/v1alpha1/namespaces/checkout/decisions",
        "-f",
        &file(&decision("own", "bob@example")),
    ])
    .expect("bob may approve in checkout");
    refused(
        bob.run(&[
            "create",
            "--raw",
            "/apis/goldenarch.dev/v1alpha1/namespaces/checkout/decisions",
            "-f",
            &file(&decision("other", "alice@example")),
        ]),
        "decidedBy must be the caller",
    );
    let kubectl = Kubectl::new(server.kubeconfig()).expect("kubectl");
    kubectl
        .apply(
            r#"{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"carol","namespace":"checkout"},
        "roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"golden:edit"},
        "subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"carol@example"}]}"#,
        )
        .expect("bound");
    let carol =
        Kubectl::new(&server.user_kubeconfig("carol@example", &[]).expect("a user")).expect("kubectl");
    refused(
        carol.run(&[
            "create",
            "--raw",
            "/apis/goldenarch.dev/v1alpha1/namespaces/checkout/decisions",
            "-f",
            &file(&decision("carols", "carol@example")),
        ]),
        "may not decide",
    );
}

#[test]
fn who_approves_work_grants_no_money_and_who_grants_money_approves_no_work() {
    let server = &installed().server;
    let kubectl = Kubectl::new(server.kubeconfig()).expect("kubectl");
    let decide = |user: &str, namespace: &str, kind: &str| {
        let text = format!(
            r#"{{"apiVersion":"goldenarch.dev/v1alpha1","kind":"Decision","metadata":{{"generateName":"d-","namespace":"{namespace}"}},
            "spec":{{"target":{{"kind":"{kind}","name":"x","uid":"3f2a9c1d-0000-4000-8000-000000000000","digest":"sha256:{}"}},
            "verdict":"Approve","decidedBy":"{user}@example"}}}}"#,
            "0".repeat(64)
        );
        let of = server.user_kubeconfig(&format!("{user}@example"), &[]).expect("a user");
        let path = format!("/apis/goldenarch.dev/v1alpha1/namespaces/{namespace}/decisions");
        Kubectl::new(&of).expect("kubectl").run(&["create", "--raw", &path, "-f", &file(&text)])
    };
    for (user, role) in [("dave", "golden:approver"), ("erin", "golden:budget-approver")] {
        kubectl
            .apply(&format!(
                r#"{{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{{"name":"{user}","namespace":"checkout"}},
                "roleRef":{{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"{role}"}},
                "subjects":[{{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"{user}@example"}}]}}"#
            ))
            .expect("bound");
    }
    decide("dave", "checkout", "AgentTask").expect("dave approves work");
    decide("erin", "checkout", "Budget").expect("erin grants money");
    refused(decide("dave", "checkout", "Budget"), "golden:budget-approver");
    refused(decide("erin", "checkout", "AgentTask"), "golden:approver");
    // The Budgets of another namespace are not hers to grant from.
    refused(decide("erin", "golden-system", "Budget"), "forbidden");
}

#[test]
fn the_passwords_outlive_an_uninstall_as_the_volumes_do() {
    let kubectl = Kubectl::new(installed().server.kubeconfig()).expect("kubectl");
    let policy = r"jsonpath={.metadata.annotations.helm\.sh/resource-policy}";
    let kept = kubectl.run(&["-n", "golden-system", "get", "secret", "golden-stores", "-o", policy]);
    assert_eq!(kept.expect("the chart's Secret"), "keep");
}

#[test]
fn the_account_of_the_uninstall_may_release_and_nothing_else() {
    let kubectl = Kubectl::new(installed().server.kubeconfig()).expect("kubectl");
    let may = |verb: &str, resource: &str, more: &[&str]| {
        let account = "--as=system:serviceaccount:golden-system:golden-release";
        kubectl.run(&[&["auth", "can-i", verb, resource, account][..], more].concat()).is_ok()
    };
    let (golden, everywhere) = (&["-n", "golden-system"][..], &["-A"][..]);
    for verb in ["list", "get", "patch"] {
        assert!(may(verb, "agentteams.goldenarch.dev", everywhere), "{verb} teams");
    }
    assert!(may(
        "patch",
        "deployments.apps/golden-operator",
        &["--subresource=scale", "-n", "golden-system"]
    ));
    assert!(may("list", "pods", golden));
    for resource in ["deployments.apps", "services", "poddisruptionbudgets.policy"] {
        assert!(may("list", resource, golden) && may("delete", resource, golden), "{resource}");
        assert!(!may("delete", resource, everywhere), "{resource} of others");
    }
    for (verb, resource) in [
        ("patch", "agenttasks.goldenarch.dev"),
        ("delete", "agentteams.goldenarch.dev"),
        ("get", "secrets"),
        ("create", "pods"),
        ("patch", "deployments.apps"),
    ] {
        assert!(!may(verb, resource, golden), "{verb} {resource}");
    }
}

/// A manifest as a file, for `kubectl create --raw`.
fn file(text: &str) -> String {
    use std::io::Write as _;
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("written");
    let (_, path) = file.keep().expect("kept until the process ends");
    path.display().to_string()
}
