//! What people get wrong, each as a task that says so: a condition with its reason and what to do, an event, and the
//! task goes on by itself once it is mended.
//!
//! All faults stand side by side in one namespace; then all are mended, and every task must complete.

use crate::support::tools;
use golden_cluster::images;
use golden_scenarios::install::condition;
use golden_scenarios::tools::{Tools, wait_for};
use serde_json::{Value, json};
use std::time::Duration;

const NAMESPACE: &str = "faults";
/// Pulled by nobody: the node has it or not.
const LATE_IMAGE: &str = "golden.local/late-guard:1";

/// One mistake.
struct Case {
    /// Name of the task.
    name: &'static str,
    /// What the task's spec has beside or instead of the usual.
    spec: Value,
    /// The condition that must tell of it, and its reason.
    condition: &'static str,
    reason: &'static str,
    /// What the message must hold: the object, and what to do.
    words: &'static [&'static str],
    /// What the user applies to mend it.
    mend: Vec<Value>,
}

fn git(url: &str, secret: &str) -> Value {
    json!({"source": {"git": {"url": url, "ref": "main", "secretRef": {"name": secret}}}})
}

fn git_secret(name: &str, hosts: &str, password: Option<&str>) -> Value {
    let mut data = json!({"username": "reader"});
    if let Some(password) = password {
        data["password"] = json!(password);
    }
    json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": name, "namespace": NAMESPACE, "annotations": {
            "goldenarch.dev/use": "git-read", "goldenarch.dev/hosts": hosts}},
        "stringData": data})
}

fn team(name: &str, provider: &str) -> Value {
    json!({"apiVersion": "goldenarch.dev/v1alpha1", "kind": "AgentTeam",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"maxConcurrentTasks": 16,
            "roles": [{"name": "developer", "modelRef": {"provider": provider, "model": "standard"}}]}})
}

fn provider(name: &str, host: &str, priced: bool) -> Value {
    let mut model = json!({"name": "standard", "contextWindow": 128_000, "maxOutputTokens": 4096});
    if priced {
        model["inputMicroUSDPerMToken"] = json!(1_000_000);
        model["outputMicroUSDPerMToken"] = json!(4_000_000);
    }
    json!({"apiVersion": "goldenarch.dev/v1alpha1", "kind": "ModelProvider",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"protocol": "OpenAI", "baseURL": format!("http://{host}/v1"), "secretRef": {"name": "key"},
            "models": [model]}})
}

fn budget(name: &str, label: &str) -> Value {
    json!({"apiVersion": "goldenarch.dev/v1alpha1", "kind": "Budget",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"limits": {"costMicroUSD": 5_000_000}, "period": "Total", "onExhausted": "Pause",
            "selector": {"matchLabels": {"pays": label}}}})
}

/// A name in the demo's namespace for one of its servers.
fn service(name: &str, app: &str, port: u16) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "golden-demo"},
        "spec": {"selector": {"app": app}, "ports": [{"port": port, "targetPort": 8080}]}})
}

/// What is right from the start.
fn ground() -> Vec<Value> {
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": NAMESPACE, "labels": {"goldenarch.dev/example": NAMESPACE}}}),
        json!({"apiVersion": "goldenarch.dev/v1alpha1", "kind": "GovernancePolicy", "metadata": {"name": NAMESPACE},
            "spec": {"priority": 10, "namespaceSelector": {"matchLabels": {"goldenarch.dev/example": NAMESPACE}},
                "review": {"voters": [{"role": "reviewer"}], "quorumPercent": 50, "approvePercent": 50}}}),
        json!({"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "key", "namespace": NAMESPACE, "annotations": {"goldenarch.dev/use": "model",
                "goldenarch.dev/hosts": "golden-model.golden-demo:8080,late-model.golden-demo:8080"}},
            "stringData": {"apiKey": "recorded"}}),
        provider("unpriced", "golden-model.golden-demo:8080", false),
        provider("silent", "late-model.golden-demo:8080", true),
        team("core", "shared"),
        team("unpriced", "unpriced"),
        team("silent", "silent"),
        budget("all", "yes"),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "unannotated", "namespace": NAMESPACE},
            "stringData": {"username": "reader", "password": "reader-demo"}}),
        git_secret("elsewhere", "git.example", Some("reader-demo")),
        git_secret("half", "git.golden-demo", None),
        git_secret("wrong", "git.golden-demo", Some("not-it")),
        git_secret("late", "late-git.golden-demo", Some("reader-demo")),
    ]
}

