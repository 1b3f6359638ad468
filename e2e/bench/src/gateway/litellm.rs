//! LiteLLM's proxy, from PyPI, in the mode that installs from there.

use super::calls::{INPUT_PRICE, OUTPUT_PRICE};
use super::target::Target;
use crate::venv::{installed, last_lines};
use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};
use uuid::Uuid;

const REQUIREMENT: &str = "litellm[proxy]==1.108.7";
/// It imports for ten seconds on an idle machine.
const START: Duration = Duration::from_mins(2);

/// Said with every figure of it.
pub(crate) const MODE: &str = "LiteLLM is litellm[proxy] 1.108.7 with one worker and without a database: its database mode \
     needs engines that no package registry has. Budgets of keys come from a custom_auth function, with \
     custom_auth_run_common_checks, and its counters are in the process's memory; budgets of sessions come from an agent \
     in the config; there is nothing durable to audit. Its proxy-wide max_budget is not checked in this mode, and \
     neither are budgets of end users, known or unknown.";

/// Budgets that stand in its config, in micro-USD.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budgets {
    pub(crate) session: i64,
    pub(crate) end_user: i64,
}

/// A running proxy. Ended when dropped.
pub(crate) struct Proxy {
    process: Child,
    pub(crate) target: Arc<Target>,
    home: tempfile::TempDir,
}

impl Proxy {
    pub(crate) async fn start(upstream: &str, budgets: Budgets) -> Result<Self> {
        let programs = tokio::task::spawn_blocking(|| installed(REQUIREMENT)).await??;
        let home = tempfile::tempdir()?;
        let auth = Path::new(env!("CARGO_MANIFEST_DIR")).join("peer/litellm_auth.py");
        fs::copy(auth, home.path().join("litellm_auth.py"))?;
        // JSON is YAML.
        fs::write(home.path().join("config.yaml"), config(upstream, budgets).to_string())?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let log = fs::File::create(home.path().join("log"))?;
        // The kernel ends it with the thread that starts it, the main one here, also where nothing is dropped.
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(programs.join("litellm"))
            .args(["--config", "config.yaml", "--host", "127.0.0.1", "--telemetry", "False"])
            .args(["--num_workers", "1", "--port", &port.to_string()])
            .current_dir(home.path())
            .env_remove("DATABASE_URL")
            // Its own list of prices: it would fetch one.
            .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
            // As its documentation advises for production.
            .env("LITELLM_LOG", "ERROR")
            .env("LITELLM_MODE", "PRODUCTION")
            .env("NO_PROXY", "127.0.0.1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .spawn()
            .context("cannot start litellm")?;
        let target = Arc::new(Target::new(&format!("http://127.0.0.1:{port}")));
        let mut proxy = Self { process, target, home };
        proxy.await_ready().await?;
        Ok(proxy)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }

    async fn await_ready(&mut self) -> Result<()> {
        let begun = Instant::now();
        while self.target.page("/health/liveliness").await.is_err() {
            if let Some(status) = self.process.try_wait()? {
                bail!("litellm ended while it started ({status}): {}", self.said());
            }
            ensure!(begun.elapsed() < START, "litellm did not answer within {START:?}: {}", self.said());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    fn said(&self) -> String {
        last_lines(&fs::read_to_string(self.home.path().join("log")).unwrap_or_default())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let group = self.process.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(group) = group {
            // One that is gone needs no signal.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// A key with a budget in micro-USD; of an agent, whose sessions have budgets too, if `agent`.
pub(crate) fn key(agent: bool, budget: i64) -> String {
    let kind = if agent { "agent" } else { "person" };
    format!("sk-{kind}-{}-{budget}", Uuid::new_v4().simple())
}

fn config(upstream: &str, budgets: Budgets) -> Value {
    json!({
        "model_list": [{
            "model_name": "standard",
            "litellm_params": {
                "model": "openai/standard",
                "api_base": format!("{upstream}/v1"),
                "api_key": "the-providers-key",
                "input_cost_per_token": dollars(INPUT_PRICE),
                "output_cost_per_token": dollars(OUTPUT_PRICE),
            },
        }],
        "agent_list": [{
            "agent_name": "agent",
            "agent_card_params": {
                "name": "agent", "description": "calls", "version": "1", "protocolVersion": "1.0",
                "url": "http://127.0.0.1:1/", "capabilities": {}, "skills": [],
                "defaultInputModes": ["text"], "defaultOutputModes": ["text"],
            },
            "litellm_params": {"max_budget_per_session": dollars(budgets.session)},
        }],
        "general_settings": {
            // It starts with no weaker one. Nobody uses it.
            "master_key": format!("sk-{}", Uuid::new_v4().simple()),
            "custom_auth": "litellm_auth.check",
            "custom_auth_run_common_checks": true,
        },
        "litellm_settings": {
            "enable_post_custom_auth_checks": true,
            "max_end_user_budget": dollars(budgets.end_user),
        },
    })
}

fn dollars(micro_usd: i64) -> f64 {
    // Prices and budgets here are far below what an f64 tells apart.
    f64::from(i32::try_from(micro_usd).unwrap_or(i32::MAX)) / 1_000_000.0
}
