//! Redis 7 from the Debian package, without persistence: a restarted Redis is
//! empty, which is the harder case for its users.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use super::server::{Plan, Server, folder};
use crate::{ports, run};

/// A running Redis without a password.
pub struct Redis {
    server: Server,
    port: u16,
}

impl Redis {
    pub fn start() -> Result<Self> {
        ensure!(
            run::on_path("redis-server"),
            "redis-server is not installed: run `apt-get install redis-server`, or `cargo xtask cluster up`, which does"
        );
        let home = folder("redis", None)?;
        let port = ports::free()?;
        let args = ["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
            .map(str::to_owned)
            .to_vec();
        let plan = Plan {
            name: "redis",
            program: "redis-server".into(),
            args,
            stop: Signal::TERM,
            user: None,
            ready: Box::new(move || ping(port)),
        };
        Ok(Self { server: Server::start(home, plan)?, port })
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn pid(&self) -> Option<u32> {
        self.server.pid()
    }

    pub fn stop(&self) -> Result<()> {
        self.server.stop()
    }

    pub fn kill(&self) -> Result<()> {
        self.server.kill()
    }

    /// Starts again on the same port, empty.
    pub fn restart(&self) -> Result<()> {
        self.server.restart_patiently()
    }

    /// Connections stay and nothing is answered, until [`Redis::thaw`].
    pub fn freeze(&self) {
        self.server.freeze();
    }

    pub fn thaw(&self) {
        self.server.thaw();
    }

    /// Forgets everything.
    pub fn flush(&self) -> Result<()> {
        let answer = self.command("FLUSHALL")?;
        ensure!(answer == "+OK", "FLUSHALL was answered with {answer:?}");
        Ok(())
    }

    /// How often something was found under a key since it started.
    pub fn hits(&self) -> Result<u64> {
        let mut stream = connect(self.port)?;
        stream.write_all(b"INFO stats\r\nQUIT\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let hits = answer.lines().find_map(|line| line.strip_prefix("keyspace_hits:"));
        hits.context("INFO says nothing of keyspace_hits")?
            .trim()
            .parse()
            .context("keyspace_hits is no number")
    }

    /// Sends one command, as a person would by hand; the first line of its answer.
    pub fn command(&self, command: &str) -> Result<String> {
        let mut stream = connect(self.port)?;
        stream.write_all(format!("{command}\r\n").as_bytes())?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer)?;
        Ok(answer.trim_end().to_owned())
    }

    /// The server's log file.
    pub fn log(&self) -> PathBuf {
        self.server.log()
    }
}

fn connect(port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("no connection")?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    Ok(stream)
}

fn ping(port: u16) -> Result<()> {
    let mut stream = connect(port)?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer)?;
    ensure!(&answer == b"+PONG\r\n", "unexpected answer {:?}", String::from_utf8_lossy(&answer));
    Ok(())
}