#[allow(clippy::too_many_lines, reason = "one entry a mistake")]
fn cases() -> Vec<Case> {
    const SHOP: &str = "http://git.golden-demo/shop.git";
    let good = |name: &str| vec![git_secret(name, "git.golden-demo", Some("reader-demo"))];
    vec![
        Case {
            name: "unknown-team",
            spec: json!({"teamRef": {"name": "nobody"}}),
            condition: "Admitted",
            reason: "TeamNotFound",
            words: &["AgentTeam nobody", "create it"],
            mend: vec![team("nobody", "shared")],
        },
        Case {
            name: "unpriced-model",
            spec: json!({"teamRef": {"name": "unpriced"}}),
            condition: "Admitted",
            reason: "ModelUnpriced",
            words: &["ModelProvider unpriced", "inputMicroUSDPerMToken"],
            mend: vec![provider("unpriced", "golden-model.golden-demo:8080", true)],
        },
        Case {
            name: "unpaid",
            spec: json!({"pays": "later"}),
            condition: "Admitted",
            reason: "NoBudget",
            words: &["Budget"],
            mend: vec![budget("late", "later")],
        },
        Case {
            name: "secret-missing",
            spec: git(SHOP, "absent"),
            condition: "Admitted",
            reason: "SecretNotFound",
            words: &["Secret absent", "create it with username, password"],
            mend: good("absent"),
        },
        Case {
            name: "secret-unannotated",
            spec: git(SHOP, "unannotated"),
            condition: "Admitted",
            reason: "SecretNotAnnotated",
            words: &["Secret unannotated", "goldenarch.dev/use: git-read"],
            mend: good("unannotated"),
        },
        Case {
            name: "secret-elsewhere",
            spec: git(SHOP, "elsewhere"),
            condition: "Admitted",
            reason: "SecretHostNotAllowed",
            words: &["Secret elsewhere", "git.golden-demo", "goldenarch.dev/hosts"],
            mend: good("elsewhere"),
        },
        Case {
            name: "secret-malformed",
            spec: git(SHOP, "half"),
            condition: "Admitted",
            reason: "SecretMalformed",
            words: &["password", "Secret half"],
            mend: good("half"),
        },
        Case {
            name: "git-denied",
            spec: git(SHOP, "wrong"),
            condition: "Stalled",
            reason: "GitDenied",
            words: &["git.golden-demo"],
            mend: good("wrong"),
        },
        Case {
            name: "git-unreachable",
            spec: git("http://late-git.golden-demo/shop.git", "late"),
            condition: "Stalled",
            reason: "GitUnreachable",
            words: &["late-git.golden-demo"],
            mend: vec![service("late-git", "git", 80)],
        },
        Case {
            name: "model-unreachable",
            spec: json!({"teamRef": {"name": "silent"}}),
            condition: "Stalled",
            reason: "ModelUnreachable",
            words: &["silent"],
            mend: vec![service("late-model", "golden-model", 8080)],
        },
        Case {
            name: "image-missing",
            spec: json!({"guards": [{"name": "late", "image": LATE_IMAGE, "command": ["python3", "-c", "pass"]}]}),
            condition: "Stalled",
            reason: "ImagePullFailed",
            words: &["late-guard"],
            // Mended on the node, below.
            mend: vec![],
        },
    ]
}

fn task(case: &Case) -> Value {
    let mut spec = json!({
        "teamRef": {"name": "core"}, "goal": "Chaos drill: leave a note.",
        "source": {"inline": {"files": [{"path": "README.md", "content": "# drill\n"}]}}
    });
    let mut labels = json!({"pays": "yes"});
    for (field, value) in case.spec.as_object().expect("an object") {
        match field.as_str() {
            "pays" => labels["pays"] = value.clone(),
            _ => spec[field] = value.clone(),
        }
    }
    json!({"apiVersion": "goldenarch.dev/v1alpha1", "kind": "AgentTask",
        "metadata": {"name": case.name, "namespace": NAMESPACE, "labels": labels}, "spec": spec})
}

