//! The rules and bounds of the kinds, on a real apiserver: the same cases as `rules.rs`.

// All of this is test code; the lints know only functions marked as tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::bounds::broken;
use common::cases::CaseFile;
use common::{definitions, kind};
use golden_cluster::{ApiServer, tools};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::wait::{await_condition, conditions::is_crd_established};
use kube::{Client, Config, Error};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What the apiserver said: (field, message) of each cause; empty if it accepted.
type Faults = Vec<(String, String)>;

struct Server {
    client: Client,
    crds: Vec<Value>,
    /// Stops when dropped.
    _process: ApiServer,
}

impl Server {
    /// Starts an apiserver and applies the generated definitions, as `kubectl apply --server-side` does.
    async fn start(name: &str) -> Self {
        let home = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let server = tokio::task::spawn_blocking(move || ApiServer::start(&home))
            .await
            .unwrap()
            .expect("an apiserver");
        let config = Kubeconfig::read_from(server.kubeconfig()).unwrap();
        let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let crds = definitions();
        let api: Api<CustomResourceDefinition> = Api::all(client.clone());
        for crd in &crds {
            let name = crd["metadata"]["name"].as_str().unwrap();
            let patch = Patch::Apply(crd);
            api.patch(name, &PatchParams::apply("test").force(), &patch)
                .await
                .unwrap_or_else(|e| panic!("the apiserver refuses {name}: {e}"));
        }
        for crd in &crds {
            let name = crd["metadata"]["name"].as_str().unwrap();
            let established = await_condition(api.clone(), name, is_crd_established());
            tokio::time::timeout(Duration::from_secs(30), established).await.expect("established").unwrap();
        }
        Self { client, crds, _process: server }
    }

    fn api(&self, kind: &str) -> Api<DynamicObject> {
        let gvk = GroupVersionKind::gvk(golden_crds::GROUP, golden_crds::VERSION, kind);
        let crd = self.crds.iter().find(|c| c["spec"]["names"]["kind"] == kind).unwrap();
        let resource =
            ApiResource::from_gvk_with_plural(&gvk, crd["spec"]["names"]["plural"].as_str().unwrap());
        if crd["spec"]["scope"] == "Cluster" {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), "default", &resource)
        }
    }

    /// Creates the object for a moment, or would change `old` into it.
    async fn faults(&self, kind: &str, object: &Value, old: Option<&Value>) -> Faults {
        let api = self.api(kind);
        let dry = PostParams { dry_run: true, ..PostParams::default() };
        let object: DynamicObject = match serde_json::from_value(object.clone()) {
            Ok(object) => object,
            Err(e) => panic!("{object}: {e}"),
        };
        let Some(old) = old else { return faults(api.create(&dry, &object).await) };
        let old = api.create(&PostParams::default(), &serde_json::from_value(old.clone()).unwrap()).await;
        let old = old.unwrap_or_else(|e| panic!("{kind}: what is to be changed is refused: {e}"));
        let name = old.metadata.name.clone().unwrap();
        let mut object = object;
        object.metadata.resource_version = old.metadata.resource_version;
        let answer = api.replace(&name, &dry, &object).await;
        api.delete(&name, &DeleteParams::default()).await.unwrap();
        faults(answer)
    }
}

