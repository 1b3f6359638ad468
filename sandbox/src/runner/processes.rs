//! The command's processes: counting them, and ending all of them, whatever they do to get away.
//!
//! Every orphan becomes a child of the runner: it is pid 1 of its container, or, outside of one, a subreaper. So
//! having no child left means that nothing is left.

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long processes may take to die of SIGKILL.
const PATIENCE: Duration = Duration::from_secs(10);

/// One line of `/proc/‹pid›/stat`, as far as it is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) parent: i32,
    pub(super) threads: u64,
    pub(super) resident_pages: u64,
    zombie: bool,
}

/// What the command's processes take together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sample {
    /// Processes and threads.
    pub(super) threads: u64,
    /// Resident memory; pages shared between processes count for each.
    pub(super) resident_bytes: u64,
}

/// Makes orphans of the command children of this process, where it is not pid 1.
pub(super) fn adopt_orphans() -> nix::Result<()> {
    nix::sys::prctl::set_child_subreaper(true)
}

/// Reaps every child that has ended; `None` when there is no child at all.
pub(super) fn reap() -> Option<Vec<WaitStatus>> {
    let mut ended = Vec::new();
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return Some(ended),
            Ok(status) => ended.push(status),
            Err(Errno::EINTR) => {}
            Err(_) if ended.is_empty() => return None,
            Err(_) => return Some(ended),
        }
    }
}

/// Kills and reaps until no process of the command is left. Returns what was reaped, and whether nothing is left.
pub(super) fn end_all() -> (Vec<WaitStatus>, bool) {
    let (start, mut ended) = (Instant::now(), Vec::new());
    loop {
        kill_all();
        match reap() {
            None => return (ended, true),
            Some(more) => ended.extend(more),
        }
        if start.elapsed() > PATIENCE {
            return (ended, false);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn kill_all() {
    if getpid().as_raw() == 1 {
        // Everything else in this pid namespace is the command's. One call, so that no fork escapes it.
        let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
        return;
    }
    for pid in descendants(&table()) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

/// What the command takes now.
pub(super) fn sample() -> Sample {
    let table = table();
    let ours = descendants(&table);
    let page = 4096;
    ours.iter().filter_map(|pid| table.get(pid)).filter(|s| !s.zombie).fold(Sample::default(), |sum, stat| {
        Sample {
            threads: sum.threads + stat.threads,
            resident_bytes: sum.resident_bytes + stat.resident_pages * page,
        }
    })
}

fn table() -> BTreeMap<i32, Stat> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return BTreeMap::new() };
    let pids = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| Some((pid, parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?)))
        .collect()
}

fn descendants(table: &BTreeMap<i32, Stat>) -> BTreeSet<i32> {
    let own = getpid().as_raw();
    let mut found = BTreeSet::new();
    let mut parents = vec![own];
    while let Some(parent) = parents.pop() {
        for (pid, _) in table.iter().filter(|(pid, s)| s.parent == parent && **pid != own) {
            if found.insert(*pid) {
                parents.push(*pid);
            }
        }
    }
    found
}

/// proc(5): the name stands in parentheses and may hold anything, so fields are counted from the last one.
fn parse(line: &str) -> Option<Stat> {
    let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        threads: number(17)?.max(1),
        resident_pages: number(21).unwrap_or(0),
        zombie: matches!(fields.first(), Some(&("Z" | "X"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_cannot_forge_the_fields_behind_it() {
        let line =
            "42 (a) R 1 (b) S 7 42 42 0 -1 4194304 1 0 0 0 1 2 3 4 20 0 5 0 99 1000 321 18446744073709551615";
        let stat = parse(line).unwrap();
        assert_eq!((stat.parent, stat.threads, stat.resident_pages), (7, 5, 321));
        assert_eq!(parse("garbage"), None);
    }

    #[test]
    fn this_process_sees_its_children() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let seen = descendants(&table()).contains(&i32::try_from(child.id()).unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(seen);
    }
}
