//! One background server: started, awaited, stopped, killed, started again.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::run;

/// Long enough for a busy machine that is building in the background.
const START: Duration = Duration::from_mins(1);
const STOP: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(20);
/// How long what a killed server leaves behind may be in the way of the next one.
const LEFT_BEHIND: Duration = Duration::from_mins(1);
const AGAIN: Duration = Duration::from_millis(200);

/// How to start a server and to see that it serves.
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    /// Asks the server to end in an orderly way.
    pub(crate) stop: Signal,
    pub(crate) user: Option<User>,
    pub(crate) ready: Box<dyn Fn() -> Result<()> + Send + Sync>,
}

/// The account a server runs as.
#[derive(Clone, Copy)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

pub(crate) struct Server {
    plan: Plan,
    folder: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Server {
    /// Starts the server with `folder` (see [`folder`]) as its home.
    pub(crate) fn start(folder: PathBuf, plan: Plan) -> Result<Self> {
        let server = Self { plan, folder, child: Mutex::new(None) };
        server.restart()?;
        Ok(server)
    }

    /// Starts again with the same port and data; a running server is stopped first.
    pub(crate) fn restart(&self) -> Result<()> {
        self.stop()?;
        *self.child() = Some(self.spawn()?);
        self.await_ready()
    }

    /// Starts again, and once more for a while where that fails: what a killed server leaves behind (its processes, its
    /// port that another test looked at) goes a moment later.
    pub(crate) fn restart_patiently(&self) -> Result<()> {
        let begin = Instant::now();
        loop {
            match self.restart() {
                Err(_) if begin.elapsed() < LEFT_BEHIND => thread::sleep(AGAIN),
                done => return done,
            }
        }
    }

    /// Ends the server in an orderly way and waits for it.
    pub(crate) fn stop(&self) -> Result<()> {
        let Some(mut child) = self.child().take() else { return Ok(()) };
        signal(&child, self.plan.stop);
        if wait(&mut child, STOP)?.is_none() {
            signal(&child, Signal::KILL);
            child.wait()?;
        }
        Ok(())
    }

    /// Kills the server on the spot, as a crash does.
    pub(crate) fn kill(&self) -> Result<()> {
        let Some(mut child) = self.child().take() else { return Ok(()) };
        signal(&child, Signal::KILL);
        child.wait()?;
        Ok(())
    }

    /// Stops it where it stands, as a machine does that is out of breath: connections stay and nothing is answered.
    pub(crate) fn freeze(&self) {
        if let Some(child) = self.child().as_ref() {
            signal(child, Signal::STOP);
        }
    }

    /// Lets a frozen server go on.
    pub(crate) fn thaw(&self) {
        if let Some(child) = self.child().as_ref() {
            signal(child, Signal::CONT);
        }
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child().as_ref().map(Child::id)
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self) -> Result<Child> {
        let log = fs::File::options().create(true).append(true).open(self.log())?;
        // setpriv gives up root, which Postgres refuses, and has the kernel end
        // the server together with the test process.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", signal_name(self.plan.stop)]);
        if let Some(User { uid, gid }) = self.plan.user {
            command.args([format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()]);
        }
        command
            .arg("--")
            .arg(&self.plan.program)
            .args(&self.plan.args)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        spawn_on_keeper(command).with_context(|| format!("cannot start {}", self.plan.program.display()))
    }

    fn await_ready(&self) -> Result<()> {
        let start = Instant::now();
        loop {
            let Err(reason) = (self.plan.ready)() else { return Ok(()) };
            let ended = match self.child().as_mut() {
                Some(child) => child.try_wait()?,
                None => bail!("{} was stopped while it started", self.plan.name),
            };
            let name = self.plan.name;
            if let Some(status) = ended {
                bail!("{name} ended while it started ({status}); {}", run::tail(&self.log()));
            }
            if start.elapsed() > START {
                bail!("{name} did not answer within {START:?} ({reason:#}); {}", run::tail(&self.log()));
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Spawns on a thread that lives as long as the process: the kernel sends a
/// child its parent-death signal when the *thread* that started it ends, and
/// a test's thread ends before the next test uses a shared server.
fn spawn_on_keeper(command: Command) -> Result<Child> {
    type Order = (Command, mpsc::Sender<std::io::Result<Child>>);
    static KEEPER: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    let keeper = KEEPER.get_or_init(|| {
        let (orders, queue) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, answer) in queue {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let (answer, answered) = mpsc::channel();
    keeper
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .send((command, answer))
        .map_err(|_| anyhow!("the thread that starts servers is gone"))?;
    Ok(answered.recv()??)
}

/// A folder for one server, owned by `user`. Folders of test processes that
/// died before they could clean up are removed on the way.
pub(crate) fn folder(name: &str, user: Option<User>) -> Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let root = std::env::temp_dir().join("golden-services");
    fs::create_dir_all(&root).with_context(|| format!("cannot create {}", root.display()))?;
    sweep(&root);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = root.join(format!("{}-{name}-{number}", std::process::id()));
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    if let Some(User { uid, gid }) = user {
        std::os::unix::fs::chown(&folder, Some(uid), Some(gid))?;
    }
    Ok(folder)
}

fn sweep(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_string_lossy().split('-').next().and_then(|pid| pid.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn signal(child: &Child, signal: Signal) {
    // A child that is already gone needs no signal.
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

fn signal_name(signal: Signal) -> &'static str {
    match signal {
        Signal::INT => "INT",
        Signal::TERM => "TERM",
        _ => "KILL",
    }
}

fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() > limit {
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}
