//! What a run took. A container's own cgroup knows best; where it cannot be read (gVisor), the kernel's account of
//! ended children and the samples of running ones are used. A guest's view may say more than the host counts.

use nix::sys::resource::{UsageWho, getrusage};
use std::fs;

/// The cgroup's figures at one moment. Only pid 1 of a container may take them for its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cgroup {
    pub(super) peak_memory_bytes: Option<i64>,
    /// Processes killed for want of memory.
    pub(super) memory_kills: Option<i64>,
}

impl Cgroup {
    pub(super) fn read() -> Self {
        if nix::unistd::getpid().as_raw() != 1 {
            return Self::default();
        }
        let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse().ok();
        let kills = |path: &str| keyed(&fs::read_to_string(path).ok()?, "oom_kill");
        Self {
            peak_memory_bytes: number("/sys/fs/cgroup/memory.peak")
                .or_else(|| number("/sys/fs/cgroup/memory/memory.max_usage_in_bytes")),
            memory_kills: kills("/sys/fs/cgroup/memory.events")
                .or_else(|| kills("/sys/fs/cgroup/memory/memory.oom_control")),
        }
    }

    /// Whether a process was killed for want of memory since `before`.
    pub(super) fn killed_since(&self, before: &Self) -> bool {
        self.memory_kills.unwrap_or(0) > before.memory_kills.unwrap_or(0)
    }
}

/// CPU time of all ended children and their ended descendants, and the largest of them.
pub(super) fn of_children() -> (i64, i64) {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_CHILDREN) else { return (0, 0) };
    let millis = |t: nix::sys::time::TimeVal| t.tv_sec() * 1000 + t.tv_usec() / 1000;
    (millis(usage.user_time()) + millis(usage.system_time()), usage.max_rss() * 1024)
}

fn keyed(table: &str, key: &str) -> Option<i64> {
    table.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_kills_are_found_in_both_versions_of_cgroups() {
        assert_eq!(keyed("low 0\noom 3\noom_kill 2\noom_group_kill 1\n", "oom_kill"), Some(2));
        assert_eq!(keyed("oom_kill_disable 0\nunder_oom 0\noom_kill 5\n", "oom_kill"), Some(5));
    }
}
