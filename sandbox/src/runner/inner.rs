//! `golden runner inner`: moves into the inner isolation and starts [`super::init`] there.
//!
//! Its standard input is the pipe for [`super::notes`]. It stays behind as the parent, since a new pid namespace
//! begins with a child.

use super::notes::{Note, refuse, take_stdin, tell};
use super::{filter, isolate};
use golden_crds::conditions::sandbox_run::{CONTAINER_START_FAILED, ISOLATION_UNAVAILABLE};
use std::ffi::OsString;
use std::fs::File;
use std::process::{Command, ExitCode};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(long)]
    pub pids: u64,
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let Ok(mut pipe) = take_stdin() else { return ExitCode::FAILURE };
    if let Err(e) = nix::unistd::setsid() {
        return refuse(&mut pipe, ISOLATION_UNAVAILABLE, format!("a session of its own cannot be made: {e}"));
    }
    let mut filtered = false;
    match isolate::enter() {
        Ok(()) => isolate::keep_mount_right(),
        // Nothing has been entered: the filter stands in.
        Err(fault @ isolate::Fault::Unshare(_)) => match filter::close_network() {
            Ok(()) => {
                filtered = true;
                tell(&mut pipe, &Note::Filtered);
            }
            Err(also) => return refuse(&mut pipe, ISOLATION_UNAVAILABLE, format!("{fault}; {also}")),
        },
        Err(fault) => return refuse(&mut pipe, ISOLATION_UNAVAILABLE, fault.to_string()),
    }
    isolate::hide();
    match init(args, filtered, &pipe) {
        Ok(code) => code,
        Err(e) => refuse(&mut pipe, CONTAINER_START_FAILED, format!("the inner init cannot be started: {e}")),
    }
}

/// Runs the init to its end and ends as it does.
fn init(args: &Args, filtered: bool, pipe: &File) -> std::io::Result<ExitCode> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["runner", "init", &format!("--pids={}", args.pids)]);
    if filtered {
        command.arg("--shared-user");
    }
    command.arg("--").args(&args.command);
    let mut child = command.stdin(pipe.try_clone()?).spawn()?;
    let code = child.wait()?.code().and_then(|code| u8::try_from(code).ok());
    // Killed, and its namespace with it: it has not said how the command ended, so that counts as killed too.
    Ok(code.map_or_else(killed, ExitCode::from))
}

fn killed() -> ExitCode {
    let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
    ExitCode::FAILURE
}
