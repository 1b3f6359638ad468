//! What runs, for people and programs; and the faults tests cause.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result};
use rustix::process::Signal;
use serde::Serialize;

use crate::layout::Layout;
use crate::pki::Pki;
use crate::supervisor::State;
use crate::{Kubectl, apiserver, tools, up};

/// The cluster at one moment.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    pub running: bool,
    pub node_ready: bool,
    pub kubeconfig: PathBuf,
    pub processes: Vec<Process>,
    /// Version of each tool; `built` says whether it is in the cache.
    pub tools: BTreeMap<String, Tool>,
}

/// One supervised process.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    pub name: String,
    /// None while it waits to be started again.
    pub pid: Option<u32>,
    pub restarts: u32,
    pub uptime_seconds: Option<u64>,
    pub resident_bytes: Option<u64>,
    pub last_exit: Option<String>,
    pub log: PathBuf,
}

#[derive(Debug, Serialize)]
pub struct Tool {
    pub version: String,
    pub built: bool,
}

/// Looks at the cluster without changing it; nothing is built for it.
pub fn status() -> Result<Status> {
    let layout = Layout::open()?;
    let processes = processes(&layout);
    let versions = tools::versions()?;
    let built = versions["kubernetes"].1.is_some();
    let node_ready = !processes.is_empty()
        && built
        && Kubectl::new(&layout.admin_kubeconfig())?.condition("node/golden", "Ready").is_ok();
    Ok(Status {
        running: !processes.is_empty(),
        node_ready,
        kubeconfig: layout.admin_kubeconfig(),
        processes,
        tools: versions
            .into_iter()
            .map(|(name, (version, bin))| (name.to_owned(), Tool { version, built: bin.is_some() }))
            .collect(),
    })
}

/// The administrator's kubeconfig, which reaches the apiserver at 127.0.0.1.
pub fn admin_kubeconfig() -> Result<PathBuf> {
    let path = Layout::open()?.admin_kubeconfig();
    path.is_file().then_some(path).context("there is no cluster: run `cargo xtask cluster up`")
}

/// A kubeconfig for another user of the cluster, by client certificate.
pub fn user_kubeconfig(name: &str, groups: &[&str]) -> Result<PathBuf> {
    let layout = Layout::open()?;
    admin_kubeconfig()?;
    apiserver::user_kubeconfig(layout.root(), &Pki::open(&layout.pki())?, &up::api_url(), name, groups)
}

/// Writes to our objects, pods and jobs with their users, one JSON object a line.
pub fn audit_log() -> Result<PathBuf> {
    Ok(Layout::open()?.audit_log())
}

/// One supervised process as it is now.
pub fn process(name: &str) -> Result<Process> {
    processes(&Layout::open()?)
        .into_iter()
        .find(|process| process.name == name)
        .with_context(|| format!("the cluster runs no process {name}: see `cargo xtask cluster status`"))
}

/// Kills a process on the spot, as a crash does; the supervisor starts it
/// again. Returns the process as it was: a later [`process`] with another pid
/// and one restart more is the repair.
pub fn kill(name: &str) -> Result<Process> {
    let before = process(name)?;
    let state = State::read(&Layout::open()?).context("the cluster is not running")?;
    let running = state.processes.get(name).and_then(|process| process.running);
    running.with_context(|| format!("{name} is not running right now"))?.signal(Signal::KILL);
    Ok(before)
}

fn processes(layout: &Layout) -> Vec<Process> {
    let Some(state) = State::read(layout) else { return Vec::new() };
    state
        .processes
        .into_iter()
        .map(|(name, process)| Process {
            log: layout.log(&name),
            pid: process.running.map(|running| running.pid),
            restarts: process.restarts,
            uptime_seconds: process.running.and_then(crate::procfs::Identity::uptime),
            resident_bytes: process.running.and_then(crate::procfs::Identity::resident),
            last_exit: process.last_exit,
            name,
        })
        .collect()
}

impl Status {
    /// A table for people.
    pub fn table(&self) -> String {
        let mut out = String::new();
        if !self.running {
            return "no cluster is running: `cargo xtask cluster up` starts one\n".to_owned();
        }
        let _ =
            writeln!(out, "{:<26}{:>8}{:>10}{:>10}{:>10}", "PROCESS", "PID", "UPTIME", "MEMORY", "RESTARTS");
        for process in &self.processes {
            let pid = process.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
            let uptime = process.uptime_seconds.map_or_else(|| "-".to_owned(), age);
            let memory =
                process.resident_bytes.map_or_else(|| "-".to_owned(), |bytes| format!("{} MB", bytes >> 20));
            let _ =
                writeln!(out, "{:<26}{pid:>8}{uptime:>10}{memory:>10}{:>10}", process.name, process.restarts);
        }
        let _ = writeln!(out, "\nnode        {}", if self.node_ready { "Ready" } else { "NOT ready" });
        let _ = writeln!(out, "kubeconfig  {}", self.kubeconfig.display());
        let tools: Vec<String> =
            self.tools.iter().map(|(name, tool)| format!("{name} {}", tool.version)).collect();
        let _ = writeln!(out, "tools       {}", tools.join(", "));
        out
    }
}

fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{}s", seconds / 60, seconds % 60),
        _ => format!("{}h{}m", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        assert_eq!([age(5), age(125), age(7260)], ["5s", "2m5s", "2h1m"]);
    }
}
