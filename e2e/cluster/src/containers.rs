//! Containers of the local cluster as processes of this machine, so that tests can end or freeze them as a crash
//! does: without kubelet's grace, without a signal the process could answer.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use crate::layout::Layout;
use crate::procfs::Identity;
use crate::run;

/// The first process of a container. With gVisor it is the sandbox, which all containers of the pod share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainerProcess(Identity);

impl ContainerProcess {
    /// Finds it by the container's id, with or without `containerd://`.
    pub fn find(id: &str) -> Result<Self> {
        let id = plain(id);
        let listed = run::output(ctr()?.args(["tasks", "ls"]))?;
        let pid =
            pid_of(&listed, id).with_context(|| format!("container {id} does not run on this machine"))?;
        let identity =
            Identity::of(pid).with_context(|| format!("process {pid} of container {id} is gone"))?;
        Ok(Self(identity))
    }

    pub fn pid(self) -> u32 {
        self.0.pid
    }

    pub fn alive(self) -> bool {
        self.0.alive()
    }

    /// Kills it on the spot.
    pub fn kill(self) -> Result<()> {
        ensure!(self.alive(), "process {} is gone already", self.pid());
        self.0.signal(Signal::KILL);
        Ok(())
    }

    /// Freezes it: its connections stay, and nobody answers on them.
    pub fn freeze(self) {
        self.0.signal(Signal::STOP);
    }

    /// Lets a frozen one go on.
    pub fn thaw(self) {
        self.0.signal(Signal::CONT);
    }
}

/// Kills the first process of one container inside a gVisor sandbox, which is no process of the host.
pub fn kill_inside(id: &str) -> Result<()> {
    run::run(ctr()?.args(["tasks", "kill", "--signal", "SIGKILL", plain(id)]))
}

fn plain(id: &str) -> &str {
    id.trim_start_matches("containerd://")
}

fn ctr() -> Result<Command> {
    let mut command = Command::new("ctr");
    command.arg("--address").arg(Layout::open()?.containerd_socket()).args(["--namespace", "k8s.io"]);
    Ok(command)
}

/// Reads `TASK PID STATUS` lines.
fn pid_of(listed: &str, id: &str) -> Option<u32> {
    listed.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == id).then(|| words.next()?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_id_counts() {
        let listed =
            "TASK    PID     STATUS\nabc1    11    RUNNING\nabc     12    RUNNING\nx    -    STOPPED\n";
        assert_eq!(
            [pid_of(listed, "abc"), pid_of(listed, "x"), pid_of(listed, "ab")],
            [Some(12), None, None]
        );
    }
}
