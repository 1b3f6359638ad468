//! The demo's four stories.

use crate::install::{apply_example, condition, find_condition};
use crate::report::Outcome;
use crate::tools::{Final, Tools, wait_for};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::time::Duration;

/// The namespace the stories play in.
pub const NAMESPACE: &str = "checkout";
/// The tasks, by the names of their files in `examples/tasks`.
pub const TASKS: [&str; 3] = ["fix-slugify", "adr-queue", "small-budget"];

/// Two tasks that want the last cent of one budget. Whose it is, nobody knows before.
pub const RACERS: [&str; 2] = ["last-cent-left", "last-cent-right"];
/// What each of them pays from, both from one parent.
const RACERS_BUDGETS: [&str; 2] = ["left", "right"];

const LONG: Duration = Duration::from_mins(5);

/// Removes what an earlier run left, so that the stories start from their beginning.
pub fn reset(tools: &Tools) -> Result<()> {
    for name in TASKS.into_iter().chain(RACERS) {
        tools.kubectl(&[
            "-n",
            NAMESPACE,
            "delete",
            "agenttask",
            name,
            "--ignore-not-found",
            "--timeout=60s",
        ])?;
    }
    tools.kubectl(&["-n", NAMESPACE, "delete", "decisions", "--all", "--timeout=60s"])?;
    renew_budgets(tools)?;
    restart_parts(tools)
}

/// Makes the budgets that a story uses up anew: the same names, and nothing spent. The race's own two count as its
/// parent does: what the winner of an earlier run spent of its own would hold the next winner's call for ever.
fn renew_budgets(tools: &Tools) -> Result<()> {
    let gone = |namespace, names: &[&str]| {
        let what = [&["-n", namespace, "delete", "budget"][..], names].concat();
        tools.kubectl(&[&what[..], &["--ignore-not-found", "--timeout=60s"]].concat())
    };
    gone(NAMESPACE, &RACERS_BUDGETS)?;
    gone("golden-system", &["last-cent"])?;
    apply_example(tools, "platform/budget.yaml")?;
    apply_example(tools, "checkout/budgets.yaml")?;
    for budget in RACERS_BUDGETS {
        wait_for(&format!("the budget {budget} to find its parent"), LONG, || {
            let budget = tools.get(&["-n", NAMESPACE, "budget", budget])?;
            Ok((condition(&budget, "Ready") == Some("True")).then_some(()))
        })?;
    }
    Ok(())
}

/// Restarts the git server and the model. Both keep their state in the pod's own folder: the delivered branches and
/// the tally of calls begin anew.
pub fn restart_parts(tools: &Tools) -> Result<()> {
    for name in ["git", "golden-model"] {
        let target = format!("deployment/{name}");
        tools.kubectl(&["-n", "golden-demo", "rollout", "restart", &target])?;
        tools.kubectl(&["-n", "golden-demo", "rollout", "status", &target, "--timeout=120s"])?;
    }
    Ok(())
}

/// Submits all tasks at once. The race is set for the recorded model: what another one uses for its calls decides
/// whether they fit the last cent.
pub fn submit(tools: &Tools, race: bool) -> Result<()> {
    let files = TASKS.iter().copied().chain(race.then_some("last-cent"));
    files.into_iter().try_for_each(|name| apply_example(tools, &format!("tasks/{name}.yaml")))
}

/// Plays all to their end, telling each step to `say`, and gathers what came of them.
pub fn play(tools: &Tools, race: bool, say: &mut dyn FnMut(&str)) -> Result<Vec<Outcome>> {
    raise_the_budget(tools, say)?;
    decide_the_tie(tools, say)?;
    for name in TASKS {
        wait_complete(tools, name)?;
        say(&format!("{name}: Complete"));
    }
    let mut names = TASKS.to_vec();
    if race {
        one_gets_it(tools, say)?;
        names.extend(RACERS);
    }
    names.into_iter().map(|name| outcome(tools, name)).collect()
}

/// Waits until both racers have ended: one Complete, the other refused for want of money.
fn one_gets_it(tools: &Tools, say: &mut dyn FnMut(&str)) -> Result<()> {
    let mut won = Vec::new();
    for name in RACERS {
        let (complete, message) = wait_for(&format!("{name} to end"), LONG, || {
            let task = task(tools, name)?;
            let ended = |kind| condition(&task, kind) == Some("True");
            Ok((ended("Complete") || ended("Failed")).then(|| (ended("Complete"), message(&task, "Failed"))))
        })?;
        say(&format!("{name}: {}", if complete { "Complete" } else { message.as_str() }));
        won.extend(complete.then_some(name));
    }
    ensure!(won.len() == 1, "one racer gets the last cent, and {won:?} did");
    Ok(())
}

