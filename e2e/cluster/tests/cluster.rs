//! The cluster's promises, on the real thing. One test, because there is one
//! machine: it goes up, is used and broken, and goes down.
//!
//! Run by `cargo xtask test`; by hand: `cargo test -p golden-cluster --test cluster`.
//! A cluster that runs already is taken down first.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use golden_cluster::Kubectl;
use golden_cluster::images::{self, File};
use serde_json::{Value, json};

#[test]
fn the_cluster_runs_gvisor_pods_repairs_itself_and_leaves_nothing_behind() -> Result<()> {
    let earlier = golden_cluster::down()?;
    ensure!(earlier.total() == 0, "an earlier cluster left something behind: {earlier:#?}");
    let supervisor = Command::new(env!("CARGO_BIN_EXE_golden-supervisor"));
    let kubeconfig = golden_cluster::up(&supervisor)?;
    let kubectl = Kubectl::new(&kubeconfig)?;

    up_again_changes_nothing(&supervisor)?;
    gvisor_pods_see_gvisors_kernel_and_find_services_by_name(&kubectl)?;
    users_are_who_they_say(&kubectl)?;
    claims_are_bound(&kubectl)?;
    writes_are_audited_with_their_user()?;
    a_killed_process_comes_back("kubelet", &kubectl)?;
    a_killed_process_comes_back("kube-apiserver", &kubectl)?;

    // Somebody else's link: the count must see it, or its zero would mean nothing.
    run("ip", &["link", "add", "stray0", "type", "bridge"])?;
    // And with a cache that knows nothing of this cluster: there is one on a machine, wherever its files are.
    let left = golden_cluster::down_from(&std::env::temp_dir().join("golden-other-cache"))?;
    run("ip", &["link", "delete", "stray0"])?;
    ensure!(left.links == ["stray0"] && left.total() == 1, "left behind: {left:#?}");
    ensure!(!golden_cluster::status()?.running);
    Ok(())
}

fn run(program: &str, args: &[&str]) -> Result<()> {
    let status = Command::new(program).args(args).status()?;
    ensure!(status.success(), "{program} {args:?} failed: {status}");
    Ok(())
}

fn up_again_changes_nothing(supervisor: &Command) -> Result<()> {
    let pids =
        || -> Result<Vec<_>> { Ok(golden_cluster::status()?.processes.iter().map(|p| p.pid).collect()) };
    let before = pids()?;
    let begun = Instant::now();
    golden_cluster::up(supervisor)?;
    println!("up again took {:?}", begun.elapsed());
    ensure!(pids()? == before, "a second `up` restarted something");
    Ok(())
}

fn gvisor_pods_see_gvisors_kernel_and_find_services_by_name(kubectl: &Kubectl) -> Result<()> {
    let image = images::busybox()?.load()?;
    let page = [File::text("/pages/index.html", "hello\n")];
    let server = images::busybox()?.layer("greeter", &page)?.load()?;
    kubectl.apply(&pod("server", &server, None, "exec httpd -f -p 8080 -h /pages"))?;
    kubectl.apply(
        &json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": { "name": "greeter" },
            "spec": { "selector": { "app": "server" }, "ports": [{ "port": 80, "targetPort": 8080 }] }
        })
        .to_string(),
    )?;
    eventually("the server pod", || kubectl.condition("pod/server", "Ready"))?;
    let script = "cat /proc/version; \
        for n in 1 2 3 4 5 6 7 8 9 10; do wget -q -O - http://greeter.default.svc.cluster.local && break; sleep 1; done";
    for (name, runtime) in [("plain", None), ("sandboxed", Some("gvisor"))] {
        kubectl.apply(&pod(name, &image, runtime, script))?;
        eventually(name, || {
            let phase = kubectl.run(&["get", "pod", name, "-o", "jsonpath={.status.phase}"])?;
            ensure!(phase == "Succeeded", "its phase is {phase}");
            Ok(())
        })?;
        let said = kubectl.run(&["logs", name])?;
        ensure!(said.contains("gvisor") == runtime.is_some(), "{name} runs on the wrong kernel: {said}");
        ensure!(said.contains("hello"), "{name} did not reach the service by its name: {said}");
    }
    kubectl.run(&["exec", "server", "--", "id"]).map(drop)
}

