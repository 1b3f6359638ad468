//! What people type: `golden submit -w`, the same as `kubectl golden`, and a denial.

use crate::support::tools;
use golden_scenarios::faults::{delete, drill, inline};
use golden_scenarios::stories::{NAMESPACE, task};
use golden_scenarios::tools::{Tools, wait_for};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const DENIED: &str = "adr-denied";
const FOLLOWED: &str = "followed";

/// `kubectl golden …`, with the binary under that name on the PATH.
fn kubectl_golden(tools: &Tools, folder: &std::path::Path, args: &[&str]) -> Child {
    let plugin = folder.join("kubectl-golden");
    if !plugin.exists() {
        std::os::unix::fs::symlink(&tools.golden, &plugin).expect("a link");
    }
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(&tools.kubectl);
    command.arg("golden").args(args).env("PATH", path).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(kubeconfig) = &tools.kubeconfig {
        command.env("KUBECONFIG", kubeconfig);
    }
    command.spawn().expect("kubectl starts")
}

#[test]
fn a_task_is_submitted_followed_and_denied_from_the_command_line() {
    let tools = tools();
    let ours = [("agenttask", DENIED), ("agenttask", FOLLOWED)];
    delete(&tools, NAMESPACE, &ours).expect("what an earlier run left is removed");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let tie = golden_scenarios::install::root().join("examples/tasks/adr-queue.yaml");
    let tie = std::fs::read_to_string(tie)
        .expect("the example")
        .replace("name: adr-queue", &format!("name: {DENIED}"));
    let (tie, work) =
        (write("tie.yaml", tie), write("work.json", drill(FOLLOWED, "core", &inline(), "").to_string()));

    let denied = kubectl_golden(&tools, folder.path(), &["submit", "-f", &tie, "-w"]);
    let followed = tools.golden(&["submit", "-f", &work, "-w"]).expect("0, since it completes");
    assert!(followed.contains("submitted by"), "{followed}");
    assert!(followed.lines().last().is_some_and(|l| l.starts_with("Complete")), "{followed}");

    wait_for("the votes to tie", Duration::from_mins(2), || {
        Ok(task(&tools, DENIED)?["status"]["escalation"]["reason"].as_str().map(drop))
    })
    .unwrap_or_else(|e| panic!("{e:#}"));
    tools
        .golden(&["deny", DENIED, "-n", NAMESPACE, "--as", "bob@example", "--note", "Measure first."])
        .expect("bob may decide");
    let ended = denied.wait_with_output().expect("it ends with its task");
    let said = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "a denied task is no success: {said}");
    assert!(said.contains("EscalationDenied"), "{said}");
    delete(&tools, NAMESPACE, &ours).expect("removed");
}
