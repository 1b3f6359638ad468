//! The programs of a run's pod against the real broker: prepare, upload, and the runner between them.

use crate::world::{World, kubectl};
use golden_crds::SandboxRun;
use golden_platform::auth::Authenticator;
use golden_platform::tree::{self, Tree};
use golden_sandbox::broker::{router, sandbox_run};
use golden_sandbox::build::{BuildContext, output_paths};
use golden_sandbox::report::Report;
use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use kube::{Api, ResourceExt as _};
use std::path::Path;
use std::process::{Child, Command};
use uuid::Uuid;

const RUNNER: &str = env!("CARGO_BIN_EXE_golden-runner");

/// A run with its pod in a real apiserver, and a broker that serves it.
struct Doors {
    world: World,
    url: String,
    tree: String,
    run: SandboxRun,
    pod: Pod,
}

impl Doors {
    async fn new() -> Self {
        let world = World::new().await;
        let tar = Tree::from_files([("a.py", "print('a')\n")]).unwrap().to_tar().unwrap();
        let stored = world.broker.artifacts.put(&world.namespace, world.team, None, tar).await.unwrap();
        let mut request = world.request("unit");
        request.tree.clone_from(&stored.digest);
        let tar = Tree::from_files([("a.py", "print('was')\n")]).unwrap().to_tar().unwrap();
        let base = world.broker.artifacts.put(&world.namespace, world.team, None, tar).await.unwrap();
        request.base = Some(base.digest);
        let mut run = sandbox_run(&request, Uuid::new_v4(), world.team, "golden");
        run.spec.outputs = vec!["out".into()];
        let run = world.runs().create(&PostParams::default(), &run).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = router(world.broker.clone(), Authenticator::kubernetes(world.broker.client.clone()));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let context = BuildContext {
            image_pull_policy: "IfNotPresent".into(),
            golden_image: "golden".into(),
            sandbox_url: Some(url.clone()),
            service_account: "golden-run".into(),
            placement: None,
        };
        let pods: Api<Pod> = Api::namespaced(world.broker.client.clone(), &world.namespace);
        let pod = pods.create(&PostParams::default(), &golden_sandbox::pod(&run, &context)).await.unwrap();
        Self { world, url, tree: stored.digest, run, pod }
    }

    /// A token as the kubelet draws it for a pod.
    fn token(&self, pod: Option<&Pod>) -> String {
        let (name, uid) = pod.map(|p| (p.name_any(), p.uid().unwrap())).unwrap_or_default();
        let mut args =
            vec!["create", "token", "golden-run", "-n", &self.world.namespace, "--audience=golden"];
        let bound = [format!("--bound-object-name={name}"), format!("--bound-object-uid={uid}")];
        if pod.is_some() {
            args.push("--bound-object-kind=Pod");
            args.extend(bound.iter().map(String::as_str));
        }
        kubectl(&args)
    }

