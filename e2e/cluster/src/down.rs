//! Taking the cluster down without a trace.
//!
//! The order matters. Killing containerd first would leave shims, sandboxes,
//! mounts and network links behind; leaving the kubelet would start pods
//! again. So: everything but containerd ends, then its tasks, then containerd,
//! then what the network plugins and kube-proxy left in the kernel.

use std::fs::{self, File};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::host::{self, Host, Leftovers};
use crate::images::ctr;
use crate::layout::Layout;
use crate::processes::Spec;
use crate::supervisor::State;
use crate::{clean, config, paths, progress, run};

const PATIENCE: Duration = Duration::from_mins(1);

/// Takes the machine's cluster down and counts what is left, which should be
/// nothing. Tools and images stay in the cache.
pub fn down() -> Result<Leftovers> {
    down_from(&paths::cache()?)
}

/// [`down`] for a command with this cache: a cluster that was started with
/// another one is taken down too, since the machine has room for one only.
pub fn down_from(cache: &Path) -> Result<Leftovers> {
    let layout = Layout::of(cache)?;
    if let Some(other) = layout.elsewhere() {
        progress::note(&format!("the cluster was started with GOLDEN_CACHE={}", other.cache().display()));
        let left = remove_alone(&other)?;
        if left.total() > 0 {
            return Ok(left);
        }
    }
    if layout.root().exists() { remove_alone(&layout) } else { host::leftovers(&layout, &Host::look()?) }
}

fn remove_alone(layout: &Layout) -> Result<Leftovers> {
    let _alone = lock(layout)?;
    remove(layout)
}

/// Removes everything that any command put into the cache. Only after [`down`].
pub fn purge() -> Result<()> {
    let cache = paths::cache()?;
    for folder in paths::all()? {
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
    }
    progress::note(&format!("removed everything of Golden in {}", cache.display()));
    Ok(())
}

/// One command at a time changes the cluster.
pub(crate) fn lock(layout: &Layout) -> Result<File> {
    let path = layout.lock();
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    if file.try_lock().is_err() {
        progress::note("another command is changing the cluster: waiting for it");
        file.lock()?;
    }
    Ok(file)
}

pub(crate) fn remove(layout: &Layout) -> Result<Leftovers> {
    // Without a first look, what is there now counts as having been there:
    // removing a stranger's rules would be worse than leaving ours.
    let before = Host::before(layout).map_or_else(Host::look, Ok)?;
    if let Some(state) = State::read(layout) {
        progress::step("stopping Kubernetes", || keep_containerd_only(layout, &state))?;
        progress::step("ending the pods' containers", || {
            end_tasks(layout);
            Ok(())
        })?;
        progress::step("stopping containerd", || end_supervisor(&state))?;
    }
    progress::step("removing mounts, links, rules and control groups", || clean::machine(layout, &before))?;
    let left = host::leftovers(layout, &before)?;
    if left.mounts.is_empty() && left.processes.is_empty() {
        // Records of sandboxes that no longer exist.
        let _ = fs::remove_dir_all(layout.images.join("io.containerd.grpc.v1.cri"));
        fs::remove_dir_all(layout.root())
            .with_context(|| format!("cannot remove {}", layout.root().display()))?;
        layout.leave_machine();
    }
    Ok(left)
}

fn keep_containerd_only(layout: &Layout, state: &State) -> Result<()> {
    let specs: Vec<Spec> = serde_json::from_slice(&fs::read(layout.specs())?)?;
    let kept: Vec<&Spec> = specs.iter().filter(|spec| spec.name == "containerd").collect();
    config::write(&layout.specs(), &serde_json::to_string_pretty(&kept)?)?;
    state.supervisor.signal(Signal::HUP);
    until("Kubernetes has not stopped", || {
        State::read(layout).is_none_or(|state| state.processes.keys().all(|name| name == "containerd"))
    })
}

/// Ends every container through containerd, so that its shims unmount and
/// leave. What resists is dealt with later, by force.
fn end_tasks(layout: &Layout) {
    let list = |kind: &str| -> Vec<String> {
        let listing = run::output(ctr(layout).args([kind, "ls", "-q"])).unwrap_or_default();
        listing.lines().map(str::to_owned).collect()
    };
    let begun = Instant::now();
    loop {
        let tasks = list("tasks");
        if tasks.is_empty() || begun.elapsed() > Duration::from_secs(20) {
            break;
        }
        let _ = run::run(ctr(layout).args(["tasks", "rm", "--force"]).args(tasks));
    }
    let containers = list("containers");
    if !containers.is_empty() {
        let _ = run::run(ctr(layout).args(["containers", "rm"]).args(containers));
    }
}

fn end_supervisor(state: &State) -> Result<()> {
    state.supervisor.signal(Signal::TERM);
    until("the supervisor has not ended", || !state.supervisor.alive())
}

fn until(otherwise: &str, done: impl Fn() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !done() {
        if begun.elapsed() > PATIENCE {
            bail!("{otherwise} after {PATIENCE:?}");
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
