//! Processes as the kernel shows them.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

/// A process that cannot be mistaken for a later one with the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    /// Kernel clock ticks between boot and the process's start.
    pub(crate) started: u64,
}

impl Identity {
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (started, state) = parse(&stat)?;
        (state != 'Z').then_some(Self { pid, started })
    }

    pub(crate) fn alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Signals this process, and never another one that took over its number.
    pub(crate) fn signal(self, signal: Signal) {
        if self.alive() {
            send(self.pid, signal);
        }
    }

    /// Resident memory in bytes.
    pub(crate) fn resident(self) -> Option<u64> {
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.pid)).ok()?;
        let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
        Some(pages * rustix::param::page_size() as u64)
    }

    /// How long it has run, in seconds.
    pub(crate) fn uptime(self) -> Option<u64> {
        let uptime = fs::read_to_string("/proc/uptime").ok()?;
        let now: u64 = uptime.split('.').next()?.parse().ok()?;
        Some(now.saturating_sub(self.started / rustix::param::clock_ticks_per_second()))
    }
}

pub(crate) fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// Processes whose program has one of these names (or starts with `prefix-`
/// for a name that ends in `-`) and whose command line mentions the folder.
/// Editors and clients that merely look at the folder are not meant.
pub(crate) fn of_programs(names: &[&str], folder: &Path) -> Vec<(Identity, String)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|pid| {
            let raw = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let line = String::from_utf8_lossy(&raw).replace('\0', " ").trim().to_owned();
            let ours = is_program(&line, names) && line.contains(&folder.display().to_string());
            ours.then(|| Some((Identity::of(pid)?, line)))?
        })
        .collect()
}

fn is_program(line: &str, names: &[&str]) -> bool {
    let program = line.split(' ').next().unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or_default();
    names.iter().any(|name| if name.ends_with('-') { program.starts_with(name) } else { program == *name })
}

/// Start time and state; the name in parentheses may hold anything, so fields
/// are counted from its end.
fn parse(stat: &str) -> Option<(u64, char)> {
    let rest = &stat[stat.rfind(')')? + 1..];
    let mut fields = rest.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((fields.nth(18)?.parse().ok()?, state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_shifts_nothing() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9876 1 2";
        assert_eq!(parse(stat), Some((9876, 'S')));
    }

    #[test]
    fn onlookers_are_not_taken_for_servers() {
        let names = ["containerd-shim-", "kubelet"];
        assert!(is_program("/x/containerd-shim-runsc-v1 -address /c/s", &names));
        assert!(is_program("/tools/kubelet --root-dir=/c/kubelet", &names));
        assert!(!is_program("tail -f /c/log/kubelet", &names));
        assert!(!is_program("kubelet-viewer /c", &names));
    }

    #[test]
    fn a_recycled_number_is_another_process() {
        let me = Identity::of(std::process::id()).unwrap();
        assert!(me.alive());
        assert!(!Identity { started: me.started + 1, ..me }.alive());
    }
}
