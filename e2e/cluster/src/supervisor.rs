//! Keeps the cluster's processes running.
//!
//! One detached process starts all others in order, starts again what ends
//! (with a growing pause, so that a broken one does not eat the machine) and
//! writes what it knows to a file that `status` reads. SIGHUP makes it read the
//! list of processes again: what left the list is stopped, what is new or
//! changed is started. SIGTERM stops them all in reverse order. Should it be killed itself, the kernel ends its children
//! with it: two supervisors can never run the same process twice.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::layout::Layout;
use crate::processes::{Spec, Wait};
use crate::procfs::{self, Identity};
use crate::run;

const TICK: Duration = Duration::from_millis(100);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Running this long means it recovered.
const RECOVERED: Duration = Duration::from_secs(30);
/// Longer buys nothing: etcd survives a kill, and the apiserver would wait for its watchers.
const STOP: Duration = Duration::from_secs(3);

/// What the supervisor tells the world, in one file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) supervisor: Identity,
    pub(crate) processes: BTreeMap<String, ProcessState>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ProcessState {
    /// None while it waits to be started (again).
    pub(crate) running: Option<Identity>,
    /// How often it ended and was, or will be, started again.
    pub(crate) restarts: u32,
    /// How it ended last.
    pub(crate) last_exit: Option<String>,
}

impl State {
    /// The state as last written, if that supervisor still runs.
    pub(crate) fn read(layout: &Layout) -> Option<Self> {
        let text = fs::read(layout.state()).ok()?;
        let state: Self = serde_json::from_slice(&text).ok()?;
        state.supervisor.alive().then_some(state)
    }
}

/// Runs until SIGTERM or SIGINT. The caller is a process of its own.
pub fn supervise() -> Result<()> {
    close_inherited_files()?;
    let layout = Layout::open()?;
    let signals = signals()?;
    let mut supervisor = Supervisor {
        layout,
        identity: Identity::of(std::process::id()).context("/proc is not mounted")?,
        processes: Vec::new(),
    };
    supervisor.reload()?;
    loop {
        match signals.recv_timeout(TICK) {
            Ok(SIGHUP) => supervisor.reload()?,
            Ok(_) => break,
            Err(_) if supervisor.tick() => supervisor.publish()?,
            Err(_) => {}
        }
    }
    for process in supervisor.processes.iter_mut().rev() {
        process.stop();
    }
    Ok(())
}

/// What whoever ran `up` had open (a lock, a pipe) would else be held for as long as the cluster runs.
fn close_inherited_files() -> Result<()> {
    let names: Vec<_> =
        std::fs::read_dir("/proc/self/fd")?.flatten().map(|entry| entry.file_name()).collect();
    for fd in names.iter().filter_map(|name| name.to_str()?.parse::<i32>().ok()).filter(|fd| *fd > 2) {
        // The listing's own descriptor is closed already.
        let _ = nix::unistd::close(fd);
    }
    Ok(())
}

fn signals() -> Result<Receiver<i32>> {
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let (asked, queue) = mpsc::channel();
    thread::spawn(move || {
        for signal in signals.forever() {
            let _ = asked.send(signal);
        }
    });
    Ok(queue)
}

struct Supervisor {
    layout: Layout,
    identity: Identity,
    processes: Vec<Process>,
}

impl Supervisor {
    /// Looks at every process once; true when something changed.
    fn tick(&mut self) -> bool {
        // Not `any`: that would stop looking at the first change.
        let mut answers = Vec::new();
        self.processes.iter_mut().filter_map(|process| process.tick(&mut answers).then_some(())).count() > 0
    }

    /// Makes the list on disk the list of processes; unchanged ones run on.
    fn reload(&mut self) -> Result<()> {
        let file = self.layout.specs();
        let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let specs: Vec<Spec> = serde_json::from_slice(&text)?;
        for process in self.processes.iter_mut().rev().filter(|process| !specs.contains(&process.spec)) {
            process.stop();
        }
        let mut old = std::mem::take(&mut self.processes);
        for spec in specs {
            let kept = old.iter().position(|process| process.spec == spec).map(|at| old.swap_remove(at));
            self.processes.push(kept.unwrap_or_else(|| Process::new(spec)));
        }
        self.publish()
    }

