//! `golden runner sandbox`: pid 1 of a run's container.
//!
//! Starts the command behind [`super::inner`] and [`super::init`], holds it to its limits, ends everything it left, keeps its outputs and
//! reports in the termination message. It ends with 0 whenever it has reported: the command's own exit code is in the
//! report, and an exit code of the container would say less.

use super::capture::{Capture, Tail};
use super::measure::{Cgroup, of_children};
use super::monitor::{End, Limits, Seen, watch};
use super::notes::{self, Note};
use super::processes;
use super::upload::client::{Uploaded, upload};
use crate::report::{MAX_TAIL_BYTES, Report, last_bytes};
use anyhow::Context;
use golden_crds::conditions::sandbox_run as reason;
use nix::unistd::Pid;
use std::io::{BufReader, PipeReader};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[arg(long)]
    pub timeout_seconds: u64,
    #[arg(long)]
    pub memory_bytes: u64,
    #[arg(long)]
    pub pids: u64,
    /// Bytes of each of stdout and stderr that are kept.
    #[arg(long)]
    pub output_bytes: u64,
    /// Path under the workspace to keep; repeatable.
    #[arg(long)]
    pub output: Vec<String>,
    /// NAME=VALUE for the command's environment; repeatable.
    #[arg(long)]
    pub env: Vec<String>,
    /// Hand outputs to the uploader of this pod.
    #[arg(long)]
    pub upload: bool,
    #[arg(long, default_value = "/workspace")]
    pub workspace: PathBuf,
    /// Where the kept output lies, without a name, while the command runs.
    #[arg(long, default_value = "/tmp")]
    pub scratch: PathBuf,
    #[arg(long, default_value = "/dev/termination-log")]
    pub termination_log: PathBuf,
    #[arg(long, default_value = "http://127.0.0.1:8322")]
    pub uploader: String,
    #[arg(last = true, required = true)]
    pub command: Vec<String>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGTERM, Arc::clone(&stop))?;
    // The command has the same user: it must be able to neither trace this process nor read its memory.
    nix::sys::prctl::set_dumpable(false)?;
    processes::adopt_orphans()?;
    let report = held(args, &stop).unwrap_or_else(|error| {
        processes::end_all();
        Report::not_run(
            reason::CONTAINER_START_FAILED,
            format!("the command could not be started: {error:#}"),
        )
    });
    std::fs::write(&args.termination_log, report.to_message())
        .with_context(|| format!("cannot write the report to {}", args.termination_log.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn held(args: &Args, stop: &AtomicBool) -> anyhow::Result<Report> {
    let before = Cgroup::read();
    let mut started = match start(args)? {
        Ok(started) => started,
        Err(report) => return Ok(*report),
    };
    let limits = Limits { timeout: Duration::from_secs(args.timeout_seconds), pids: args.pids };
    let seen = watch(started.main, limits, stop);
    let (_, gone) = processes::end_all();
    anyhow::ensure!(gone, "processes of the command could not be killed");
    wait_for_ends(&started.streams);
    let after = Cgroup::read();
    let (exit_code, reason, message) =
        ended(seen.end, &mut started.told).explain(limits, after.killed_since(&before));
    let mut report = Report::not_run(reason, message);
    report.exit_code = exit_code;
    report.filtered = started.filtered;
    account(&mut report, &seen, &after);
    keep(args, &mut report, &started.streams);
    Ok(report)
}

struct Started {
    main: Pid,
    /// stdout, stderr.
    streams: [Capture; 2],
    filtered: bool,
    /// What the inner programs still have to say.
    told: BufReader<PipeReader>,
}

fn start(args: &Args) -> anyhow::Result<Result<Started, Box<Report>>> {
    let [stdout, stderr] = ["stdout", "stderr"].map(|name| Tail::new(&args.scratch, name, args.output_bytes));
    let (stdout, stderr) = (stdout.context("no room for stdout")?, stderr.context("no room for stderr")?);
    let (told, tell) = std::io::pipe()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["runner", "inner"]).arg(format!("--pids={}", args.pids));
    command.arg("--").args(&args.command).current_dir(&args.workspace).env_clear();
    command.envs(environment(std::env::vars_os(), &args.env));
    command.stdin(tell).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot start the inner runner")?;
    // The writing end lives in `command`: while it is open here, the pipe never ends.
    drop(command);
    let mut told = BufReader::new(told);
    let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
        anyhow::bail!("the command has no output streams");
    };
    let filtered = match until_started(&mut told) {
        Ok(filtered) => filtered,
        Err(report) => {
            processes::end_all();
            return Ok(Err(report));
        }
    };
    let main = Pid::from_raw(i32::try_from(child.id())?);
    let streams = [Capture::start(out, stdout), Capture::start(err, stderr)];
    Ok(Ok(Started { main, streams, filtered, told }))
}

/// Reads until the command runs: whether its network is closed by a filter, or the report of one that does not run.
fn until_started(told: &mut BufReader<PipeReader>) -> Result<bool, Box<Report>> {
    let mut filtered = false;
    loop {
        match notes::next(told) {
            Some(Note::Started) => return Ok(filtered),
            Some(Note::Filtered) => filtered = true,
            Some(Note::Fault { reason, message }) => return Err(Box::new(Report::not_run(&reason, message))),
            Some(Note::Signalled(_)) | None => {
                let words = "the inner runner ended before the command began";
                return Err(Box::new(Report::not_run(reason::CONTAINER_START_FAILED, words)));
            }
        }
    }
}

