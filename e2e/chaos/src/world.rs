//! The cluster as an outsider sees it: kubectl, SQL, the streams' figures, the model's tally.

use anyhow::{Context as _, Result};
use golden_scenarios::install::NAMESPACE;
use golden_scenarios::tools::Tools;
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Where the model and the git server are.
pub(crate) const DEMO: &str = "golden-demo";

/// The cluster, and where evidence is kept.
#[derive(Clone, Debug)]
pub struct World {
    pub tools: Tools,
    pub evidence: PathBuf,
}

impl World {
    /// Runs a query as the database's owner; its rows as a JSON array of objects.
    pub(crate) fn sql(&self, query: &str) -> Result<Vec<Value>> {
        let text = self.psql(&format!("SELECT coalesce(json_agg(q), '[]') FROM ({query}) q"))?;
        serde_json::from_str(text.trim()).with_context(|| format!("psql printed no JSON for {query}"))
    }

    fn psql(&self, query: &str) -> Result<String> {
        let args = ["-U", "golden_owner", "-d", "golden_arch", "-qtAX", "-v", "ON_ERROR_STOP=1", "-c", query];
        let pod = ["-n", NAMESPACE, "exec", "golden-postgres-0", "-c", "postgres", "--", "psql"];
        self.tools.kubectl(&[&pod[..], &args[..]].concat())
    }

    /// The same in the background, for a lock that is held for a while.
    pub(crate) fn psql_meanwhile(&self, script: &str) -> Result<std::process::Child> {
        let mut command = Command::new(&self.tools.kubectl);
        if let Some(path) = &self.tools.kubeconfig {
            command.env("KUBECONFIG", path);
        }
        if let Some(context) = &self.tools.context {
            command.args(["--context", context]);
        }
        command
            .args(["-n", NAMESPACE, "exec", "golden-postgres-0", "-c", "postgres", "--", "psql"])
            .args(["-U", "golden_owner", "-d", "golden_arch", "-q", "-c", script])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn().context("cannot start kubectl")
    }

    /// What the model server counted itself.
    pub(crate) fn tally(&self) -> Result<Value> {
        let path = format!("/api/v1/namespaces/{DEMO}/services/http:golden-model:8080/proxy/tally");
        parse(&self.tools.kubectl(&["get", "--raw", &path])?)
    }

    /// Every stream with its consumers, as the NATS server tells them.
    pub(crate) fn streams(&self) -> Result<Vec<Value>> {
        let path = format!(
            "/api/v1/namespaces/{NAMESPACE}/pods/http:golden-nats-0:8222/proxy/jsz?accounts=true&streams=true&consumers=true&config=true"
        );
        let all = parse(&self.tools.kubectl(&["get", "--raw", &path])?)?;
        let accounts = all["account_details"].as_array().cloned().unwrap_or_default();
        Ok(accounts.iter().flat_map(|a| a["stream_detail"].as_array().cloned().unwrap_or_default()).collect())
    }

    /// Pods anywhere that carry a label.
    pub(crate) fn pods(&self, label: &str) -> Result<Vec<Value>> {
        self.list(&["pods", "-A", "-l", label])
    }

    /// The items of any listing.
    pub(crate) fn list(&self, args: &[&str]) -> Result<Vec<Value>> {
        Ok(self.tools.get(args)?["items"].as_array().cloned().unwrap_or_default())
    }
}

fn parse(text: &str) -> Result<Value> {
    serde_json::from_str(text).context("this is no JSON")
}

/// A text field, empty where there is none.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
