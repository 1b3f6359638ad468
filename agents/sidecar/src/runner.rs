//! `golden runner agent -- CMD…`: waits for the work, runs the agent, hands its tree to the sidecar.

use crate::LISTEN;
use crate::pause::url;
use crate::result::Ended;
use crate::{handover, leftovers, pause, upload};
use anyhow::{Context as _, ensure};
use golden_platform::wire::ArtifactStored;
use nix::unistd::Pid;
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
    /// Where the agent may leave its last words and transcript, in `out`.
    #[arg(long, env = "GOLDEN_DIR", default_value = "/golden")]
    golden: PathBuf,
    /// The agent and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

/// How long the sidecar may take to lay out the work.
const LAID_OUT: Duration = Duration::from_mins(10);
const LOOK: Duration = Duration::from_millis(100);
/// The end of what the agent printed that is kept as its last words, in bytes.
const SUMMARY: usize = 2048;
/// How long the rest of the output is waited for once the agent has ended.
const DRAIN: Duration = Duration::from_secs(2);
/// As shells say that a program is not there, and that its end was not seen.
const NOT_FOUND: i32 = 127;
const UNKNOWN: i32 = 255;

/// Exit code when the work could not be laid out, or its result not be handed over, through no fault of the agent
/// (EX_TEMPFAIL). The orchestrator then makes a new try instead of judging the attempt.
const UNDELIVERED: i32 = 75;

/// Runs the agent; ends well once its result is safe, whatever the agent's own exit code was, or once its unfinished
/// work is.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    if let Err(error) = wait_for_work(&client).await {
        undelivered(&error);
    }
    let Some((exit_code, printed)) = agent(&args, &client).await else { return Ok(()) };
    // What the agent left running would change the workspace while it is read.
    leftovers::end();
    let Args { workspace, golden, .. } = args;
    let (packed, summary, transcript) = tokio::task::spawn_blocking(move || {
        let summary = handover::summary(&golden).unwrap_or(printed);
        (handover::workspace(&workspace), summary, handover::transcript(&golden))
    })
    .await?;
    // A workspace that cannot be taken is the agent's failure, and is told as such.
    let (tar, summary) =
        packed.map_or_else(|why| ("".into(), why), |packing| (upload::body(packing), summary));
    let transcript = match transcript {
        Some(bytes) => kept(&client, bytes).await,
        None => None,
    };
    let ended = Ended { exit_code, summary, transcript };
    let sent = client.post(url("result")).query(&ended).body(tar).send().await;
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

/// Keeps the transcript. It explains the work and is not the work: without it the result is handed over all the same.
pub(crate) async fn kept(client: &reqwest::Client, transcript: Vec<u8>) -> Option<String> {
    let sent = client.post(url("transcript")).body(transcript).send().await;
    match sent.and_then(reqwest::Response::error_for_status) {
        Ok(answer) => answer.json::<ArtifactStored>().await.ok().map(|stored| stored.digest),
        Err(error) => {
            eprintln!("the transcript is not kept: {error}");
            None
        }
    }
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

/// The agent's exit code and last words; none if its work was saved before its end. What it prints is the container's
/// log.
async fn agent(args: &Args, client: &reqwest::Client) -> Option<(i32, String)> {
    let [program, arguments @ ..] = args.command.as_slice() else {
        return Some((NOT_FOUND, "no agent was named".into()));
    };
    let spawned = tokio::process::Command::new(program)
        .args(arguments)
        .current_dir(&args.workspace)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // So that it can be stopped with all that it starts.
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            let words = format!("the agent {program} cannot be started: {error}; is it in the image?");
            eprintln!("{words}");
            return Some((NOT_FOUND, words));
        }
    };
    let mut words = child.stdout.take().map(|stdout| tokio::spawn(last_words(stdout)));
    let status = ended(&mut child, args, client).await?;
    // A process that the agent left behind may hold its output open for ever.
    let printed = match &mut words {
        Some(reading) => tokio::time::timeout(DRAIN, reading).await.ok().and_then(Result::ok),
        None => None,
    };
    let Ok(status) = status else { return Some((UNKNOWN, printed.unwrap_or_default())) };
    // Ended by a signal: as shells say it.
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    Some((status.code().unwrap_or_else(|| 128 + signal.unwrap_or(0)), printed.unwrap_or_default()))
}

/// Waits for the agent's end; none if its work was saved before.
async fn ended(
    child: &mut tokio::process::Child,
    args: &Args,
    client: &reqwest::Client,
) -> Option<std::io::Result<std::process::ExitStatus>> {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    let mut wait = pause::LOOK;
    loop {
        tokio::select! {
            status = child.wait() => return Some(status),
            () = pause::wished(client, wait) => {}
        }
        // Without a pid it has ended, which the next look sees.
        if let Some(agent) = pid
            && pause::save(client, &args.workspace, &args.golden, agent).await
        {
            return None;
        }
        wait = pause::longer(wait);
    }
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

    async fn agent(args: &Args) -> (i32, String) {
        golden_platform::init_crypto();
        super::agent(args, &reqwest::Client::new()).await.unwrap()
    }

    fn args(command: &[&str]) -> Args {
        let command = command.iter().map(|c| (*c).to_owned()).collect();
        Args { workspace: std::env::temp_dir(), golden: std::env::temp_dir(), command }
    }

    #[tokio::test]
    async fn the_end_of_a_long_output_is_kept_and_an_exit_code_is_no_failure_of_ours() {
        let (code, words) = agent(&args(&["sh", "-c", "yes x | head -n 5000; echo the end; exit 3"])).await;
        assert_eq!(code, 3);
        assert!(words.ends_with("the end") && words.len() <= SUMMARY);
    }

    #[tokio::test]
    async fn an_agent_that_is_not_there_is_named() {
        let (code, words) = agent(&args(&["/no/such/agent"])).await;
        assert_eq!(code, NOT_FOUND);
        assert!(words.contains("/no/such/agent"), "{words}");
    }

    #[tokio::test]
    async fn what_an_agent_leaves_running_holds_nothing_up() {
        let start = std::time::Instant::now();
        let (code, _) = agent(&args(&["sh", "-c", "sleep 20 & echo done"])).await;
        assert_eq!(code, 0);
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}