/// How the command itself ended, where its init could still say so. Every writer is gone, so this ends.
fn ended(end: End, told: &mut BufReader<PipeReader>) -> End {
    match (end, notes::next(told)) {
        (End::Exited(_), Some(Note::Signalled(signal))) => End::Signalled(signal),
        _ => end,
    }
}

/// The image's environment without Golden's and Kubernetes' variables, then the run's own.
fn environment(
    image: impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
    own: &[String],
) -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
    let ours = |name: &std::ffi::OsStr| {
        let name = name.to_string_lossy();
        ["GOLDEN_", "KUBERNETES_", "RUST_LOG", "HOSTNAME"].iter().any(|p| name.starts_with(p))
    };
    let mut all: Vec<_> = image.filter(|(name, _)| !ours(name) && name != "HOME").collect();
    if !all.iter().any(|(name, _)| name == "PATH") {
        all.push(("PATH".into(), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into()));
    }
    all.push(("HOME".into(), "/tmp".into()));
    let pairs = own.iter().filter_map(|pair| pair.split_once('='));
    for (name, value) in pairs {
        all.retain(|(old, _)| old.to_str() != Some(name));
        all.push((name.into(), value.into()));
    }
    all
}

/// With every writer dead the pipes end at once; this bounds what should not happen.
fn wait_for_ends(streams: &[Capture; 2]) {
    let start = Instant::now();
    while !streams.iter().all(Capture::ended) && start.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn account(report: &mut Report, seen: &Seen, cgroup: &Cgroup) {
    let (cpu_millis, largest) = of_children();
    let sampled = i64::try_from(seen.peak_resident_bytes).unwrap_or(i64::MAX);
    report.cpu_millis = cpu_millis;
    report.duration_millis = i64::try_from(seen.duration.as_millis()).unwrap_or(i64::MAX);
    report.peak_memory_bytes = cgroup.peak_memory_bytes.unwrap_or_else(|| sampled.max(largest));
}

/// Keeps stdout, stderr and the outputs. A passing run whose outputs cannot be kept does not pass.
fn keep(args: &Args, report: &mut Report, streams: &[Capture; 2]) {
    let [(stdout, whole_out), (stderr, whole_err)] = [streams[0].take(), streams[1].take()];
    report.tail = tail(&stdout, &stderr);
    if report.reason == reason::COMPLETED && !(whole_out && whole_err) {
        report.reason = reason::OUTPUT_TRUNCATED.into();
        report.message =
            format!("exit code 0; of its output only the last {} bytes are kept", args.output_bytes);
    }
    if !args.upload {
        return;
    }
    let streams = [("stdout".to_owned(), stdout), ("stderr".to_owned(), stderr)];
    let Uploaded { kept, fault } = upload(args, streams.into_iter().filter(|(_, bytes)| !bytes.is_empty()));
    report.artifacts = kept;
    let Some((fault, message)) = fault else { return };
    let passed = [reason::COMPLETED, reason::OUTPUT_TRUNCATED].contains(&report.reason.as_str());
    report.message = format!("{}; {message}", report.message);
    if passed && !args.output.is_empty() {
        report.reason = fault.into();
    }
}

/// The last bytes of both streams, stdout first; a short one leaves its room to the other.
fn tail(stdout: &[u8], stderr: &[u8]) -> String {
    let (stdout, stderr) = (String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr));
    let half = MAX_TAIL_BYTES / 2;
    let for_stderr = stderr.len().min(MAX_TAIL_BYTES - stdout.len().min(half));
    let stderr = last_bytes(&stderr, for_stderr);
    format!("{}{stderr}", last_bytes(&stdout, MAX_TAIL_BYTES - stderr.len()))
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn the_environment_is_the_images_and_the_runs_own() {
        let image = [
            ("GOLDEN_TOKEN", "x"),
            ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
            ("HOME", "/root"),
            ("HOSTNAME", "pod"),
            ("LANG", "C"),
            ("A", "image"),
        ];
        let image = image.into_iter().map(|(k, v)| (k.into(), v.into()));
        let found = environment(image, &["A=run=1".into(), "GOLDEN_MINE=kept".into()]);
        let find =
            |name: &str| found.iter().find(|(n, _)| n == name).map(|(_, v)| v.to_string_lossy().into_owned());
        assert_eq!(find("A").as_deref(), Some("run=1"));
        assert_eq!(find("HOME").as_deref(), Some("/tmp"));
        assert_eq!(
            find("GOLDEN_MINE").as_deref(),
            Some("kept"),
            "what the run itself asks for is not ours to drop"
        );
        for gone in ["GOLDEN_TOKEN", "KUBERNETES_SERVICE_HOST", "HOSTNAME"] {
            assert_eq!(find(gone), None, "{gone}");
        }
        assert!(find("PATH").is_some());
    }

    #[test]
    fn the_tail_shares_its_room_between_both_streams() {
        let (a, b) = (vec![b'a'; 5000], vec![b'b'; 5000]);
        let both = tail(&a, &b);
        assert_eq!((both.len(), both.matches('a').count()), (MAX_TAIL_BYTES, MAX_TAIL_BYTES / 2));
        assert_eq!(tail(&a, b"").len(), MAX_TAIL_BYTES);
        assert_eq!(tail(b"x", &b).len(), MAX_TAIL_BYTES);
    }
}
