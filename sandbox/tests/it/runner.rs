//! What a command can and cannot do below the runner, as an unprivileged user outside of gVisor.

use golden_sandbox::report::Report;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const RUNNER: &str = env!("CARGO_BIN_EXE_golden-runner");
const USER: u32 = 65532;

/// A folder that the unprivileged user may write, and reach.
fn open_dir() -> TempDir {
    let dir = tempfile::Builder::new().prefix("golden-run-").tempdir_in("/tmp").unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    dir
}

/// The binary where the unprivileged user can read it. Copied once and before any test starts a process: a child
/// forked while the copy is open for writing would make it "text file busy" for others.
fn runner() -> &'static Path {
    static COPY: std::sync::OnceLock<std::path::PathBuf> = std::sync::OnceLock::new();
    COPY.get_or_init(|| {
        let (made, path) = (open_dir(), Path::new("/tmp/golden-runner-under-test").to_owned());
        fs::copy(RUNNER, made.path().join("golden")).unwrap();
        fs::rename(made.path().join("golden"), &path).unwrap();
        path
    })
}

struct Place {
    home: TempDir,
    options: Vec<String>,
}

impl Place {
    fn new() -> Self {
        let home = open_dir();
        for name in ["workspace", "scratch"] {
            fs::create_dir(home.path().join(name)).unwrap();
            fs::set_permissions(home.path().join(name), fs::Permissions::from_mode(0o777)).unwrap();
        }
        std::os::unix::fs::symlink(runner(), home.path().join("golden")).unwrap();
        Self { home, options: Vec::new() }
    }

    fn with(mut self, options: &[&str]) -> Self {
        self.options.extend(options.iter().map(|o| (*o).to_owned()));
        self
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.home.path().join(name)
    }

    fn command(&self, program: &Path, before: &[&str], command: &[&str]) -> Command {
        let defaults =
            ["--timeout-seconds=30", "--memory-bytes=268435456", "--pids=64", "--output-bytes=65536"];
        let name = |flag: &str| flag.split('=').next().unwrap_or_default().to_owned();
        let given: Vec<String> = self.options.iter().map(|o| name(o)).collect();
        let mut cmd = Command::new(program);
        cmd.args(before)
            .args(["runner", "sandbox"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap());
        cmd.args(defaults.iter().filter(|d| !given.contains(&name(d)))).args(&self.options);
        cmd.arg(format!("--workspace={}", self.path("workspace").display()));
        cmd.arg(format!("--scratch={}", self.path("scratch").display()));
        cmd.arg(format!("--termination-log={}", self.path("log").display()));
        cmd.arg("--").args(command);
        cmd.env("KUBERNETES_SERVICE_HOST", "10.0.0.1").env("GOLDEN_TOKEN_FILE", "/x").env("MINE", "image");
        cmd
    }

    fn read(&self) -> Report {
        let text = fs::read_to_string(self.path("log")).unwrap();
        assert!(text.len() <= 4096, "{} bytes", text.len());
        serde_json::from_str(&text).unwrap()
    }

    fn run(&self, command: &[&str]) -> Report {
        let status = self.command(&self.path("golden"), &[], command).uid(USER).gid(USER).status().unwrap();
        assert!(status.success(), "the runner itself ends with 0 once it has reported: {status}");
        self.read()
    }

    fn bash(&self, script: &str) -> Report {
        self.run(&["bash", "-c", script])
    }
}

/// Processes `sleep ‹seconds›`: the seconds tell one test from another.
fn alive(seconds: &str) -> usize {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|e| fs::read(e.path().join("cmdline")).ok())
        .filter(|line| String::from_utf8_lossy(line).starts_with(&format!("sleep\0{seconds}")))
        .count()
}

#[test]
fn a_command_ends_as_it_says() {
    let place = Place::new();
    let passed = place.bash("echo out; echo err >&2; pwd; read line || echo no input");
    assert_eq!((passed.reason.as_str(), passed.exit_code), ("Completed", Some(0)), "{passed:?}");
    assert!(!passed.filtered && passed.tail.contains("out\n") && passed.tail.contains("err\n"));
    assert!(passed.tail.contains("/workspace\n") && passed.tail.contains("no input"));
    let failed = place.bash("exit 7");
    assert_eq!((failed.reason.as_str(), failed.exit_code), ("NonZeroExit", Some(7)));
    let killed = place.bash("kill -SEGV $$");
    assert_eq!((killed.reason.as_str(), killed.exit_code), ("Signalled", Some(139)));
    let missing = place.run(&["no-such-program"]);
    assert_eq!((missing.reason.as_str(), missing.exit_code), ("CommandNotFound", None));
    fs::write(place.path("workspace/text"), "x").unwrap();
    assert_eq!(place.run(&["./text"]).reason, "CommandNotFound");
}

