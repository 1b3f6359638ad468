//! Everything the promises are checked on, read from the outside after a run.

use crate::drill::Drill;
use crate::probe::labels::TASK_UID;
use crate::world::{DEMO, World, text};
use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of one task.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// `Complete`, `Failed`, `Cancelled`, or none while it is open.
    pub(crate) outcome: Option<String>,
    /// What the newest entry of the record tells.
    pub(crate) last_entry: Option<String>,
    /// The attempt it ended at.
    pub(crate) attempt: i64,
    pub(crate) ballots: Vec<Ballots>,
    pub(crate) reservations: Vec<Reservation>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) letters: Vec<String>,
    pub(crate) wanted: i64,
    pub(crate) unconsumed: i64,
    pub(crate) unpublished: i64,
    pub(crate) open_escalations: i64,
    pub(crate) tally: BTreeMap<String, Calls>,
    /// Keys, of whatever task, that the model served and no reservation has.
    pub(crate) unpaid: Vec<String>,
    /// Pods that have not ended, by `namespace/name`.
    pub(crate) live_pods: Vec<String>,
    /// Every pod there is.
    pub(crate) pods: Vec<String>,
    /// SandboxRuns that have not ended.
    pub(crate) live_runs: Vec<String>,
    /// Every SandboxRun there is.
    pub(crate) runs: Vec<String>,
    /// Commits on the delivered branch that the base has not; none where nothing goes to git.
    pub(crate) commits: Option<u32>,
}

/// Asked after the tally: what was reserved is in the database before the model hears of it.
fn unpaid(world: &World, tally: &BTreeMap<String, Calls>) -> Result<Vec<String>> {
    let rows = world.sql("SELECT op_key FROM reservations")?;
    let paid: BTreeSet<&str> = rows.iter().map(|row| text(&row["op_key"])).collect();
    let served = tally.iter().filter(|(_, calls)| calls.count > 0);
    Ok(served.map(|(key, _)| key).filter(|key| !paid.contains(key.as_str())).cloned().collect())
}

/// Accepted ballots of one voter in one round.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Ballots {
    pub(crate) attempt: i32,
    pub(crate) round: i32,
    pub(crate) voter: String,
    pub(crate) count: i64,
}

/// One paid try of a call.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Reservation {
    pub(crate) op_key: String,
    pub(crate) state: String,
    pub(crate) input_tokens: Option<u64>,
    pub(crate) output_tokens: Option<u64>,
}

/// An account on the task's path, with what its reservations come to.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) limit_cost: Option<i64>,
    pub(crate) committed_cost_at_edit: i64,
    pub(crate) spent_cost: i64,
    pub(crate) overage_cost: i64,
    pub(crate) reserved_cost: i64,
    /// Sum over reservations that ended with a cost.
    pub(crate) charged: i64,
    /// Sum over reservations that have not ended.
    pub(crate) open: i64,
}

/// What the model counted for one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Calls {
    #[serde(rename = "calls")]
    pub(crate) count: u64,
    pub(crate) prompt_tokens: u64,
    pub(crate) completion_tokens: u64,
}

impl Snapshot {
    pub(crate) fn take(world: &World, drill: &Drill) -> Result<Self> {
        let uid = &drill.uid;
        let mut taken = Self::rows(world, uid)?;
        let pods = world.pods(&format!("{TASK_UID}={uid}"))?;
        taken.pods = pods.iter().map(name).collect();
        let ended = |pod: &&Value| !matches!(text(&pod["status"]["phase"]), "Succeeded" | "Failed");
        taken.live_pods = pods.iter().filter(ended).map(name).collect();
        let runs = world.list(&["sandboxruns", "-A", "-l", &format!("{TASK_UID}={uid}")])?;
        taken.runs = runs.iter().map(name).collect();
        let open = |run: &&Value| !has_ended(run);
        taken.live_runs = runs.iter().filter(open).map(name).collect();
        taken.tally = serde_json::from_value(world.tally()?["byOp"].clone())?;
        taken.unpaid = unpaid(world, &taken.tally)?;
        taken.commits = if drill.git { Some(commits(world, drill)?) } else { None };
        Ok(taken)
    }

    /// In a few words: what was paid and what was voted. Unknown calls are those whose end nobody saw.
    pub(crate) fn figures(&self) -> String {
        let count = |state: &str| self.reservations.iter().filter(|r| r.state == state).count();
        format!(
            "{} calls settled as the model counted them, {} Unknown, {} released, {} ballots",
            count("Settled"),
            count("Unknown"),
            count("Released"),
            self.ballots.len()
        )
    }