/// Waits until the small budget holds a call, then raises it.
pub fn raise_the_budget(tools: &Tools, say: &mut dyn FnMut(&str)) -> Result<()> {
    let message = wait_for("small-budget to pause for money", LONG, || {
        let task = task(tools, "small-budget")?;
        refuse_failed(&task)?;
        Ok((condition(&task, "BudgetAvailable") == Some("False")).then(|| message(&task, "BudgetAvailable")))
    })?;
    say(&format!("small-budget: paused, {message}"));
    tools.kubectl(&[
        "-n",
        NAMESPACE,
        "patch",
        "budget",
        "experiments",
        "--type=merge",
        "-p",
        r#"{"spec":{"limits":{"costMicroUSD":500000}}}"#,
    ])?;
    say("small-budget: its budget was raised to $0.50");
    Ok(())
}

/// Waits until the votes on the decision record tie, then lets a person decide.
pub fn decide_the_tie(tools: &Tools, say: &mut dyn FnMut(&str)) -> Result<()> {
    let reason = wait_for("adr-queue to be escalated", LONG, || {
        let task = task(tools, "adr-queue")?;
        refuse_failed(&task)?;
        Ok(task["status"]["escalation"]["reason"].as_str().map(str::to_owned))
    })?;
    say(&format!("adr-queue: escalated to a person, {reason}"));
    let decided = tools.golden(&[
        "approve",
        "adr-queue",
        "-n",
        NAMESPACE,
        "--as",
        "bob@example",
        "--note",
        "Two people can run Postgres.",
    ])?;
    say(&format!("adr-queue: {}", decided.lines().next().unwrap_or_default()));
    Ok(())
}

/// Waits until a task is Complete; a task that fails is reported at once.
pub fn wait_complete(tools: &Tools, name: &str) -> Result<()> {
    wait_for(&format!("{name} to complete"), LONG, || {
        let task = task(tools, name)?;
        refuse_failed(&task)?;
        Ok((condition(&task, "Complete") == Some("True")).then_some(()))
    })
}

/// One task as the apiserver has it.
pub fn task(tools: &Tools, name: &str) -> Result<Value> {
    tools.get(&["-n", NAMESPACE, "agenttask", name])
}

fn message(object: &Value, kind: &str) -> String {
    of_condition(object, kind, "message")
}

fn reason(object: &Value, kind: &str) -> String {
    of_condition(object, kind, "reason")
}

fn of_condition(object: &Value, kind: &str, field: &str) -> String {
    find_condition(object, kind).and_then(|c| c[field].as_str()).unwrap_or_default().to_owned()
}

fn refuse_failed(task: &Value) -> Result<()> {
    if condition(task, "Failed") == Some("True") {
        let status = serde_json::to_string_pretty(&task["status"])?;
        let text = format!("{} failed: {}\n{status}", task["metadata"]["name"], message(task, "Failed"));
        return Err(Final(text).into());
    }
    Ok(())
}

/// What came of one task.
pub fn outcome(tools: &Tools, name: &str) -> Result<Outcome> {
    let task = task(tools, name)?;
    let votes: Value = serde_json::from_str(&tools.golden(&["votes", name, "-n", NAMESPACE, "-o", "json"])?)?;
    let ballots = votes["ballots"].as_array().context("votes without ballots")?;
    let complete = condition(&task, "Complete") == Some("True");
    ensure!(!complete || !ballots.is_empty(), "{name} is Complete without a vote");
    let status = &task["status"];
    Ok(Outcome {
        name: name.to_owned(),
        complete,
        failed: (condition(&task, "Failed") == Some("True")).then(|| reason(&task, "Failed")),
        attempts: status["attempt"].as_i64().unwrap_or(0),
        votes: ballots
            .iter()
            .map(|b| {
                let of = |v: &Value| v.as_str().unwrap_or("?").to_owned();
                format!("{} {}", of(&b["voter"]), of(&b["ballot"]["verdict"]))
            })
            .collect(),
        cost_micro_usd: status["usage"]["costMicroUSD"].as_i64().unwrap_or(0),
        commit: status["result"]["commit"].as_str().map(str::to_owned),
    })
}
