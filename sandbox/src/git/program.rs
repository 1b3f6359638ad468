//! Running git: with nothing of this machine's configuration, bounded in time and output.

use super::fault::{self, Fault};
use super::remote::{PROTOCOLS, Remote};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// One git process may take this long.
const PATIENCE: Duration = Duration::from_mins(10);
/// A server slower than this for half a minute is given up.
const SLOW_BYTES_PER_SECOND: &str = "1000";
/// Most bytes of one answer: a tree's bytes and what stands between them.
const MAX_ANSWER: u64 = (256 << 20) + (32 << 20);

/// A folder with one bare repository in it, and the helper that hands git a credential.
pub struct Workshop {
    repository: PathBuf,
    askpass: PathBuf,
    home: PathBuf,
}

/// Prints what git asks for from the environment of that one git process.
const ASKPASS: &str = "#!/bin/sh\ncase \"$1\" in\nUsername*) printf '%s\\n' \"$GOLDEN_ASKED_USER\" ;;\n*) printf '%s\\n' \"$GOLDEN_ASKED_PASSWORD\" ;;\nesac\n";

impl Workshop {
    /// Makes an empty repository in `dir`, which holds nothing else.
    pub fn new(dir: &Path) -> Result<Self, Fault> {
        let (repository, home) = (dir.join("repository.git"), dir.join("home"));
        let askpass = dir.join("askpass");
        std::fs::create_dir_all(&home).map_err(Fault::internal)?;
        std::fs::write(&askpass, ASKPASS).map_err(Fault::internal)?;
        std::fs::set_permissions(&askpass, std::fs::Permissions::from_mode(0o700))
            .map_err(Fault::internal)?;
        let shop = Self { repository, askpass, home };
        let path = shop.repository.to_string_lossy().into_owned();
        // An empty template: no hooks, no attributes, no exclusions.
        shop.local(&["init", "--quiet", "--bare", "--template=", &path])?;
        Ok(shop)
    }

    /// A git command on this repository alone.
    pub(super) fn local(&self, args: &[&str]) -> Result<Vec<u8>, Fault> {
        self.local_with(args, &[])
    }

    /// The same, with bytes on its input.
    pub(super) fn local_with(&self, args: &[&str], input: &[u8]) -> Result<Vec<u8>, Fault> {
        let (answer, stderr, ended_well) = run(self.command(args), input)?;
        if ended_well {
            return Ok(answer);
        }
        let name = args.first().copied().unwrap_or_default();
        Err(Fault::internal(format!("git {name} failed: {}", crate::report::last_bytes(stderr.trim(), 1024))))
    }

    /// A git command that speaks to `remote`. `doing` says what for, in words for a person.
    pub(super) fn remote(&self, remote: &Remote, doing: &str, args: &[&str]) -> Result<Vec<u8>, Fault> {
        let mut command = self.command(args);
        if let Some(credential) = &remote.credential {
            command
                .env("GIT_ASKPASS", &self.askpass)
                .env("GOLDEN_ASKED_USER", &credential.username)
                .env("GOLDEN_ASKED_PASSWORD", &credential.password);
        }
        let (answer, stderr, ended_well) = run(command, &[])?;
        // `push --porcelain` tells refusals on stdout.
        let words = format!("{stderr}\n{}", String::from_utf8_lossy(&answer[..answer.len().min(4096)]));
        if ended_well { Ok(answer) } else { Err(fault::read(doing, &words)) }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("git");
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", &self.home)
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes -oStrictHostKeyChecking=accept-new")
            .env("GIT_DIR", &self.repository)
            .current_dir(&self.home);
        for setting in settings() {
            command.arg("-c").arg(setting);
        }
        command.args(args);
        command
    }
}

fn settings() -> Vec<String> {
    let mut settings: Vec<String> = [
        "protocol.allow=never",
        "core.hooksPath=/dev/null",
        "core.attributesFile=/dev/null",
        "core.fsmonitor=false",
        "core.askPass=",
        "credential.helper=",
        "http.followRedirects=false",
        "http.lowSpeedTime=30",
        "submodule.recurse=false",
        "fetch.recurseSubmodules=false",
        "push.recurseSubmodules=no",
        "push.gpgSign=false",
        "gc.auto=0",
        "maintenance.auto=false",
        "advice.detachedHead=false",
    ]
    .map(str::to_owned)
    .to_vec();
    settings.push(format!("http.lowSpeedLimit={SLOW_BYTES_PER_SECOND}"));
    settings.extend(PROTOCOLS.iter().map(|p| format!("protocol.{p}.allow=always")));
    settings
}

/// Runs to the end: answer, words, and whether it ended well.
fn run(mut command: Command, input: &[u8]) -> Result<(Vec<u8>, String, bool), Fault> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(|e| Fault::internal(format!("git cannot be started: {e}")))?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if let Some(mut stdin) = stdin {
                // A git that ends early says why on stderr.
                let _ = stdin.write_all(input);
            }
        });
        let answer = scope.spawn(move || read(stdout, MAX_ANSWER));
        let words = scope.spawn(move || read(stderr, 64 << 10));
        let ended_well = wait(&mut child)?;
        let answer = answer.join().unwrap_or_default();
        if answer.len() as u64 > MAX_ANSWER {
            return Err(Fault::lasting(
                golden_crds::conditions::agent_task::SOURCE_TOO_LARGE,
                format!("git answered with more than {MAX_ANSWER} bytes"),
            ));
        }
        let words = words.join().unwrap_or_default();
        Ok((answer, String::from_utf8_lossy(&words).into_owned(), ended_well))
    })
}

/// At most one byte more than `most`, then to the end, so that the writer is not left hanging.
fn read(stream: Option<impl std::io::Read>, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        let _ = (&mut stream).take(most + 1).read_to_end(&mut bytes);
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    }
    bytes
}

fn wait(child: &mut Child) -> Result<bool, Fault> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(Fault::internal)? {
            return Ok(status.success());
        }
        if start.elapsed() > PATIENCE {
            let group = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
            // git's helpers (git-remote-https) are in its group.
            let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
            let _ = child.wait();
            return Err(Fault::passing(
                golden_crds::conditions::agent_task::GIT_UNREACHABLE,
                format!("git did not end within {} s and was killed", PATIENCE.as_secs()),
            ));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
