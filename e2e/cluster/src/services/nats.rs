//! NATS with JetStream, from the pinned tool.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use super::server::{Plan, Server, folder};
use crate::{ports, tools};

/// A running NATS server with JetStream on disk.
pub struct Nats {
    server: Server,
    port: u16,
    monitor: u16,
}

impl Nats {
    /// Open to everybody on 127.0.0.1, stored messages flushed as the default does.
    pub fn start() -> Result<Self> {
        Self::start_with("")
    }

    /// Starts with further lines of `nats-server` configuration, such as
    /// `accounts {…}`. JetStream settings have their own variant,
    /// [`Nats::start_with_jetstream`].
    pub fn start_with(configuration: &str) -> Result<Self> {
        Self::start_with_jetstream(configuration, "")
    }

    /// As [`Nats::start_with`], with lines for the `jetstream` block too, such
    /// as `sync_interval: always`.
    pub fn start_with_jetstream(configuration: &str, jetstream: &str) -> Result<Self> {
        let program = tools::program("nats", "nats-server")?;
        let home = folder("nats", None)?;
        let (port, monitor) = (ports::free()?, ports::free()?);
        let file = home.join("nats.conf");
        fs::write(
            &file,
            render(&home.join("data").to_string_lossy(), port, monitor, configuration, jetstream),
        )
        .with_context(|| format!("cannot write {}", file.display()))?;
        let plan = Plan {
            name: "nats-server",
            program,
            args: vec!["-c".to_owned(), file.to_string_lossy().into_owned()],
            stop: Signal::TERM,
            user: None,
            ready: Box::new(move || healthy(monitor)),
        };
        Ok(Self { server: Server::start(home, plan)?, port, monitor })
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The monitoring endpoint, for `/jsz`, `/varz` and friends.
    pub fn monitor_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.monitor)
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

    /// Starts again on the same port with the same streams.
    pub fn restart(&self) -> Result<()> {
        self.server.restart_patiently()
    }

    /// The server's log file.
    pub fn log(&self) -> PathBuf {
        self.server.log()
    }
}

fn render(store: &str, port: u16, monitor: u16, configuration: &str, jetstream: &str) -> String {
    format!(
        "listen: 127.0.0.1:{port}\nhttp: 127.0.0.1:{monitor}\n\
         jetstream {{\n  store_dir: \"{store}\"\n  max_memory_store: 256MB\n  max_file_store: 4GB\n{jetstream}\n}}\n\
         {configuration}\n"
    )
}

fn healthy(monitor: u16) -> Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, monitor)).context("no connection")?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.contains(" 200 "), "not healthy yet: {}", answer.lines().last().unwrap_or_default());
    Ok(())
}
