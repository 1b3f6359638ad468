//! Processes of their own: what is measured must not share memory and threads with what measures it.

use crate::venv::last_lines;
use anyhow::{Context as _, Result, ensure};
use std::fs;
use std::process::Stdio;
use std::time::Duration;
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

/// A process that does not come up in this time will not.
const START: Duration = Duration::from_secs(30);
/// How long a server may take to end its calls.
const STOP: Duration = Duration::from_secs(10);

/// A server that is a part of this program. Killed when dropped.
pub(crate) struct Child {
    process: tokio::process::Child,
    pub(crate) url: String,
    log: NamedTempFile,
}

impl Child {
    /// Starts `golden-bench serve …` and waits until it says where it listens.
    pub(crate) async fn start(args: &[String]) -> Result<Self> {
        let log = NamedTempFile::new()?;
        let mut process = Command::new(std::env::current_exe()?)
            .arg("serve")
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.reopen()?)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start a server")?;
        let stdout = process.stdout.take().context("the output was not piped")?;
        let mut line = String::new();
        let read = tokio::time::timeout(START, BufReader::new(stdout).read_line(&mut line)).await;
        let said = || last_lines(&fs::read_to_string(log.path()).unwrap_or_default());
        read.with_context(|| format!("{args:?} did not start: {}", said()))??;
        ensure!(!line.trim().is_empty(), "{args:?} ended while it started: {}", said());
        Ok(Self { process, url: format!("http://{}", line.trim()), log })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }

    /// Lets it end what it has begun.
    pub(crate) async fn stop(mut self) -> Result<()> {
        drop(self.process.stdin.take());
        let ended = tokio::time::timeout(STOP, self.process.wait()).await;
        let status = ended.context("a server did not end")??;
        let said = last_lines(&fs::read_to_string(self.log.path()).unwrap_or_default());
        ensure!(status.success(), "a server ended with {status}: {said}");
        Ok(())
    }
}
