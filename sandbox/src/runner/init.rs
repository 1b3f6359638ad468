//! `golden runner init`: pid 1 of the inner pid namespace. Sets the limits, starts the command, reaps what it orphans,
//! and ends with it; the kernel then ends whatever is left in the namespace.

use super::isolate;
use super::notes::{Note, refuse, take_stdin, tell};
use golden_crds::conditions::sandbox_run::{
    COMMAND_NOT_FOUND, CONTAINER_START_FAILED, ISOLATION_UNAVAILABLE,
};
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::process::{Command, ExitCode};

/// Largest file the command may write, in bytes.
const FILE_BYTES: u64 = 1 << 30;
const OPEN_FILES: u64 = 4096;
/// Processes beyond the run's own limit: gVisor counts those of the whole pod by user. The runner ends a command
/// that stays above its own limit; where the user is shared with other pods, it alone does, and the pod's own bound.
const PROCESS_HEADROOM: u64 = 32;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(long)]
    pub pids: u64,
    /// The user is not the run's alone: the kernel's count of its processes is the whole node's.
    #[arg(long)]
    pub shared_user: bool,
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let Ok(mut pipe) = take_stdin() else { return ExitCode::FAILURE };
    isolate::own_proc();
    isolate::hide();
    if let Err(e) = limit(args) {
        return refuse(&mut pipe, ISOLATION_UNAVAILABLE, format!("limits cannot be set: {e}"));
    }
    let [program, arguments @ ..] = args.command.as_slice() else { return ExitCode::FAILURE };
    let child = match Command::new(program).args(arguments).spawn() {
        Ok(child) => child,
        Err(error) => {
            let (reason, words) = not_started(&error);
            let name = program.to_string_lossy();
            return refuse(&mut pipe, reason, format!("{name} {words}: {error}"));
        }
    };
    tell(&mut pipe, &Note::Started);
    let Ok(main) = i32::try_from(child.id()).map(Pid::from_raw) else { return ExitCode::FAILURE };
    loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Exited(pid, code)) if pid == main => {
                return ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX));
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == main => {
                tell(&mut pipe, &Note::Signalled(signal as i32));
                return ExitCode::FAILURE;
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return ExitCode::FAILURE,
        }
    }
}

fn limit(args: &Args) -> nix::Result<()> {
    nix::sys::prctl::set_no_new_privs()?;
    let processes = if args.shared_user { u64::MAX } else { args.pids + PROCESS_HEADROOM };
    for (resource, most) in [
        (Resource::RLIMIT_NPROC, processes),
        (Resource::RLIMIT_FSIZE, FILE_BYTES),
        (Resource::RLIMIT_NOFILE, OPEN_FILES),
        (Resource::RLIMIT_CORE, 0),
    ] {
        let hard = getrlimit(resource)?.1;
        setrlimit(resource, most.min(hard), most.min(hard))?;
    }
    Ok(())
}

fn not_started(error: &std::io::Error) -> (&'static str, &'static str) {
    let missing = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied)
        || error.raw_os_error() == Some(Errno::ENOEXEC as i32);
    if missing {
        (COMMAND_NOT_FOUND, "cannot be executed in this image")
    } else {
        (CONTAINER_START_FAILED, "could not be started")
    }
}