    async fn status(&self, token: &str, path: &str) -> u16 {
        let client = golden_platform::http::client().unwrap();
        client.get(format!("{}{path}", self.url)).bearer_auth(token).send().await.unwrap().status().as_u16()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_pod_reads_the_trees_its_run_names_and_nothing_else() {
    let doors = Doors::new().await;
    let other =
        doors.world.broker.artifacts.put(&doors.world.namespace, doors.world.team, None, "x").await.unwrap();
    let token = doors.token(Some(&doors.pod));
    assert_eq!(doors.status(&token, &format!("/v1/artifacts/{}", doors.tree)).await, 200);
    let base = doors.run.spec.base.as_ref().unwrap();
    assert_eq!(doors.status(&token, &format!("/v1/artifacts/{base}")).await, 200);
    assert_eq!(doors.status(&token, &format!("/v1/artifacts/{}", other.digest)).await, 403);
    assert_eq!(doors.status("nonsense", &format!("/v1/artifacts/{}", doors.tree)).await, 401);
    let unbound = doors.token(None);
    assert_eq!(doors.status(&unbound, &format!("/v1/artifacts/{}", doors.tree)).await, 403);

    // A pod of the same account that is no run's.
    let pods: Api<Pod> = Api::namespaced(doors.world.broker.client.clone(), &doors.world.namespace);
    let mut plain = doors.pod.clone();
    plain.metadata = kube::api::ObjectMeta { name: Some("plain".into()), ..Default::default() };
    plain.status = None;
    let plain = pods.create(&PostParams::default(), &plain).await.unwrap();
    let stranger = doors.token(Some(&plain));
    assert_eq!(doors.status(&stranger, &format!("/v1/artifacts/{}", doors.tree)).await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_prepared_run_and_uploaded_by_its_own_programs() {
    let doors = Doors::new().await;
    let home = tempfile::tempdir().unwrap();
    let (url, token, run) = (doors.url.clone(), doors.token(Some(&doors.pod)), doors.run.clone());
    let report =
        tokio::task::spawn_blocking(move || programs(home.path(), &url, &token, &run)).await.unwrap();
    assert_eq!(report.reason, "Completed", "{report:?}");
    let kept: Vec<&str> = report.artifacts.iter().map(|k| k.of.as_str()).collect();
    assert_eq!(kept, ["stdout", "0"]);
    let store = &doors.world.broker.artifacts;
    let stdout = store.get(&doors.world.namespace, &report.artifacts[0].digest).await.unwrap();
    assert_eq!(stdout, "a.py\n");
    let output = store.get(&doors.world.namespace, &report.artifacts[1].digest).await.unwrap();
    assert_eq!(Tree::parse(&output).unwrap().entries().map(|(p, _)| p).collect::<Vec<_>>(), ["made"]);
    let run = doors.pod.spec.as_ref().unwrap().containers.iter().find(|c| c.name == "run").unwrap();
    assert_eq!(output_paths(run), ["out"]);
}

/// What the three containers of the pod do.
fn programs(home: &Path, url: &str, token: &str, run: &SandboxRun) -> Report {
    let path = |name: &str| home.join(name).to_str().unwrap().to_owned();
    for dir in ["bin", "workspace", "base", "tmp"] {
        std::fs::create_dir(home.join(dir)).unwrap();
    }
    std::fs::write(home.join("token"), token).unwrap();
    let start = |args: &[String]| -> Child {
        Command::new(RUNNER).arg("runner").args(args).env("GOLDEN_SANDBOX_URL", url).spawn().unwrap()
    };
    let prepare = [
        "prepare".to_owned(),
        format!("--bin={}", path("bin")),
        format!("--workspace={}", path("workspace")),
        format!("--tree={}", run.spec.workspace.as_deref().unwrap()),
        format!("--base-dir={}", path("base")),
        format!("--base={}", run.spec.base.as_deref().unwrap()),
        format!("--token-file={}", path("token")),
        format!("--termination-log={}", path("prepared")),
    ];
    assert!(start(&prepare).wait().unwrap().success());
    assert_eq!(std::fs::read_to_string(home.join("base/a.py")).unwrap(), "print('was')\n");
    let port = crate::git_server::free_port();
    let upload = [
        "upload".to_owned(),
        format!("--token-file={}", path("token")),
        format!("--listen=127.0.0.1:{port}"),
    ];
    let mut uploader = start(&upload);
    let mut sandbox: Vec<String> = [
        "sandbox",
        "--timeout-seconds=30",
        "--memory-bytes=268435456",
        "--pids=64",
        "--output-bytes=65536",
        "--upload",
        "--output=out",
    ]
    .map(str::to_owned)
    .to_vec();
    sandbox.push(format!("--workspace={}", path("workspace")));
    sandbox.push(format!("--scratch={}", path("tmp")));
    sandbox.push(format!("--termination-log={}", path("log")));
    sandbox.push(format!("--uploader=http://127.0.0.1:{port}"));
    sandbox.extend(["--", "sh", "-c", "ls; mkdir out; echo x > out/made"].map(str::to_owned));
    assert!(start(&sandbox).wait().unwrap().success());
    // The kubelet's signal to a sidecar once the containers have ended.
    let pid = nix::unistd::Pid::from_raw(i32::try_from(uploader.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert!(uploader.wait().unwrap().success(), "a sidecar ends well when it is told to");
    serde_json::from_str(&std::fs::read_to_string(home.join("log")).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_that_is_not_there_is_said_in_the_termination_message() {
    let doors = Doors::new().await;
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("bin")).unwrap();
    std::fs::create_dir(home.path().join("workspace")).unwrap();
    std::fs::write(home.path().join("token"), doors.token(Some(&doors.pod))).unwrap();
    let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let status = Command::new(RUNNER)
        .args(["runner", "prepare", "--sandbox-url", &doors.url, "--bin", &path("bin"), "--workspace"])
        .args([
            path("workspace"),
            "--token-file".into(),
            path("token"),
            "--termination-log".into(),
            path("log"),
        ])
        .args(["--tree", &tree::digest(b"another")])
        .status()
        .unwrap();
    assert!(!status.success());
    let said = std::fs::read_to_string(home.path().join("log")).unwrap();
    let fault = golden_sandbox::report::PrepareFault::parse(&said);
    assert_eq!(fault.reason, "WorkspaceUnavailable", "{said}");
    assert!(fault.message.contains("no business"), "{said}");
}
