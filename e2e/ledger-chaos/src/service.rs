//! The process of the ledger's service: started, killed, started again.

use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// A process that does not come up in this time will not.
const START: Duration = Duration::from_secs(30);

pub(crate) struct Service {
    program: PathBuf,
    database_url: String,
    redis_url: String,
    child: Option<Child>,
    address: Address,
}

/// Where the service listens now. It changes with every start.
#[derive(Clone, Default)]
pub(crate) struct Address(Arc<RwLock<String>>);

impl Address {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Service {
    pub(crate) async fn start(program: &Path, database_url: &str, redis_url: &str) -> Result<Self> {
        let (program, database_url) = (program.to_owned(), database_url.to_owned());
        let redis_url = redis_url.to_owned();
        let mut service = Self { program, database_url, redis_url, child: None, address: Address::default() };
        service.restart().await?;
        Ok(service)
    }

    pub(crate) fn address(&self) -> Address {
        self.address.clone()
    }

    /// As a crash of the process or the node.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await.context("cannot kill the service")?;
        }
        Ok(())
    }

    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.kill().await?;
        let mut child = Command::new(&self.program)
            .args(["serve", "--database-url", &self.database_url, "--redis-url", &self.redis_url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        let stdout = child.stdout.take().context("the output was not piped")?;
        let mut line = String::new();
        tokio::time::timeout(START, BufReader::new(stdout).read_line(&mut line))
            .await
            .context("the service did not start")??;
        anyhow::ensure!(!line.trim().is_empty(), "the service ended while it started");
        line.trim().clone_into(&mut self.address.0.write().unwrap_or_else(PoisonError::into_inner));
        self.child = Some(child);
        Ok(())
    }
}
