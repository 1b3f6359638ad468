//! `golden runner agent -- CMD…`: waits for the work, runs the agent, hands its tree to the sidecar.

use crate::LISTEN;
use crate::result::Ended;
use anyhow::{Context as _, bail, ensure};
use golden_platform::tree;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The agent's command.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the agent works.
    #[arg(long, env = "GOLDEN_WORKSPACE", default_value = "/workspace")]
    workspace: PathBuf,
    /// The agent and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

/// How long the sidecar may take to lay out the work.
const LAID_OUT: Duration = Duration::from_mins(10);
const LOOK: Duration = Duration::from_millis(100);
/// The end of what the agent printed that is kept as its last words, in bytes.
const SUMMARY: usize = 2048;

/// Exit code when the work could not be laid out, or its result not be handed over, through no fault of the agent
/// (EX_TEMPFAIL). The orchestrator then makes a new try instead of judging the attempt.
const UNDELIVERED: i32 = 75;

/// Runs the agent; ends well once its result is safe, whatever the agent's own exit code was.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    if let Err(error) = wait_for_work(&client).await {
        undelivered(&error);
    }
    let (exit_code, summary) = agent(&args).await?;
    let workspace = args.workspace;
    let tar = tokio::task::spawn_blocking(move || tree::pack(&workspace))
        .await?
        .context("the workspace cannot be packed: see the limits of trees")?;
    let ended = Ended { exit_code, summary };
    let sent = client.post(format!("http://{LISTEN}/golden/result")).query(&ended).body(tar).send().await;
    let answer = match sent.context("the sidecar did not answer") {
        Ok(answer) => answer,
        Err(error) => undelivered(&error),
    };
    let status = answer.status();
    if status.is_server_error() {
        let words = answer.text().await.unwrap_or_default();
        undelivered(&anyhow::anyhow!("the result could not be handed over ({status}): {words}"));
    }
    ensure!(
        status.is_success(),
        "the result was refused ({status}): {}",
        answer.text().await.unwrap_or_default()
    );
    Ok(())
}

/// Ends the process so that the pod counts as lost.
fn undelivered(error: &anyhow::Error) -> ! {
    eprintln!("error: {error:#}");
    std::process::exit(UNDELIVERED)
}

async fn wait_for_work(client: &reqwest::Client) -> anyhow::Result<()> {
    let looking = async {
        loop {
            let asked = client.get(format!("http://{LISTEN}/readyz")).send().await;
            if asked.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(LAID_OUT, looking).await.context("the sidecar did not lay out the work in time")
}

/// The agent's exit code and last words. What it prints is the container's log.
async fn agent(args: &Args) -> anyhow::Result<(i32, String)> {
    let Some((program, arguments)) = args.command.split_first() else { bail!("no agent was named") };
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .current_dir(&args.workspace)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("the agent {program} cannot be started: is it in the image?"))?;
    let stdout = child.stdout.take().context("the agent's output was not piped")?;
    let (words, status) = tokio::join!(last_words(stdout), child.wait());
    let status = status.context("the agent's end was not seen")?;
    // Ended by a signal: as shells say it.
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    Ok((status.code().unwrap_or_else(|| 128 + signal.unwrap_or(0)), words))
}

/// Copies to our own output and keeps the end.
async fn last_words(mut from: impl AsyncRead + Unpin) -> String {
    let (mut kept, mut buffer) = (Vec::new(), [0_u8; 4096]);
    let mut out = std::io::stdout();
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let piece = buffer.get(..read).unwrap_or_default();
        // A log that cannot be written is no reason to stop the agent.
        let _ = out.write_all(piece);
        kept.extend_from_slice(piece);
        let surplus = kept.len().saturating_sub(SUMMARY);
        kept.drain(..surplus);
    }
    let _ = out.flush();
    String::from_utf8_lossy(&kept).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_a_long_output_is_kept_and_an_exit_code_is_no_failure_of_ours() {
        let command = ["sh", "-c", "yes x | head -n 5000; echo the end; exit 3"].map(str::to_owned).to_vec();
        let args = Args { workspace: std::env::temp_dir(), command };
        let (code, words) = agent(&args).await.unwrap();
        assert_eq!(code, 3);
        assert!(words.ends_with("the end") && words.len() <= SUMMARY);
    }

    #[tokio::test]
    async fn an_agent_that_is_not_there_is_named() {
        let args = Args { workspace: std::env::temp_dir(), command: vec!["/no/such/agent".into()] };
        assert!(format!("{:#}", agent(&args).await.unwrap_err()).contains("/no/such/agent"));
    }
}
