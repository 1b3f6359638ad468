//! The runner's part of a pause: when the agent's call waits too long for money, its work is saved and it ends.
//!
//! The agent stands still while its work is read and handed over, and goes on if that comes to nothing: it is not ended
//! before its work is safe.

use crate::runner::kept;
use crate::saved::{NotSaved, Saved};
use crate::{LISTEN, handover, leftovers, upload};
use golden_platform::wire::PauseWish;
use nix::unistd::Pid;
use reqwest::StatusCode;
use std::path::Path;
use std::time::Duration;

/// How often the wish is looked for.
pub(crate) const LOOK: Duration = Duration::from_secs(5);
/// How long the agent stands still at most while its work is handed over.
const PATIENCE: Duration = Duration::from_mins(1);
/// The longest pause between two tries to save: an agent must not stand still most of its time for nothing.
const LONGEST: Duration = Duration::from_mins(5);
/// How long the transcript may take of that: the tree still has to go.
const TRANSCRIPT: Duration = Duration::from_secs(20);
/// Bound on why nothing is saved, in characters: it is told in a query.
const MAX_WHY: usize = 1024;
/// How long a signal may take to reach all threads of all processes.
const SETTLE: Duration = Duration::from_millis(100);

/// Returns once the work shall be saved, not before the first pause is over.
pub(crate) async fn wished(client: &reqwest::Client, first: Duration) {
    tokio::time::sleep(first).await;
    loop {
        let asked = client.get(url("pause")).timeout(PATIENCE).send().await;
        // Nobody to ask, or one who does not know: then nothing is wished.
        if let Ok(answer) = asked
            && answer.json::<PauseWish>().await.is_ok_and(|wish| wish.save)
        {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The pause after a save that came to nothing, by the one before it.
pub(crate) fn longer(wait: Duration) -> Duration {
    (wait * 2).min(LONGEST)
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
    let packing = match packed {
        Ok(packing) => packing,
        Err(why) => return not_saved(client, why).await,
    };
    let transcript = match transcript {
        // As with a result: it explains the work and is not the work.
        Some(bytes) => tokio::time::timeout(TRANSCRIPT, kept(client, bytes)).await.ok().flatten(),
        None => None,
    };
    let sent =
        client.post(url("saved")).query(&Saved { transcript }).body(upload::body(packing)).send().await;
    let sent = sent.map_err(|e| e.to_string())?;
    let status = sent.status();
    if status.is_success() {
        return Ok(true);
    }
    let why = format!("it was refused ({status}): {}", sent.text().await.unwrap_or_default());
    if is_final(status) { not_saved(client, why).await } else { Err(why) }
}

/// Whether the same work would be refused again. A conflict says that nobody asks for it any more.
fn is_final(status: StatusCode) -> bool {
    status.is_client_error() && status != StatusCode::CONFLICT
}

/// Tells that the work can never be saved.
async fn not_saved(client: &reqwest::Client, why: String) -> Result<bool, String> {
    eprintln!("the work cannot be saved: {why}");
    let why = why.chars().take(MAX_WHY).collect();
    let told = client.post(url("not-saved")).query(&NotSaved { why }).send().await;
    told.and_then(reqwest::Response::error_for_status).map(|_| false).map_err(|e| e.to_string())
}

/// Where the sidecar takes what the runner has for it.
pub(crate) fn url(path: &str) -> String {
    format!("http://{LISTEN}/golden/{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_save_that_keeps_failing_stops_the_agent_ever_more_rarely() {
        let waits = std::iter::successors(Some(LOOK), |wait| Some(longer(*wait)));
        let seconds: Vec<u64> = waits.take(8).map(|wait| wait.as_secs()).collect();
        assert_eq!(seconds, [5, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn only_a_refusal_of_the_work_itself_is_final() {
        for (status, want) in [(400, true), (413, true), (409, false), (500, false), (503, false)] {
            assert_eq!(is_final(StatusCode::from_u16(status).unwrap()), want, "{status}");
        }
    }
}