    fn publish(&self) -> Result<()> {
        let state = State {
            supervisor: self.identity,
            processes: self.processes.iter().map(|p| (p.spec.name.clone(), p.state.clone())).collect(),
        };
        let (file, draft) = (self.layout.state(), self.layout.state().with_extension("partial"));
        fs::write(&draft, serde_json::to_vec_pretty(&state)?)?;
        fs::rename(&draft, &file).with_context(|| format!("cannot write {}", file.display()))
    }
}

struct Process {
    spec: Spec,
    child: Option<Child>,
    started: Instant,
    pause: Duration,
    state: ProcessState,
}

impl Process {
    fn new(spec: Spec) -> Self {
        Self {
            spec,
            child: None,
            started: Instant::now(),
            pause: Duration::ZERO,
            state: ProcessState::default(),
        }
    }

    fn tick(&mut self, answers: &mut Vec<(Wait, bool)>) -> bool {
        match &mut self.child {
            Some(child) => match child.try_wait() {
                Ok(Some(status)) => {
                    self.ended(status.to_string());
                    true
                }
                _ => false,
            },
            None if self.started.elapsed() >= self.pause
                && self.spec.after.iter().all(|wait| ask(wait, answers)) =>
            {
                self.start();
                true
            }
            None => false,
        }
    }

    fn start(&mut self) {
        self.started = Instant::now();
        match spawn(&self.spec) {
            Ok(child) => {
                self.state.running = Identity::of(child.id());
                self.child = Some(child);
            }
            Err(error) => self.ended(format!("{error:#}")),
        }
    }

    fn ended(&mut self, how: String) {
        self.pause = next_pause(self.pause, self.started.elapsed());
        self.started = Instant::now();
        self.child = None;
        self.state.running = None;
        self.state.restarts += 1;
        self.state.last_exit = Some(how);
    }

    fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        procfs::send(child.id(), Signal::TERM);
        let asked = Instant::now();
        while matches!(child.try_wait(), Ok(None)) {
            if asked.elapsed() > STOP {
                let _ = child.kill();
                let _ = child.wait();
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn next_pause(last: Duration, ran: Duration) -> Duration {
    if last.is_zero() || ran > RECOVERED { FIRST_PAUSE } else { (last * 2).min(LONGEST_PAUSE) }
}

fn spawn(spec: &Spec) -> Result<Child> {
    let log = open_log(&spec.log)?;
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--"])
        .arg(&spec.program)
        .args(&spec.args)
        .envs(&spec.env)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("cannot start {}", spec.program.display()))
}

fn open_log(path: &Path) -> Result<File> {
    File::options()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Several processes wait for the same; each is asked once a round.
fn ask(wait: &Wait, answers: &mut Vec<(Wait, bool)>) -> bool {
    if let Some((_, known)) = answers.iter().find(|(asked, _)| asked == wait) {
        return *known;
    }
    let answer = reachable(wait);
    answers.push((wait.clone(), answer));
    answer
}

fn reachable(wait: &Wait) -> bool {
    match wait {
        Wait::Tcp(port) => {
            TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, *port)), TICK).is_ok()
        }
        Wait::Socket(path) => UnixStream::connect(path).is_ok(),
        Wait::Api { kubectl, kubeconfig } => {
            run::run(Command::new(kubectl).arg("--kubeconfig").arg(kubeconfig).args([
                "--request-timeout=2s",
                "get",
                "--raw",
                "/readyz",
            ]))
            .is_ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_start_over_after_recovery() {
        let quick = Duration::from_secs(1);
        let mut pause = Duration::ZERO;
        let mut seen = Vec::new();
        for _ in 0..8 {
            pause = next_pause(pause, quick);
            seen.push(pause.as_millis());
        }
        assert_eq!(seen, [500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
        assert_eq!(next_pause(pause, RECOVERED * 2), FIRST_PAUSE);
    }

    #[test]
    fn a_process_that_ends_is_started_again() {
        let log = std::env::temp_dir().join(format!("golden-supervised-{}.log", std::process::id()));
        let mut process = Process::new(Spec {
            name: "short".to_owned(),
            program: "true".into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            log: log.clone(),
            after: Vec::new(),
            configuration: String::new(),
        });
        let begun = Instant::now();
        while process.state.restarts < 2 && begun.elapsed() < Duration::from_secs(20) {
            process.tick(&mut Vec::new());
            thread::sleep(Duration::from_millis(5));
        }
        fs::remove_file(&log).unwrap();
        assert_eq!(process.state.restarts, 2);
        assert_eq!(process.state.last_exit.as_deref(), Some("exit status: 0"));
    }
}