#[test]
fn a_command_reaches_nothing_but_its_own_loopback() {
    let place = Place::new();
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let reach =
        format!("for a in 127.0.0.1 $(hostname -I); do exec 3<>/dev/tcp/$a/{port} && echo reached; done");
    let outside = Command::new("bash").args(["-c", &reach]).output().unwrap();
    assert!(
        String::from_utf8_lossy(&outside.stdout).contains("reached"),
        "the address works where there is a network"
    );
    let report =
        place.bash(&format!("tail -n +3 /proc/self/net/dev; cat /proc/self/net/fib_trie; {reach}; true"));
    assert!(!report.tail.contains("reached"), "{}", report.tail);
    assert!(report.tail.contains("lo:") && !report.tail.contains("eth"), "{}", report.tail);
    assert!(report.tail.contains("127.0.0.1"), "a server on localhost works: {}", report.tail);
}

#[test]
fn a_commands_environment_is_clean() {
    let place = Place::new().with(&["--env=ASKED=a=b $HOME"]);
    let tail = place.run(&["env"]).tail;
    assert!(
        tail.contains("ASKED=a=b $HOME\n") && tail.contains("MINE=image\n") && tail.contains("HOME=/tmp\n")
    );
    assert!(!tail.contains("KUBERNETES") && !tail.contains("GOLDEN"), "{tail}");
}

#[test]
fn a_timeout_ends_the_whole_tree_of_processes() {
    let place = Place::new().with(&["--timeout-seconds=1"]);
    let start = Instant::now();
    let report = place.bash(
        "(setsid bash -c 'trap \"\" TERM HUP; sleep 31337.5' &) ; setsid sleep 31337.5 & sleep 31337.5",
    );
    assert_eq!((report.reason.as_str(), report.exit_code), ("Timeout", None));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!(alive("31337.5"), 0);
}

#[test]
fn what_a_command_leaves_behind_is_ended_and_holds_nothing_up() {
    let place = Place::new();
    let start = Instant::now();
    let report = place.bash("setsid nohup sleep 31338.5 & disown; echo done");
    assert_eq!(report.reason, "Completed");
    assert!(start.elapsed() < Duration::from_secs(5) && report.tail.contains("done"));
    assert_eq!(alive("31338.5"), 0);
}

#[test]
fn a_fork_bomb_is_bounded_and_ended() {
    let place = Place::new().with(&["--pids=20", "--timeout-seconds=20"]);
    let start = Instant::now();
    let report = place.bash("b() { sleep 31339.5 & b | b & }; b; sleep 31339.5");
    assert_eq!(report.reason, "TooManyProcesses", "{report:?}");
    assert!(start.elapsed() < Duration::from_secs(15));
    assert_eq!(alive("31339.5"), 0);
}

#[test]
fn the_kernel_itself_refuses_processes_beyond_the_bound() {
    // Without the watcher's help: it looks every 100 ms, the bomb is faster.
    let place = Place::new().with(&["--pids=4"]);
    let report = place.bash("for i in $(seq 200); do sleep 31340.5 & done 2>&1; wait");
    assert_eq!(report.reason, "TooManyProcesses", "{report:?}");
    assert!(report.tail.contains("fork") || report.tail.is_empty(), "{}", report.tail);
}

#[test]
fn a_flood_of_output_takes_neither_memory_nor_disk() {
    let place = Place::new().with(&["--output-bytes=4096"]);
    let report = place.bash("head -c 300000000 /dev/zero | tr '\\0' x; echo; echo the end");
    assert_eq!((report.reason.as_str(), report.exit_code), ("OutputTruncated", Some(0)));
    assert!(report.tail.ends_with("x\nthe end\n"), "{}", report.tail);
    assert!(report.cpu_millis > 0 && report.duration_millis > 0 && report.peak_memory_bytes > 0);
    assert_eq!(fs::read_dir(place.path("scratch")).unwrap().count(), 0);
}