fn remove(tools: &Tools) {
    for what in [["namespace", NAMESPACE], ["governancepolicy", NAMESPACE]] {
        let args = [&["delete"][..], &what, &["--ignore-not-found", "--timeout=120s"]].concat();
        tools.kubectl(&args).expect("what an earlier run left is removed");
    }
    let services = ["-n", "golden-demo", "delete", "service", "late-git", "late-model", "--ignore-not-found"];
    tools.kubectl(&services).expect("what an earlier run left is removed");
    let _ = images::untag(LATE_IMAGE);
}

/// The condition, as soon as it has the reason.
fn told(tools: &Tools, case: &Case) -> Value {
    wait_for(&format!("{} to say {}", case.name, case.reason), Duration::from_mins(3), || {
        let task = tools.get(&["-n", NAMESPACE, "agenttask", case.name])?;
        let conditions = task["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions.iter().find(|c| c["type"] == case.condition && c["reason"] == case.reason);
        match found {
            Some(found) => Ok(Some(found.clone())),
            None => anyhow::bail!("{conditions:?}"),
        }
    })
    .unwrap_or_else(|error| panic!("{error:#}"))
}

/// Events of that reason; repeated ones are counted on one object, not many.
fn events(tools: &Tools, name: &str, reason: &str) -> usize {
    let fields = format!("--field-selector=involvedObject.name={name},reason={reason}");
    let events = tools.get(&["-n", NAMESPACE, "events", &fields]).expect("events");
    events["items"].as_array().map_or(0, Vec::len)
}

#[test]
fn each_mistake_is_told_and_mending_it_is_enough() {
    let tools = tools();
    remove(&tools);
    let (ground, cases) = (ground(), cases());
    for object in &ground {
        tools.apply(&object.to_string(), &[]).expect("the ground is laid");
    }
    for case in &cases {
        tools.apply(&task(case).to_string(), &[]).expect("the mistake is none of a single object");
    }
    for case in &cases {
        let condition = told(&tools, case);
        let message = condition["message"].as_str().unwrap_or_default();
        println!("{:<20} {} {}: {message}", case.name, case.condition, case.reason);
        for word in case.words {
            assert!(message.contains(word), "{}: no {word:?} in {message:?}", case.name);
        }
        let seen = events(&tools, case.name, case.reason);
        assert!((1..=2).contains(&seen), "{}: {seen} events of reason {}", case.name, case.reason);
    }
    println!("{}", tools.kubectl(&["-n", NAMESPACE, "get", "agenttasks", "-o", "wide"]).expect("a table"));
    for object in cases.iter().flat_map(|case| &case.mend) {
        tools.apply(&object.to_string(), &[]).expect("the mistake is mended");
    }
    images::tag("golden.local/golden-python:dev", LATE_IMAGE).expect("the node has the image now");
    for case in &cases {
        wait_for(&format!("{} to complete", case.name), Duration::from_mins(4), || {
            let task = tools.get(&["-n", NAMESPACE, "agenttask", case.name])?;
            match condition(&task, "Complete") {
                Some("True") => Ok(Some(())),
                _ => anyhow::bail!("{}", task["status"]["conditions"]),
            }
        })
        .unwrap_or_else(|error| panic!("{error:#}"));
    }
    remove(&tools);
}

#[test]
fn a_broken_rule_names_the_field() {
    let tools = tools();
    let refused = |object: Value, word: &str| {
        let error = tools.apply(&object.to_string(), &["--dry-run=server"]).expect_err("it is refused");
        assert!(format!("{error:#}").contains(word), "no {word} in {error:#}");
    };
    let of = |kind: &str, spec: Value| {
        json!({"apiVersion": "goldenarch.dev/v1alpha1", "kind": kind,
            "metadata": {"name": "broken", "namespace": "checkout"}, "spec": spec})
    };
    refused(of("AgentTask", json!({"teamRef": {"name": "core"}, "goal": "x", "source": {}})), "spec.source");
    refused(
        of("Budget", json!({"limits": {"costMicroUSD": -1}, "period": "Total"})),
        "spec.limits.costMicroUSD",
    );
    refused(of("AgentTeam", json!({"roles": []})), "spec.roles");
}
