//! The images the cluster, the chart and the demonstration use.
//!
//! Two Debian file systems are shared by all of them, because building and
//! unpacking one takes a minute and space is cheap: `services` (databases and
//! the git server) and `workspace` (what agents and sandboxes work with).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::npm::{self, Package};
use super::{File, Image, Start, debian};
use crate::tools;

const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Nobody in particular, as distroless images have it.
const NONROOT: u32 = 65_532;
/// The database images' user, as the official images have it.
const DATABASE: u32 = 999;

/// Anthropic's command line: one program.
pub(super) const CLAUDE_CODE: Package = Package {
    name: "claude-code",
    part: ("@anthropic-ai/claude-code-linux-x64/claude", "/usr/local/bin/claude"),
    link: None,
};
/// OpenAI's: a program that finds what belongs to it beside itself.
pub(super) const CODEX: Package = Package {
    name: "codex",
    part: ("@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl", "/opt/codex"),
    link: Some(("/usr/local/bin/codex", "/opt/codex/bin/codex")),
};

/// The images that the chart and the demonstration use beside those with our own binaries.
pub fn beside_ours() -> Result<Vec<Image>> {
    [postgres, redis, nats, python, git_server].into_iter().map(|build| build()).collect()
}

/// Holds a pod's namespaces open.
pub fn pause() -> Result<Image> {
    static_binary("pause", "pause", "pause", &[], NONROOT)
}

/// The cluster's DNS.
pub fn coredns() -> Result<Image> {
    static_binary("coredns", "coredns", "coredns", &[], 0)
}

/// A shell and its tools, for a look around from inside a pod.
pub fn busybox() -> Result<Image> {
    let busybox = Path::new("/usr/bin/busybox");
    let mut files = vec![File::program("/bin/busybox", busybox), File::folder("/tmp", NONROOT)];
    for name in ["sh", "cat", "sleep", "nslookup", "wget", "nc", "ls", "id", "echo", "httpd", "dd"] {
        files.push(File::link(&format!("/bin/{name}"), "busybox"));
    }
    files.push(File::text("/etc/passwd", ACCOUNTS));
    Image::from_files("busybox", &files, start("/bin/sh", NONROOT))
}

/// NATS server; give it `-c` and a configuration, or flags such as `-js`.
pub fn nats() -> Result<Image> {
    let data = [File::folder("/data", DATABASE)];
    static_binary("golden-nats", "nats", "nats-server", &data, DATABASE)
}

/// `golden` alone: every service of ours, by its subcommand.
pub fn golden(binary: &Path) -> Result<Image> {
    let files = [
        File::program("/usr/local/bin/golden", binary),
        File::copy(CERTIFICATES, Path::new(CERTIFICATES)),
        File::folder("/tmp", NONROOT),
    ];
    Image::from_files("golden", &files, start("/usr/local/bin/golden", NONROOT))
}

/// Postgres 15. On its first start it makes the database `POSTGRES_DB` for
/// `POSTGRES_USER` with `POSTGRES_PASSWORD` (all as in the official image).
pub fn postgres() -> Result<Image> {
    let files = [
        File::script("/usr/local/bin/golden-postgres", include_str!("../../images/postgres.sh")),
        File::folder("/var/lib/postgresql/data", DATABASE),
        File::folder("/run/postgresql", DATABASE),
    ];
    let mut start = start("/usr/local/bin/golden-postgres", DATABASE);
    start.env.insert("PGDATA".to_owned(), "/var/lib/postgresql/data/pgdata".to_owned());
    Ok(services()?.layer("golden-postgres", &files)?.starting(start))
}

/// Redis 7; arguments are those of `redis-server`.
pub fn redis() -> Result<Image> {
    let mut start = start("/usr/bin/redis-server", DATABASE).within("/data");
    start.command = ["--bind", "*", "--protected-mode", "no", "--dir", "/data"].map(str::to_owned).to_vec();
    Ok(services()?.layer("golden-redis", &[File::folder("/data", DATABASE)])?.starting(start))
}

