//! Postgres 15 from the Debian package.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use super::server::{Plan, Server, User, folder};
use crate::{ports, run};

const ROLE: &str = "golden";

/// A running Postgres. Role `golden` is its superuser; local connections are
/// trusted.
pub struct Postgres {
    server: Server,
    port: u16,
    databases: AtomicU32,
}

impl Postgres {
    /// Starts a server that does not wait for the disk: it survives `kill`
    /// (the kernel still has its writes) but not a power cut.
    pub fn start() -> Result<Self> {
        Self::launch(&["-c", "fsync=off", "-c", "full_page_writes=off"])
    }

    /// Starts a server that waits for the disk on every commit, for benchmarks.
    pub fn start_durable() -> Result<Self> {
        Self::launch(&["-c", "fsync=on", "-c", "synchronous_commit=on"])
    }

    fn launch(settings: &[&str]) -> Result<Self> {
        let bin = binaries()?;
        let user = unprivileged()?;
        let home = folder("postgres", user)?;
        let data = home.join("data");
        initialise(&bin, &data, user)?;
        let port = ports::free()?;
        let mut args: Vec<String> =
            ["-D", &data.to_string_lossy(), "-p", &port.to_string()].map(str::to_owned).to_vec();
        args.extend(
            ["-h", "127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=300"]
                .map(str::to_owned),
        );
        args.extend(settings.iter().map(|&setting| setting.to_owned()));
        let psql = bin.join("psql");
        let ready = Box::new(move || query(&psql, port, "postgres", "select 1").map(drop));
        let plan =
            Plan { name: "postgres", program: bin.join("postgres"), args, stop: Signal::INT, user, ready };
        Ok(Self { server: Server::start(home, plan)?, port, databases: AtomicU32::new(0) })
    }

    /// The address of the maintenance database `postgres`.
    pub fn url(&self) -> String {
        self.database_url("postgres")
    }

    /// Creates an empty database of its own for one test and returns its address.
    pub fn create_database(&self) -> Result<String> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.execute(&format!("create database {name}"))?;
        Ok(self.database_url(&name))
    }

    /// Runs one statement in the maintenance database and returns the unaligned rows.
    pub fn execute(&self, statement: &str) -> Result<String> {
        query(&binaries()?.join("psql"), self.port, "postgres", statement)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn pid(&self) -> Option<u32> {
        self.server.pid()
    }

    /// Ends every connection and shuts down in an orderly way.
    pub fn stop(&self) -> Result<()> {
        self.server.stop()
    }

    /// Kills the postmaster; the next start recovers from the log.
    pub fn kill(&self) -> Result<()> {
        self.server.kill()
    }

    /// Starts again on the same port with the same data. Backends notice only a moment later that their
    /// postmaster was killed, and until then a new one refuses to start.
    pub fn restart(&self) -> Result<()> {
        self.server.restart_patiently()
    }

    /// The server's log file.
    pub fn log(&self) -> PathBuf {
        self.server.log()
    }

    fn database_url(&self, name: &str) -> String {
        format!("postgres://{ROLE}@127.0.0.1:{}/{name}", self.port)
    }
}

fn binaries() -> Result<PathBuf> {
    let bin = PathBuf::from("/usr/lib/postgresql/15/bin");
    ensure!(
        bin.join("postgres").is_file(),
        "Postgres 15 is not installed ({} is missing): run `apt-get install postgresql-15`, or `cargo xtask cluster up`, which does",
        bin.join("postgres").display()
    );
    Ok(bin)
}

/// Postgres refuses to run as root; as anybody else it runs as that user.
fn unprivileged() -> Result<Option<User>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let accounts = std::fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    account(&accounts, "postgres").map(Some).context("there is no user `postgres`: install postgresql-15")
}

fn account(passwd: &str, name: &str) -> Option<User> {
    let fields: Vec<&str> =
        passwd.lines().map(|l| l.split(':').collect::<Vec<_>>()).find(|f| f[0] == name)?;
    Some(User { uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()? })
}

fn initialise(bin: &Path, data: &Path, user: Option<User>) -> Result<()> {
    use std::os::unix::process::CommandExt as _;
    let mut initdb = Command::new(bin.join("initdb"));
    initdb
        .args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "-U", ROLE, "-D"])
        .arg(data)
        .current_dir("/");
    if let Some(User { uid, gid }) = user {
        initdb.uid(uid).gid(gid);
    }
    run::run(&mut initdb).context("cannot initialise a Postgres data folder")
}

fn query(psql: &Path, port: u16, database: &str, statement: &str) -> Result<String> {
    run::output(
        Command::new(psql)
            .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", ROLE, "-d", database])
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_from_the_password_file() {
        let user = account("root:x:0:0::/root:/bin/sh\npostgres:x:101:104::/:/bin/sh\n", "postgres").unwrap();
        assert_eq!((user.uid, user.gid), (101, 104));
        assert!(account("root:x:0:0::/root:/bin/sh\n", "postgres").is_none());
    }
}
