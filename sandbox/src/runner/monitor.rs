//! Watching the command until it ends or a limit ends it.

use super::processes::{self, Sample};
use golden_crds::conditions::sandbox_run as reason;
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often processes are counted; a look costs a few system calls per process.
const SAMPLE: Duration = Duration::from_millis(100);
/// How often the end is looked for.
const LOOK: Duration = Duration::from_millis(5);

/// Processes between the runner and the command: inner and init.
const OWN: u64 = 2;

/// What the monitor holds the command to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) timeout: Duration,
    /// Processes and threads.
    pub(super) pids: u64,
}

/// How the command's main process ended, or why it was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Exited(i32),
    Signalled(i32),
    TimedOut,
    TooManyProcesses,
    /// The pod is being deleted.
    Cancelled,
}

/// What was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) end: End,
    pub(super) duration: Duration,
    pub(super) peak_resident_bytes: u64,
}

impl End {
    /// Exit code, reason and words for the report.
    pub(super) fn explain(self, limits: Limits, memory_kill: bool) -> (Option<i32>, &'static str, String) {
        match self {
            Self::Exited(0) => (Some(0), reason::COMPLETED, "the command ended with exit code 0".into()),
            Self::Exited(_) | Self::Signalled(_) if memory_kill => (
                None,
                reason::OUT_OF_MEMORY,
                "a process of the command took more memory than spec.limits.memoryBytes and was killed"
                    .into(),
            ),
            Self::Exited(code) => {
                (Some(code), reason::NON_ZERO_EXIT, format!("the command ended with exit code {code}"))
            }
            Self::Signalled(signal) => {
                (Some(128 + signal), reason::SIGNALLED, format!("the command was ended by signal {signal}"))
            }
            Self::TimedOut => (
                None,
                reason::TIMEOUT,
                format!(
                    "the command was killed after spec.limits.timeoutSeconds, {}",
                    limits.timeout.as_secs()
                ),
            ),
            Self::TooManyProcesses => (
                None,
                reason::TOO_MANY_PROCESSES,
                format!("the command had more processes and threads than spec.limits.pids, {}", limits.pids),
            ),
            Self::Cancelled => (None, reason::CANCELLED, "the pod is being deleted".into()),
        }
    }
}

/// Watches until the main process ends or a limit is passed. Orphans are reaped on the way.
pub(super) fn watch(main: Pid, limits: Limits, stop: &AtomicBool) -> Seen {
    let start = Instant::now();
    let mut next_sample = start;
    let mut peak = Sample::default();
    let end = loop {
        if let Some(end) = processes::reap().map_or(Some(End::Signalled(9)), |ended| main_end(main, &ended)) {
            break end;
        }
        if start.elapsed() >= limits.timeout {
            break End::TimedOut;
        }
        if stop.load(Ordering::Relaxed) {
            break End::Cancelled;
        }
        if Instant::now() >= next_sample {
            let now = processes::sample();
            peak.resident_bytes = peak.resident_bytes.max(now.resident_bytes);
            if now.threads > limits.pids + OWN {
                break End::TooManyProcesses;
            }
            next_sample = Instant::now() + SAMPLE;
        }
        std::thread::sleep(LOOK);
    };
    Seen { end, duration: start.elapsed(), peak_resident_bytes: peak.resident_bytes }
}

fn main_end(main: Pid, ended: &[WaitStatus]) -> Option<End> {
    ended.iter().find_map(|status| match status {
        WaitStatus::Exited(pid, code) if *pid == main => Some(End::Exited(*code)),
        WaitStatus::Signaled(pid, signal, _) if *pid == main => Some(End::Signalled(*signal as i32)),
        _ => None,
    })
}