/// Git over HTTP. Repositories are in /srv/git; folders under /seed become
/// repositories on the first start; /etc/golden-git/htpasswd asks for passwords.
pub fn git_server() -> Result<Image> {
    let files = [
        File::script("/usr/local/bin/golden-git-server", include_str!("../../images/git-server.sh")),
        File::folder("/srv/git", NONROOT),
    ];
    let start = start("/usr/local/bin/golden-git-server", NONROOT);
    Ok(services()?.layer("golden-git-server", &files)?.starting(start))
}

/// Python with pytest, for tests in sandboxes.
pub fn python() -> Result<Image> {
    let mut start = start("/usr/bin/python3", NONROOT).within("/workspace");
    // A sandbox's files are often read-only: bytecode has nowhere to go.
    start.env.insert("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned());
    Ok(workspace()?.layer("golden-python", &[File::folder("/workspace", NONROOT)])?.starting(start))
}

/// Git and certificates; the base that `golden` is put on where git is needed.
pub fn git() -> Result<Image> {
    let files = [
        File::folder("/workspace", NONROOT),
        // Repositories in mounted volumes belong to whoever made the volume.
        File::text("/etc/gitconfig", "[safe]\n\tdirectory = *\n[init]\n\tdefaultBranch = main\n"),
    ];
    let start = start("/usr/bin/git", NONROOT).within("/workspace");
    Ok(workspace()?.layer("golden-git", &files)?.starting(start))
}

/// Agents of other makers, as they come from npm, with Python, pytest and git to work with.
pub fn agents() -> Result<Vec<Image>> {
    let base = python()?;
    let agent = |package| Ok(npm::image(&base, package)?.starting(shell()));
    [&CLAUDE_CODE, &CODEX].into_iter().map(agent).collect()
}

/// Fetches what those agents are made of, unless it is there: about 400 MB.
pub fn fetch_agents() -> Result<()> {
    [&CLAUDE_CODE, &CODEX].into_iter().try_for_each(|package| npm::fetched(package).map(drop))
}

/// Claude Code's program, below `root`, for running it on this machine.
pub fn unpack_claude_code(root: &Path) -> Result<PathBuf> {
    npm::unpack(&CLAUDE_CODE, root)
}

/// Codex' program, below `root`, for running it on this machine.
pub fn unpack_codex(root: &Path) -> Result<PathBuf> {
    npm::unpack(&CODEX, root)
}

/// An agent's command is the team's to say; without one there is a shell.
fn shell() -> Start {
    let mut start = start("/bin/bash", NONROOT).within("/workspace");
    // Bytecode would become part of the change.
    start.env.insert("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned());
    start
}

/// The users images run as, by name too: initdb and git insist on one.
const ACCOUNTS: &str = "root:x:0:0:root:/root:/bin/sh
database:x:999:999:database:/:/usr/sbin/nologin
nonroot:x:65532:65532:nonroot:/:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/:/usr/sbin/nologin
";
const GROUPS: &str = "root:x:0:\ndatabase:x:999:\nnonroot:x:65532:\nnogroup:x:65534:\n";

/// A shared Debian file system with our accounts.
fn base(name: &str, packages: &[&str]) -> Result<Image> {
    let accounts = [File::text("/etc/passwd", ACCOUNTS), File::text("/etc/group", GROUPS)];
    debian::image(name, packages)?.layer(name, &accounts)
}

fn services() -> Result<Image> {
    base("services", &["postgresql-15", "redis-server", "git", "lighttpd", "openssl", "ca-certificates"])
}

fn workspace() -> Result<Image> {
    base("workspace", &["python3", "python3-pytest", "git", "ca-certificates", "patch", "diffutils"])
}

fn static_binary(image: &str, tool: &str, program: &str, more: &[File], user: u32) -> Result<Image> {
    let path = format!("/usr/local/bin/{program}");
    let mut files = vec![
        File::program(&path, &tools::program(tool, program)?),
        File::copy(CERTIFICATES, Path::new(CERTIFICATES)),
    ];
    files.extend_from_slice(more);
    Image::from_files(image, &files, start(&path, user))
}

fn start(program: &str, user: u32) -> Start {
    Start {
        entrypoint: vec![program.to_owned()],
        command: Vec::new(),
        env: BTreeMap::from([(
            "PATH".to_owned(),
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        )]),
        user: format!("{user}:{user}"),
        folder: String::new(),
    }
}