#[test]
fn a_command_can_neither_see_nor_end_what_holds_it() {
    let place = Place::new();
    let report =
        place.bash("cd /proc; echo [0-9]*; echo $PPID; kill -9 1; kill -9 -1; sleep 0.3; echo alive");
    // Its init and itself.
    assert!(report.tail.starts_with("1 2\n1\n"), "{}", report.tail);
    assert_ne!(report.reason, "ContainerStartFailed", "{report:?}");
    let seen = place.bash(
        "cat /proc/1/environ > /dev/null && echo read; ls -l /proc/1/fd > /dev/null && echo listed; true",
    );
    assert!(!seen.tail.contains("read\n") && !seen.tail.contains("listed\n"), "{}", seen.tail);
}

#[test]
fn without_user_namespaces_the_network_is_closed_by_a_filter() {
    // A user without a mapping may not make a user namespace: the kernel's own refusal.
    let script = "import socket, ctypes\n\
        socket.socketpair()\n\
        socket.socket(socket.AF_UNIX)\n\
        for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET, socket.AF_VSOCK):\n\
        \x20   for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):\n\
        \x20       try: socket.socket(family, kind); print('open', family, kind)\n\
        \x20       except PermissionError: pass\n\
        libc = ctypes.CDLL(None, use_errno=True)\n\
        for call in (425, 0x40000000 + 41, 0x40000000 + 425):\n\
        \x20   print('refused', libc.syscall(call, 2, 1, 0), ctypes.get_errno())\n";
    let place = Place::new();
    let command = ["python3", "-c", script];
    place.command(Path::new("unshare"), &["--user", RUNNER], &command).status().unwrap();
    let report = place.read();
    assert_eq!((report.reason.as_str(), report.filtered), ("Completed", true), "{report:?}");
    assert_eq!(report.tail, "refused -1 13\n".repeat(3), "{}", report.tail);
}

#[test]
fn a_fork_bomb_is_ended_also_where_the_user_is_shared() {
    let place = Place::new().with(&["--timeout-seconds=20", "--pids=40"]);
    let bomb = "for i in $(seq 200); do sleep 30 & done; wait";
    place.command(Path::new("unshare"), &["--user", RUNNER], &["bash", "-c", bomb]).status().unwrap();
    let report = place.read();
    assert_eq!((report.reason.as_str(), report.filtered), ("TooManyProcesses", true), "{report:?}");
}

#[test]
fn a_filter_holds_for_children_and_cannot_be_lifted() {
    let place = Place::new();
    let connect = "exec 3<>/dev/tcp/127.0.0.1/9";
    let command = [
        "bash",
        "-c",
        &format!("setsid bash -c '{connect}' 2>&1; unshare -r bash -c '{connect}' 2>&1; true"),
    ];
    place.command(Path::new("unshare"), &["--user", RUNNER], &command).status().unwrap();
    let report = place.read();
    assert!(report.filtered && report.tail.contains("Permission denied"), "{report:?}");
    assert!(!report.tail.contains("refused"), "a connection was tried: {}", report.tail);
}

#[test]
fn as_pid_1_it_ends_what_escapes_every_group_and_session() {
    let place = Place::new().with(&["--timeout-seconds=1"]);
    let golden = place.path("golden");
    let before =
        ["--pid", "--fork", "--mount-proc", "setpriv", "--reuid=65532", "--regid=65532", "--clear-groups"];
    let before: Vec<&str> = before.into_iter().chain([golden.to_str().unwrap()]).collect();
    let script = ["bash", "-c", "while true; do setsid sleep 31341.5 & sleep 0.05; done"];
    let status = place.command(Path::new("unshare"), &before, &script).status().unwrap();
    assert!(status.success());
    assert_eq!(place.read().reason, "Timeout", "{:?}", place.read());
    assert_eq!(alive("31341.5"), 0);
}

#[test]
fn a_pod_that_is_deleted_ends_its_command() {
    let place = Place::new();
    let golden = place.path("golden");
    let mut runner = place.command(&golden, &[], &["sleep", "31342.5"]).uid(USER).gid(USER).spawn().unwrap();
    while alive("31342.5") == 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = nix::unistd::Pid::from_raw(i32::try_from(runner.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert!(runner.wait().unwrap().success());
    assert_eq!(place.read().reason, "Cancelled");
    assert_eq!(alive("31342.5"), 0);
}
