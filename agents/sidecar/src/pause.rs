//! The runner's part of a pause: when the agent's call waits too long for money, its work is saved and it ends.
//!
//! The agent stands still while its work is read and handed over, and goes on if that comes to nothing: it is not ended
//! before its work is safe.

use crate::runner::kept;
use crate::saved::{NotSaved, Saved};
use crate::{LISTEN, handover, leftovers};
use golden_platform::wire::PauseWish;
use nix::unistd::Pid;
use std::path::Path;
use std::time::Duration;

/// How often the wish is looked for.
const LOOK: Duration = Duration::from_secs(5);
/// How long the agent stands still at most while its work is handed over.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a signal may take to reach all threads of all processes.
const SETTLE: Duration = Duration::from_millis(100);

/// Returns once the work shall be saved.
pub(crate) async fn wished(client: &reqwest::Client) {
    loop {
        tokio::time::sleep(LOOK).await;
        let asked = client.get(format!("http://{LISTEN}/golden/pause")).timeout(PATIENCE).send().await;
        // Nobody to ask, or one who does not know: then nothing is wished.
        if let Ok(answer) = asked
            && answer.json::<PauseWish>().await.is_ok_and(|wish| wish.save)
        {
            return;
        }
    }
}

/// Saves the work of the agent and whatever it started. Whether it is safe: then they have ended, else they go on.
pub(crate) async fn save(client: &reqwest::Client, workspace: &Path, golden: &Path, agent: Pid) -> bool {
    leftovers::stop(agent);
    tokio::time::sleep(SETTLE).await;
    let handed = tokio::time::timeout(PATIENCE, hand_over(client, workspace, golden)).await;
    match handed.unwrap_or_else(|_| Err(format!("it took longer than {} s", PATIENCE.as_secs()))) {
        Ok(true) => {
            leftovers::end_with(agent);
            return true;
        }
        Ok(false) => {}
        Err(why) => eprintln!("the work is not saved yet: {why}"),
    }
    leftovers::go_on(agent);
    false
}

/// Whether the work was taken. False: it can never be, and that was told.
async fn hand_over(client: &reqwest::Client, workspace: &Path, golden: &Path) -> Result<bool, String> {
    let (workspace, golden) = (workspace.to_owned(), golden.to_owned());
    let read = move || (handover::workspace(&workspace), handover::transcript(&golden));
    let (packed, transcript) = tokio::task::spawn_blocking(read).await.map_err(|e| e.to_string())?;
    let post = |path: &str| client.post(format!("http://{LISTEN}/golden/{path}"));
    let tar = match packed {
        Ok(tar) => tar,
        Err(why) => {
            eprintln!("the work cannot be saved: {why}");
            let told = post("not-saved").query(&NotSaved { why }).send().await;
            return told
                .and_then(reqwest::Response::error_for_status)
                .map(|_| false)
                .map_err(|e| e.to_string());
        }
    };
    let transcript = match transcript {
        Some(bytes) => Some(kept(client, bytes).await.ok_or("the transcript was not taken")?),
        None => None,
    };
    let sent =
        post("saved").query(&Saved { transcript }).body(tar).send().await.map_err(|e| e.to_string())?;
    let status = sent.status();
    if status.is_success() {
        return Ok(true);
    }
    Err(format!("{status}: {}", sent.text().await.unwrap_or_default()))
}
