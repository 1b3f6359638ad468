//! Sidecar and agent runner together, against the interfaces of the orchestrator and the gateway as they are written
//! down in `golden_platform::wire`. How the real ones answer is proved in their crates and by the scenarios.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests may fail a test

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use clap::Parser;
use golden_platform::tree::{self, Tree};
use golden_platform::wire::{
    ArtifactStored, AttemptNotSaved, AttemptResult, AttemptSaved, PauseWish, Resumes, TryContext,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Seen {
    artifacts: Mutex<HashMap<String, Bytes>>,
    results: Mutex<Vec<AttemptResult>>,
    calls: Mutex<Vec<HeaderMap>>,
    /// Answers 503 this many times before it takes a result.
    away: Mutex<u32>,
    tree: Mutex<String>,
    /// What an earlier try left, if this one goes on.
    resumes: Mutex<Option<Resumes>>,
    /// Whether the pod is asked to save.
    wish: Mutex<bool>,
    saved: Mutex<Vec<AttemptSaved>>,
    not_saved: Mutex<Vec<AttemptNotSaved>>,
    /// What the orchestrator answers to the next saves, before it takes one.
    refusals: Mutex<Vec<StatusCode>>,
    /// Whether it refuses transcripts.
    no_transcripts: Mutex<bool>,
}

type Shared = State<Arc<Seen>>;

async fn work(State(seen): Shared, headers: HeaderMap) -> Result<Json<TryContext>, StatusCode> {
    if headers["authorization"] != "Bearer pod-token" {
        return Err(StatusCode::UNAUTHORIZED);
    }
    Ok(Json(TryContext {
        task_uid: "3f2a9c1d-0000-4000-8000-000000000001".parse().unwrap(),
        task_name: "fix".into(),
        namespace: "checkout".into(),
        attempt: 2,
        r#try: 1,
        role: "developer".into(),
        tree: seen.tree.lock().unwrap().clone(),
        resumes: seen.resumes.lock().unwrap().clone(),
        prompt: "do it".into(),
        feedback: "it failed".into(),
        model: "m".into(),
    }))
}

async fn read(State(seen): Shared, Path(digest): Path<String>) -> Result<Bytes, StatusCode> {
    seen.artifacts.lock().unwrap().get(&digest).cloned().ok_or(StatusCode::NOT_FOUND)
}

async fn keep(State(seen): Shared, body: Bytes) -> Result<Json<ArtifactStored>, StatusCode> {
    if *seen.no_transcripts.lock().unwrap() && body.starts_with(b"{") {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let stored = ArtifactStored { digest: tree::digest(&body), bytes: i64::try_from(body.len()).unwrap() };
    seen.artifacts.lock().unwrap().insert(stored.digest.clone(), body);
    Ok(Json(stored))
}

async fn result(
    State(seen): Shared,
    Json(body): Json<AttemptResult>,
) -> Result<Json<serde_json::Value>, StatusCode> {
    let mut away = seen.away.lock().unwrap();
    if *away > 0 {
        *away -= 1;
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    seen.results.lock().unwrap().push(body);
    Ok(Json(serde_json::json!({})))
}

async fn wish(State(seen): Shared) -> Json<PauseWish> {
    Json(PauseWish { save: *seen.wish.lock().unwrap() })
}

async fn saved(
    State(seen): Shared,
    Json(body): Json<AttemptSaved>,
) -> Result<Json<serde_json::Value>, StatusCode> {
    if let Some(refusal) = seen.refusals.lock().unwrap().pop() {
        return Err(refusal);
    }
    seen.saved.lock().unwrap().push(body);
    Ok(Json(serde_json::json!({})))
}

/// Asked no more, as the orchestrator does.
async fn not_saved(State(seen): Shared, Json(body): Json<AttemptNotSaved>) -> Json<serde_json::Value> {
    *seen.wish.lock().unwrap() = false;
    seen.not_saved.lock().unwrap().push(body);
    Json(serde_json::json!({}))
}

async fn chat(State(seen): Shared, headers: HeaderMap, body: Bytes) -> Bytes {
    seen.calls.lock().unwrap().push(headers);
    body
}

#[derive(Parser)]
struct Sidecar {
    #[command(flatten)]
    args: golden_sidecar::Args,
}

#[derive(Parser)]
struct Runner {
    #[command(flatten)]
    args: golden_sidecar::RunnerArgs,
}

/// The orchestrator and the gateway, holding one tree; the first result finds the orchestrator away.
async fn others() -> (Arc<Seen>, String) {
    golden_platform::init_crypto();
    let seen = Arc::new(Seen::default());
    let tar = Tree::from_files([("a.py", "old\n")]).unwrap().to_tar().unwrap();
    *seen.tree.lock().unwrap() = tree::digest(&tar);
    seen.artifacts.lock().unwrap().insert(tree::digest(&tar), tar.into());
    *seen.away.lock().unwrap() = 1;
    let routes = Router::new()
        .route("/v1/try", get(work))
        .route("/v1/artifacts/{digest}", get(read))
        .route("/v1/artifacts", put(keep))
        .route("/v1/try/pause", get(wish))
        .route("/v1/try/saved", post(saved))
        .route("/v1/try/not-saved", post(not_saved))
        .route("/v1/result", post(result))
        .route("/v1/chat/completions", post(chat))
        .with_state(Arc::clone(&seen));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (seen, url)
}

/// The sidecar's address is one of the pod; here the pods come one after the other.
static ONE_POD: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A pod: its folders and its sidecar.
struct Pod {
    home: tempfile::TempDir,
    sidecar: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Pod {
    fn start(url: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        for dir in ["workspace", "golden"] {
            std::fs::create_dir(home.path().join(dir)).unwrap();
        }
        std::fs::write(home.path().join("token"), "pod-token\n").unwrap();
        let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
        let (token, workspace, golden) = (path("token"), path("workspace"), path("golden"));
        let sidecar = Sidecar::parse_from([
            "sidecar",
            "--orchestrator-url",
            url,
            "--gateway-url",
            url,
            "--token-file",
            &token,
            "--workspace",
            &workspace,
            "--golden",
            &golden,
        ]);
        Self { sidecar: tokio::spawn(golden_sidecar::run(sidecar.args)), home }
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).to_str().unwrap().to_owned()
    }

    /// Runs a script as the agent, until its result is handed over or its work is saved.
    async fn agent(&self, script: &str) {
        let (workspace, golden) = (self.path("workspace"), self.path("golden"));
        let script = script.replace("{golden}", &golden);
        let runner = Runner::parse_from([
            "runner",
            "--workspace",
            &workspace,
            "--golden",
            &golden,
            "--",
            "sh",
            "-c",
            &script,
        ]);
        golden_sidecar::run_agent(runner.args).await.unwrap();
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        self.sidecar.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_works_on_its_tree_calls_its_model_and_its_result_arrives() {
    let _one = ONE_POD.lock().await;
    let (seen, url) = others().await;
    let pod = Pod::start(&url);
    pod.agent(
        "set -e; grep -q 'do it' {golden}/prompt.md; grep -q 'it failed' {golden}/feedback.md; cat a.py; \
         echo new > a.py; mkdir -p {golden}/out; echo '{}' > {golden}/out/transcript.jsonl; \
         /usr/bin/busybox wget -q -O - --header 'Authorization: Bearer golden' \
         --header 'x-golden-role: voter:security' --post-data '{\"q\":1}' http://127.0.0.1:8321/v1/chat/completions; exit 3",
    )
    .await;

    let results = seen.results.lock().unwrap().clone();
    assert_eq!(results.len(), 1);
    assert_eq!(results[0].agent_exit_code, 3, "an agent's exit code is told, and no failure of the runner");
    assert!(
        results[0].summary.contains("old") && results[0].summary.contains("{\"q\":1}"),
        "{}",
        results[0].summary
    );
    let artifacts = seen.artifacts.lock().unwrap();
    let produced = Tree::parse(&artifacts[results[0].tree.as_ref().unwrap()]).unwrap();
    assert_eq!(produced, Tree::from_files([("a.py", "new\n")]).unwrap());
    assert_eq!(&artifacts[results[0].transcript.as_ref().unwrap()][..], b"{}\n");
    let calls = seen.calls.lock().unwrap();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0]["authorization"], "Bearer pod-token", "the pod's token, not the agent's");
    assert!(calls[0].get("x-golden-role").is_none(), "an agent cannot say who it is");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_to_save_ends_with_its_work_safe_and_another_goes_on_with_it() {
    let _one = ONE_POD.lock().await;
    let (seen, url) = others().await;
    *seen.wish.lock().unwrap() = true;
    let pod = Pod::start(&url);
    let begun = std::time::Instant::now();
    // As an agent whose call is held: it would not end by itself, and neither would what it started.
    pod.agent(
        "echo begun > a.py; mkdir new; echo kept > new/untracked.txt; mkdir -p {golden}/out; \
         echo '{}' > {golden}/out/transcript.jsonl; (sleep 300; echo late > a.py) & sleep 300",
    )
    .await;
    assert!(begun.elapsed().as_secs() < 60, "it was ended");
    assert!(seen.results.lock().unwrap().is_empty(), "that is no result");
    let saved = seen.saved.lock().unwrap().clone();
    assert_eq!(saved.len(), 1);
    let want = Tree::from_files([("a.py", "begun\n"), ("new/untracked.txt", "kept\n")]).unwrap();
    assert_eq!(Tree::parse(&seen.artifacts.lock().unwrap()[&saved[0].tree]).unwrap(), want);
    drop(pod);

    *seen.wish.lock().unwrap() = false;
    *seen.tree.lock().unwrap() = saved[0].tree.clone();
    *seen.resumes.lock().unwrap() = Some(Resumes { transcript: saved[0].transcript.clone() });
    let pod = Pod::start(&url);
    pod.agent("set -e; grep -q begun a.py; grep -q kept new/untracked.txt; cat {golden}/transcript.jsonl")
        .await;
    let results = seen.results.lock().unwrap().clone();
    assert_eq!((results[0].agent_exit_code, results[0].summary.as_str()), (0, "{}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_cannot_be_saved_is_told_and_its_agent_goes_on() {
    let _one = ONE_POD.lock().await;
    let (seen, url) = others().await;
    *seen.wish.lock().unwrap() = true;
    let pod = Pod::start(&url);
    let go = pod.path("workspace/go");
    let watched = Arc::clone(&seen);
    let money = tokio::spawn(async move {
        while watched.not_saved.lock().unwrap().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        std::fs::write(go, "").unwrap();
    });
    pod.agent("ln -s /etc/passwd out; until [ -e go ]; do sleep 0.1; done; rm out go; echo done").await;
    money.await.unwrap();
    let told = seen.not_saved.lock().unwrap().clone();
    assert_eq!(told.len(), 1);
    assert!(told[0].why.contains("/etc/passwd"), "{}", told[0].why);
    assert!(seen.saved.lock().unwrap().is_empty());
    let results = seen.results.lock().unwrap().clone();
    assert_eq!((results[0].agent_exit_code, results[0].summary.as_str()), (0, "done"));
}

#[tokio::test(flavor = "multi_thread")]
async fn work_is_saved_without_its_transcript_if_that_is_not_taken_and_again_after_a_conflict() {
    let _one = ONE_POD.lock().await;
    let (seen, url) = others().await;
    *seen.wish.lock().unwrap() = true;
    *seen.no_transcripts.lock().unwrap() = true;
    seen.refusals.lock().unwrap().push(StatusCode::CONFLICT);
    let pod = Pod::start(&url);
    pod.agent("mkdir -p {golden}/out; echo '{}' > {golden}/out/transcript.jsonl; sleep 300").await;
    let saved = seen.saved.lock().unwrap().clone();
    assert_eq!((saved.len(), saved[0].transcript.as_deref()), (1, None));
    assert!(seen.not_saved.lock().unwrap().is_empty(), "a conflict is no refusal of the work");
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_is_refused_for_good_is_told_as_not_saved() {
    let _one = ONE_POD.lock().await;
    let (seen, url) = others().await;
    *seen.wish.lock().unwrap() = true;
    seen.refusals.lock().unwrap().push(StatusCode::UNPROCESSABLE_ENTITY);
    let pod = Pod::start(&url);
    let go = pod.path("workspace/go");
    let watched = Arc::clone(&seen);
    let money = tokio::spawn(async move {
        while watched.not_saved.lock().unwrap().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        std::fs::write(go, "").unwrap();
    });
    pod.agent("until [ -e go ]; do sleep 0.1; done; echo done").await;
    money.await.unwrap();
    let told = seen.not_saved.lock().unwrap().clone();
    assert_eq!(told.len(), 1);
    assert!(told[0].why.contains("it was refused (400"), "{}", told[0].why);
    assert!(seen.saved.lock().unwrap().is_empty(), "the agent's end is its result");
    assert_eq!(seen.results.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_cannot_name_another_artifact_as_its_transcript() {
    let _one = ONE_POD.lock().await;
    let (seen, url) = others().await;
    let other = seen.tree.lock().unwrap().clone();
    let pod = Pod::start(&url);
    // As the runner does once the agent has ended, said by the agent itself.
    pod.agent(&format!(
        "/usr/bin/busybox wget -q -O - --post-data '' \
         'http://127.0.0.1:8321/golden/result?exit_code=0&summary=s&transcript={other}'; \
         mkdir -p {{golden}}/out; echo '{{}}' > {{golden}}/out/transcript.jsonl"
    ))
    .await;
    let results = seen.results.lock().unwrap().clone();
    assert_eq!((results.len(), results[0].summary.as_str()), (2, "s"), "one by the agent, one by the runner");
    assert_eq!(results[0].transcript, None, "it kept no transcript until then");
    assert!(results[1].transcript.as_ref().is_some_and(|own| *own != other));
}