    /// Everything in the database, in one look: what it shows was true together.
    fn rows(world: &World, uid: &str) -> Result<Self> {
        let rows = world.sql(&LOOK.replace("TASK", uid))?;
        let row = rows.first().context("the database shows nothing")?;
        let (count, words) = (|key: &str| row[key].as_i64().unwrap_or(0), |key: &str| row[key].as_str());
        Ok(Self {
            outcome: words("outcome").map(str::to_owned),
            last_entry: words("last_entry").map(str::to_owned),
            attempt: count("attempt"),
            ballots: all(&row["ballots"])?,
            reservations: all(&row["reservations"])?,
            accounts: all(&row["accounts"])?,
            letters: all(&row["letters"])?,
            wanted: count("wanted"),
            unconsumed: count("unconsumed"),
            unpublished: count("unpublished"),
            open_escalations: count("open_escalations"),
            ..Self::default()
        })
    }
}

/// `TASK` stands for the task's uid.
const LOOK: &str = "SELECT
    (SELECT outcome FROM tasks WHERE task_uid = 'TASK') AS outcome,
    (SELECT (state->>'attempt')::bigint FROM tasks WHERE task_uid = 'TASK') AS attempt,
    (SELECT kind FROM task_events WHERE task_uid = 'TASK' ORDER BY seq DESC LIMIT 1) AS last_entry,
    (SELECT count(*) FROM desired WHERE task_uid = 'TASK' AND wanted) AS wanted,
    (SELECT count(*) FROM facts WHERE task_uid = 'TASK' AND consumed_at IS NULL) AS unconsumed,
    (SELECT count(*) FROM outbox WHERE task_uid = 'TASK' AND published_at IS NULL) AS unpublished,
    (SELECT count(*) FROM escalations WHERE task_uid = 'TASK' AND state = 'Open') AS open_escalations,
    (SELECT json_agg(b) FROM (SELECT attempt, round, voter, count(*) FROM ballots WHERE task_uid = 'TASK'
        GROUP BY 1, 2, 3) b) AS ballots,
    (SELECT json_agg(r) FROM (SELECT op_key, state, input_tokens, output_tokens FROM reservations
        WHERE task_uid = 'TASK') r) AS reservations,
    (SELECT json_agg(reason) FROM dead_letters WHERE state = 'Held'
        AND team_uid = (SELECT team_uid FROM tasks WHERE task_uid = 'TASK')) AS letters,
    (SELECT json_agg(c) FROM (
        SELECT a.name, a.limit_cost + a.granted_cost AS limit_cost, a.committed_cost_at_edit, a.spent_cost, a.overage_cost, a.reserved_cost,
            coalesce((SELECT sum(r.actual_cost) FROM reservations r WHERE a.account_uid = ANY (r.path)
                AND r.state IN ('Settled', 'Unknown')), 0)::bigint AS charged,
            coalesce((SELECT sum(r.cost) FROM reservations r WHERE a.account_uid = ANY (r.path)
                AND r.state IN ('Reserved', 'Dispatched')), 0)::bigint AS open
        FROM accounts a JOIN task_accounts p ON a.account_uid = ANY (p.path) WHERE p.task_uid = 'TASK') c) AS accounts";

/// No row is null in SQL's own aggregate.
fn all<T: serde::de::DeserializeOwned>(rows: &Value) -> Result<Vec<T>> {
    Ok(serde_json::from_value::<Option<Vec<T>>>(rows.clone())?.unwrap_or_default())
}

fn name(object: &Value) -> String {
    format!("{}/{}", text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]))
}

fn has_ended(run: &Value) -> bool {
    run["status"]["conditions"].as_array().into_iter().flatten().any(|c| {
        matches!(text(&c["type"]), "Complete" | "Failed") && text(&c["status"]) == "True"
            || text(&c["type"]) == "Complete"
                && text(&c["status"]) == "False"
                && !run["status"]["reason"].is_null()
    })
}

fn commits(world: &World, drill: &Drill) -> Result<u32> {
    let pods = world.list(&["pods", "-n", DEMO, "-l", "app=git"])?;
    let pod = pods.first().map(|p| text(&p["metadata"]["name"]).to_owned()).unwrap_or_default();
    let branch = format!("golden/{}-{}", drill.namespace, drill.name);
    let git = ["--", "git", "--git-dir=/srv/git/shop.git"];
    let exec = ["-n", DEMO, "exec", &pod];
    let refs = world.tools.kubectl(&[&exec[..], &git[..], &["branch", "--list", &branch]].concat())?;
    if refs.trim().is_empty() {
        return Ok(0);
    }
    let range = format!("main..{branch}");
    let count = world.tools.kubectl(&[&exec[..], &git[..], &["rev-list", "--count", &range]].concat())?;
    Ok(count.trim().parse()?)
}
