//! The machine a figure comes from: without it a figure says nothing.

use serde::Serialize;
use std::fs;

/// What was measured on.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Host {
    pub(crate) cpus: usize,
    pub(crate) cpu: String,
    pub(crate) memory_mb: u64,
    pub(crate) kernel: String,
    /// Processes that wanted a core when the run began: above `cpus` the figures are those of a busy machine.
    pub(crate) load: String,
}

impl Host {
    pub(crate) fn this() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self {
            cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            cpu: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown".into()),
            memory_mb: field(&read("/proc/meminfo"), "MemTotal")
                .and_then(|kb| kb.split_whitespace().next()?.parse::<u64>().ok())
                .map_or(0, |kb| kb / 1024),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: read("/proc/loadavg").split_whitespace().next().unwrap_or("unknown").to_owned(),
        }
    }
}

fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Seconds of CPU that a process and its direct children have used: a Postgres with its backends.
pub(crate) fn family_cpu_s(pid: u32) -> f64 {
    let Ok(entries) = fs::read_dir("/proc") else { return 0.0 };
    let pids = entries.flatten().filter_map(|e| e.file_name().to_string_lossy().parse::<u32>().ok());
    pids.filter_map(stat).filter(|s| s.pid == pid || s.parent == pid).map(|s| s.cpu_s).sum()
}

/// Seconds of CPU that one process has used.
pub(crate) fn cpu_s(pid: u32) -> f64 {
    stat(pid).map_or(0.0, |s| s.cpu_s)
}

/// The most memory that a process and its direct children had resident, in MB (10^6 bytes).
pub(crate) fn family_rss_mb(pid: u32) -> f64 {
    let Ok(entries) = fs::read_dir("/proc") else { return 0.0 };
    let pids = entries.flatten().filter_map(|e| e.file_name().to_string_lossy().parse::<u32>().ok());
    let family = pids.filter_map(stat).filter(|s| s.pid == pid || s.parent == pid);
    family.filter_map(|s| peak_kib(&fs::read_to_string(format!("/proc/{}/status", s.pid)).ok()?)).sum::<f64>()
        * 1024.0
        / 1e6
}

/// `VmHWM` of proc(5), in KiB.
fn peak_kib(status: &str) -> Option<f64> {
    field(status, "VmHWM")?.split_whitespace().next()?.parse::<u32>().ok().map(f64::from)
}

struct Stat {
    pid: u32,
    parent: u32,
    cpu_s: f64,
}

fn stat(pid: u32) -> Option<Stat> {
    parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name in brackets may hold anything, so fields are counted after it (proc(5)).
fn parse(pid: u32, text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u32>().ok()? + fields.get(12)?.parse::<u32>().ok()?;
    let parent = fields.get(1)?.parse().ok()?;
    let per_second = u32::try_from(rustix::param::clock_ticks_per_second()).ok()?;
    Some(Stat { pid, parent, cpu_s: f64::from(ticks) / f64::from(per_second) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_brackets_and_blanks_is_no_field() {
        let line = "7 (post) gres) S 3 7 7 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0 9 9 9";
        let stat = parse(7, line).unwrap();
        assert_eq!(stat.parent, 3);
        assert!(
            (stat.cpu_s * f64::from(u32::try_from(rustix::param::clock_ticks_per_second()).unwrap()) - 200.0)
                .abs()
                < 0.001
        );
    }

    #[test]
    fn the_peak_of_memory_is_read_and_not_the_present_size() {
        let status = "Name:\tx\nVmPeak:\t  900 kB\nVmHWM:\t  20480 kB\nVmRSS:\t  100 kB\n";
        assert!((peak_kib(status).unwrap() - 20480.0).abs() < 0.001);
        assert!(family_rss_mb(std::process::id()) > 1.0);
    }

    #[test]
    fn this_machine_has_cores_and_memory() {
        let host = Host::this();
        assert!(host.cpus > 0 && host.memory_mb > 0, "{host:?}");
    }
}
