//! The programs a user has, bound to one cluster.

use crate::fit::Fit;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Where the programs are and which cluster they speak to.
#[derive(Clone, Debug)]
pub struct Tools {
    pub kubectl: PathBuf,
    pub helm: PathBuf,
    /// The `golden` binary of this tree.
    pub golden: PathBuf,
    /// Absent: the user's own kubeconfig.
    pub kubeconfig: Option<PathBuf>,
    /// Context within it; the current one when absent.
    pub context: Option<String>,
    /// The apiserver's audit log, where this machine has it.
    pub audit_log: Option<PathBuf>,
    /// How manifests are fitted to the cluster.
    pub fit: Fit,
}

impl Tools {
    fn command(&self, program: &PathBuf, context_flag: &str) -> Command {
        let mut command = Command::new(program);
        if let Some(path) = &self.kubeconfig {
            command.env("KUBECONFIG", path);
        }
        if let Some(context) = &self.context {
            command.arg(context_flag).arg(context);
        }
        command.stdin(Stdio::null());
        command
    }

    /// Text with the images named as this cluster finds them.
    pub fn with_images(&self, text: &str) -> String {
        self.fit.images(text)
    }

    /// Runs kubectl; its output, or what it complained of.
    pub fn kubectl(&self, args: &[&str]) -> Result<String> {
        finish(self.command(&self.kubectl, "--context").args(args))
    }

    /// Applies manifests given as text.
    pub fn apply(&self, manifests: &str, more: &[&str]) -> Result<String> {
        let mut command = self.command(&self.kubectl, "--context");
        command.args(["apply", "-f", "-"]).args(more).stdin(Stdio::piped());
        feed(&mut command, manifests)
    }

    /// Reads objects as JSON.
    pub fn get(&self, args: &[&str]) -> Result<Value> {
        self.json(&[&["get", "-o", "json"], args].concat())
    }

    /// Runs kubectl where it prints JSON.
    pub fn json(&self, args: &[&str]) -> Result<Value> {
        serde_json::from_str(&self.kubectl(args)?).context("kubectl printed no JSON")
    }

    /// Runs helm.
    pub fn helm(&self, args: &[&str]) -> Result<String> {
        finish(self.command(&self.helm, "--kube-context").args(args))
    }

    /// Runs a command of golden; its output, or what it complained of.
    pub fn golden(&self, args: &[&str]) -> Result<String> {
        let (command, rest) = args.split_first().context("golden needs a command")?;
        let mut process = Command::new(&self.golden);
        if let Some(path) = &self.kubeconfig {
            process.env("KUBECONFIG", path);
        }
        process.arg(command);
        if let Some(context) = &self.context {
            process.args(["--context", context]);
        }
        finish(process.args(rest).stdin(Stdio::null()))
    }
}

/// An answer that will not change: waiting ends with it.
#[derive(Debug)]
pub struct Final(pub String);

impl std::fmt::Display for Final {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Final {}

/// Asks again each half second until the answer is there; the last state is part of the error.
pub fn wait_for<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        let last = match ask() {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => "not yet".to_owned(),
            Err(error) if error.is::<Final>() => return Err(error),
            Err(error) => format!("{error:#}"),
        };
        if start.elapsed() > limit {
            bail!("{what}: not within {} s; last: {last}", limit.as_secs());
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn finish(command: &mut Command) -> Result<String> {
    let shown = format!("{command:?}");
    let output = command.output().with_context(|| format!("cannot start {shown}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    bail!(
        "{shown} ended with {}:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn feed(command: &mut Command, input: &str) -> Result<String> {
    let shown = format!("{command:?}");
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {shown}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that refuses early closes its input; its own words tell more than the broken pipe.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    bail!("{shown} ended with {}:\n{}", output.status, String::from_utf8_lossy(&output.stderr))
}