fn faults(answer: Result<DynamicObject, Error>) -> Faults {
    match answer {
        Ok(_) => Vec::new(),
        Err(Error::Api(status)) => {
            let causes = status.details.as_ref().map(|d| d.causes.clone()).unwrap_or_default();
            if causes.is_empty() {
                vec![(String::new(), status.message.clone())]
            } else {
                causes.into_iter().map(|c| (c.field, c.message)).collect()
            }
        }
        Err(e) => panic!("the apiserver did not answer: {e}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_apiserver_accepts_and_refuses_as_the_cases_say() {
    let server = Server::start("rules").await;
    let mut wrong = Vec::new();
    for file in CaseFile::all() {
        for case in &file.cases {
            let old = case.old.as_ref().map(|patch| file.object(patch));
            let faults = server.faults(&file.kind, &file.object(&case.object), old.as_ref()).await;
            let as_said = if case.valid {
                faults.is_empty()
            } else {
                !faults.is_empty() && faults.iter().all(|(f, m)| *f == case.field && m.contains(&case.rule))
            };
            if !as_said {
                wrong.push(format!("{}: {case}: {faults:?}", file.kind));
            }
        }
    }
    check_bounds(&server, &mut wrong).await;
    check_unknown_fields(&server, &mut wrong).await;
    check_null_is_absent(&server, &mut wrong).await;
    check_status_is_apart(&server, &mut wrong).await;
    check_columns_and_selectors(&server, &mut wrong).await;
    check_examples_and_pages(&server, &mut wrong).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn check_bounds(server: &Server, wrong: &mut Vec<String>) {
    for file in CaseFile::all() {
        let crd = server.crds.iter().find(|c| kind(c) == file.kind).unwrap();
        for full in file.full() {
            let faults = server.faults(&file.kind, &full, None).await;
            if !faults.is_empty() {
                wrong.push(format!("{}: a full object is refused: {faults:?}", file.kind));
            }
        }
        for b in broken(crd, &file).0 {
            let faults = server.faults(&file.kind, &b.object, None).await;
            if !faults.iter().any(|(field, _)| field.starts_with(&b.field)) {
                wrong.push(format!("{} {}: {}: {faults:?}", file.kind, b.field, b.what));
            }
        }
    }
}

/// A misspelt field is refused by kubectl's strict mode, not kept as something that only looks set.
async fn check_unknown_fields(server: &Server, wrong: &mut Vec<String>) {
    for file in CaseFile::all() {
        let mut object = file.object(&json!({}));
        object["spec"]["nonsense"] = json!(1);
        let params = PatchParams { dry_run: true, ..PatchParams::apply("test").validation_strict() };
        let answer = server.api(&file.kind).patch("case", &params, &Patch::Apply(&object)).await;
        let faults = faults(answer);
        if !faults.iter().any(|(_, message)| message.contains("spec.nonsense")) {
            wrong.push(format!("{}: an unknown field: {faults:?}", file.kind));
        }
    }
}

/// What people copy from `examples/` and `docs/` is accepted as it stands, also by kubectl's strict mode.
async fn check_examples_and_pages(server: &Server, wrong: &mut Vec<String>) {
    for (file, mut object) in common::pages::objects() {
        let kind = kind_of(&object);
        if object["metadata"]["namespace"].is_string() {
            object["metadata"]["namespace"] = json!("default");
        }
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let params = PatchParams { dry_run: true, ..PatchParams::apply("test").validation_strict() };
        let answer = server.api(&kind).patch(&name, &params, &Patch::Apply(&object)).await;
        let faults = faults(answer);
        if !faults.is_empty() {
            wrong.push(format!("{file}: {kind} {name}: {faults:?}"));
        }
    }
}

fn kind_of(object: &Value) -> String {
    object["kind"].as_str().unwrap_or_default().to_owned()
}

/// To a rule a null field would be there: a Budget whose limit is null must not pass for one with a limit.
async fn check_null_is_absent(server: &Server, wrong: &mut Vec<String>) {
    for file in CaseFile::all() {
        let mut object = file.object(&json!({}));
        let expected = match file.kind.as_str() {
            "Budget" => {
                object["spec"]["limits"] = json!({"tokens": null, "costMicroUSD": null});
                vec!["spec.limits"]
            }
            "AgentTask" => {
                object["spec"]["source"]["git"] = Value::Null;
                vec![]
            }
            _ => continue,
        };
        let faults = server.faults(&file.kind, &object, None).await;
        if faults.iter().map(|(field, _)| field.as_str()).collect::<Vec<_>>() != expected {
            wrong.push(format!("{}: nulls: {faults:?}", file.kind));
        }
    }
}

/// A person's write cannot set the status, and a status write cannot change the spec.
async fn check_status_is_apart(server: &Server, wrong: &mut Vec<String>) {
    for file in CaseFile::all() {
        let api = server.api(&file.kind);
        let mut object = file.object(&json!({}));
        object["status"] = json!({"conditions": [{
            "type": "Ready", "status": "True", "reason": "Forged", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z"
        }]});
        let made = api
            .create(&PostParams::default(), &serde_json::from_value(object.clone()).unwrap())
            .await
            .unwrap();
        if made.data.get("status").is_some_and(|s| s["conditions"].is_array()) {
            wrong.push(format!("{}: a creation can forge the status", file.kind));
        }
        let status = json!({"status": {"conditions": [{
            "type": "Ready", "status": "Maybe", "reason": "not a reason", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z"
        }]}});
        let answer = api.patch_status("case", &PatchParams::default(), &Patch::Merge(&status)).await;
        let faults = faults(answer);
        for field in ["status.conditions[0].status", "status.conditions[0].reason"] {
            if !faults.iter().any(|(f, _)| f == field) {
                wrong.push(format!("{}: a malformed condition: {field}: {faults:?}", file.kind));
            }
        }
        api.delete("case", &DeleteParams::default()).await.unwrap();
    }
}

/// `kubectl get` answers who works on it, where it stands, why, and what it cost; and finds a team's tasks.
async fn check_columns_and_selectors(server: &Server, wrong: &mut Vec<String>) {
    let file = CaseFile::all().into_iter().find(|f| f.kind == "AgentTask").unwrap();
    let api = server.api("AgentTask");
    let object = file.object(&json!({}));
    api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    let status = json!({"status": {
        "stage": "Reviewing",
        "attempt": 2,
        "usage": {"inputTokens": 1, "outputTokens": 1, "costMicroUSD": 61240, "cost": "$0.06"},
        "conditions": [{
            "type": "Complete", "status": "False", "reason": "ReviewRunning", "message": "two ballots are missing",
            "lastTransitionTime": "2026-01-01T00:00:00Z"
        }]
    }});
    api.patch_status("case", &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();

    let url = format!("/apis/{}/{}/namespaces/default/agenttasks", golden_crds::GROUP, golden_crds::VERSION);
    let request = http::Request::get(url)
        .header("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
        .body(Vec::new())
        .unwrap();
    let table: Value = server.client.request(request).await.unwrap();
    let cells = table["rows"][0]["cells"].as_array().cloned().unwrap_or_default();
    let wanted = json!(["case", "core", "Reviewing", 2, "False", "ReviewRunning", "$0.06"]);
    if cells.get(..7) != wanted.as_array().map(Vec::as_slice) {
        wrong.push(format!("columns: {cells:?}"));
    }
    for (selector, found) in [("spec.teamRef.name=core", 1), ("spec.teamRef.name=other", 0)] {
        let list = api.list(&ListParams::default().fields(selector)).await.unwrap();
        if list.items.len() != found {
            wrong.push(format!("{selector} finds {} tasks", list.items.len()));
        }
    }
    api.delete("case", &DeleteParams::default()).await.unwrap();
}

/// Helm keeps the kinds, and with them all objects, when the chart is uninstalled, unless told otherwise; beside
/// that it applies exactly what is generated.
#[test]
fn the_chart_installs_the_generated_definitions_and_keeps_them() {
    let helm = tools::ensure("helm").expect("helm").join("helm");
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/golden-crds");
    for keep in [true, false] {
        let output = Command::new(&helm)
            .args(["template", "crds"])
            .arg(&chart)
            .args(["--set", &format!("keep={keep}")])
            .output()
            .expect("helm runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let mut rendered: Vec<Value> = serde_saphyr::from_multiple(&text).expect("YAML");
        for crd in &mut rendered {
            let metadata = crd["metadata"].as_object_mut().unwrap();
            let annotations = metadata.remove("annotations");
            let policy = annotations.as_ref().map(|a| a["helm.sh/resource-policy"].clone());
            assert_eq!(policy, keep.then(|| json!("keep")));
        }
        let mut generated = definitions();
        for crds in [&mut rendered, &mut generated] {
            crds.sort_by_key(|c| c["metadata"]["name"].to_string());
        }
        assert_eq!(rendered.len(), generated.len());
        for (rendered, generated) in rendered.iter().zip(&generated) {
            assert!(rendered == generated, "helm changes {}", generated["metadata"]["name"]);
        }
    }
}
