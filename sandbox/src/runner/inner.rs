//! `golden runner inner`: builds the isolation around itself, sets the limits, and becomes the command.
//!
//! Its standard input is a pipe to the runner. What goes wrong before the command runs is written there; that the
//! command runs closes it. Nothing the command writes can be taken for either.

use super::isolate;
use golden_crds::conditions::sandbox_run::{
    COMMAND_NOT_FOUND, CONTAINER_START_FAILED, ISOLATION_UNAVAILABLE,
};
use nix::sys::resource::{Resource, setrlimit};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::ExitCode;

/// Largest file the command may write, in bytes.
const FILE_BYTES: u64 = 1 << 30;
const OPEN_FILES: u64 = 4096;
/// Processes beyond the run's own limit: gVisor counts those of the whole pod by user. The runner ends a command
/// that stays above its own limit.
pub(super) const PROCESS_HEADROOM: u64 = 32;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(long)]
    pub pids: u64,
    #[arg(long)]
    pub allow_pod_network: bool,
    #[arg(last = true, required = true)]
    pub command: Vec<std::ffi::OsString>,
}

/// What the runner reads before the command runs; nothing if all went well.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Note {
    /// It does not run.
    Fault { reason: String, message: String },
    /// It runs, but reaches the pod's network.
    PodNetwork,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let Ok(mut pipe) = take_stdin() else { return ExitCode::FAILURE };
    match isolated(args, &mut pipe) {
        Ok(()) => {}
        Err((reason, message)) => return refuse(&mut pipe, reason, message),
    }
    let [program, arguments @ ..] = args.command.as_slice() else { return ExitCode::FAILURE };
    let error = std::process::Command::new(program).args(arguments).exec();
    let name = program.to_string_lossy();
    let known = [std::io::ErrorKind::NotFound, std::io::ErrorKind::PermissionDenied];
    if known.contains(&error.kind()) || error.raw_os_error() == Some(nix::errno::Errno::ENOEXEC as i32) {
        return refuse(
            &mut pipe,
            COMMAND_NOT_FOUND,
            format!("{name} cannot be executed in this image: {error}"),
        );
    }
    refuse(&mut pipe, CONTAINER_START_FAILED, format!("{name} could not be started: {error}"))
}

fn isolated(args: &Args, pipe: &mut File) -> Result<(), (&'static str, String)> {
    let limits = |e: nix::errno::Errno| (ISOLATION_UNAVAILABLE, format!("limits cannot be set: {e}"));
    nix::unistd::setsid().map_err(limits)?;
    match isolate::enter() {
        Ok(()) => {}
        Err(_) if args.allow_pod_network => tell(pipe, &Note::PodNetwork),
        Err(fault) => return Err((ISOLATION_UNAVAILABLE, fault.to_string())),
    }
    nix::sys::prctl::set_no_new_privs().map_err(limits)?;
    let processes = args.pids + PROCESS_HEADROOM;
    for (resource, most) in [
        (Resource::RLIMIT_NPROC, processes),
        (Resource::RLIMIT_FSIZE, FILE_BYTES),
        (Resource::RLIMIT_NOFILE, OPEN_FILES),
        (Resource::RLIMIT_CORE, 0),
    ] {
        let hard = nix::sys::resource::getrlimit(resource).map_err(limits)?.1;
        setrlimit(resource, most.min(hard), most.min(hard)).map_err(limits)?;
    }
    Ok(())
}

/// The pipe, out of the command's reach: closed when it starts, with nothing in its place.
fn take_stdin() -> std::io::Result<File> {
    let pipe = std::io::stdin().as_fd().try_clone_to_owned()?;
    nix::unistd::dup2_stdin(File::open("/dev/null")?)?;
    Ok(File::from(pipe))
}

fn refuse(pipe: &mut File, reason: &str, message: String) -> ExitCode {
    tell(pipe, &Note::Fault { reason: reason.into(), message });
    ExitCode::FAILURE
}

fn tell(pipe: &mut File, note: &Note) {
    let text = serde_json::to_string(note).unwrap_or_default();
    // If the runner is gone there is nobody to tell.
    let _ = writeln!(pipe, "{text}");
}
