//! Ending what an agent left running in its container, and stopping it for a while.

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};
use std::time::{Duration, Instant};

/// How long processes may take to die of SIGKILL.
const PATIENCE: Duration = Duration::from_secs(5);

/// Lets the agent and what it started stand still.
pub(crate) fn stop(agent: Pid) {
    let _ = kill(all_of(agent), Signal::SIGSTOP);
}

/// Lets them go on.
pub(crate) fn go_on(agent: Pid) {
    let _ = kill(all_of(agent), Signal::SIGCONT);
}

/// Ends them.
pub(crate) fn end_with(agent: Pid) {
    let _ = kill(all_of(agent), Signal::SIGKILL);
    end();
}

/// All other processes of the container; where this process is not its pid 1, those of the agent's process group.
fn all_of(agent: Pid) -> Pid {
    if getpid().as_raw() == 1 { Pid::from_raw(-1) } else { Pid::from_raw(-agent.as_raw()) }
}

/// Kills and reaps all other processes of the container. Only where this process is its pid 1: elsewhere "all others"
/// are not the agent's.
pub(crate) fn end() {
    if getpid().as_raw() != 1 {
        return;
    }
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Err(Errno::ECHILD) => return,
            Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_millis(2)),
            _ => {}
        }
    }
}