fn users_are_who_they_say(kubectl: &Kubectl) -> Result<()> {
    let alice = Kubectl::new(&golden_cluster::user_kubeconfig("alice", &["reviewers"])?)?;
    ensure!(alice.run(&["get", "pods"]).is_err(), "a user without rights read pods");
    kubectl.run(&["create", "clusterrolebinding", "reviewers", "--clusterrole=edit", "--group=reviewers"])?;
    eventually("alice's rights", || alice.run(&["get", "pods"]).map(drop))?;
    alice.run(&["delete", "pod", "plain", "--wait=false"]).map(drop)
}

fn claims_are_bound(kubectl: &Kubectl) -> Result<()> {
    let image = images::busybox()?.reference();
    kubectl.apply(
        &json!({
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": { "name": "data" },
            "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } }
        })
        .to_string(),
    )?;
    let mut writer: Value = serde_json::from_str(&pod(
        "writer",
        &image,
        Some("gvisor"),
        "id; echo kept >/data/file && sleep 3600",
    ))?;
    writer["spec"]["securityContext"]["fsGroup"] = json!(65532);
    writer["spec"]["volumes"] = json!([{ "name": "data", "persistentVolumeClaim": { "claimName": "data" } }]);
    writer["spec"]["containers"][0]["volumeMounts"] = json!([{ "name": "data", "mountPath": "/data" }]);
    writer["spec"]["containers"][0]["readinessProbe"] =
        json!({ "exec": { "command": ["cat", "/data/file"] }, "periodSeconds": 1 });
    kubectl.apply(&writer.to_string())?;
    eventually("a pod with a claim", || kubectl.condition("pod/writer", "Ready"))
}

fn writes_are_audited_with_their_user() -> Result<()> {
    eventually("alice's deletion in the audit log", || {
        let log = std::fs::read_to_string(golden_cluster::audit_log()?)?;
        let seen = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).any(|entry| {
            entry["user"]["username"] == "alice"
                && entry["verb"] == "delete"
                && entry["objectRef"]["name"] == "plain"
        });
        ensure!(seen, "it is not there");
        Ok(())
    })
}

fn a_killed_process_comes_back(name: &str, kubectl: &Kubectl) -> Result<()> {
    let killed = golden_cluster::kill(name)?;
    eventually(&format!("another {name}"), || {
        let now = golden_cluster::process(name)?;
        ensure!(now.pid.is_some() && now.pid != killed.pid, "still {now:?}");
        ensure!(
            now.restarts == killed.restarts + 1,
            "{} restarts instead of one",
            now.restarts - killed.restarts
        );
        kubectl.ready()?;
        kubectl.condition("node/golden", "Ready")
    })
}

fn pod(name: &str, image: &str, runtime: Option<&str>, script: &str) -> String {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name, "labels": { "app": name } },
        "spec": {
            "runtimeClassName": runtime,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "securityContext": { "runAsUser": 65532, "runAsGroup": 65532, "runAsNonRoot": true },
            "containers": [{
                "name": "main",
                "image": image,
                "command": ["sh", "-c", script],
                "resources": { "requests": { "cpu": "10m", "memory": "16Mi" }, "limits": { "memory": "128Mi" } }
            }]
        }
    })
    .to_string()
}

fn eventually(what: &str, mut holds: impl FnMut() -> Result<()>) -> Result<()> {
    let begun = Instant::now();
    loop {
        let Err(error) = holds() else { return Ok(()) };
        if begun.elapsed() > Duration::from_secs(60) {
            return Err(error).with_context(|| format!("waited a minute for {what}"));
        }
        thread::sleep(Duration::from_millis(200));
    }
}
