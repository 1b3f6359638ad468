//! The demo's four stories.

use crate::install::{Model, apply_example, condition, find_condition};
use crate::report::Outcome;
use crate::tools::{Final, Tools, wait_for};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// The namespace the stories play in.
pub const NAMESPACE: &str = "checkout";
/// The tasks, by the names of their files in `examples/tasks`.
pub const TASKS: [&str; 3] = ["fix-slugify", "adr-queue", "small-budget"];

/// The one whose recorded votes tie.
const TIED: &str = "adr-queue";

/// Two tasks that want the last cent of one budget. Whose it is, nobody knows before.
pub const RACERS: [&str; 2] = ["last-cent-left", "last-cent-right"];
/// What each of them pays from, both from one parent.
const RACERS_BUDGETS: [&str; 2] = ["left", "right"];

/// How long the recorded model may take over the stories, and any step of it.
const LONG: Duration = Duration::from_mins(5);
/// How long a real model may take over the stories.
const LONGER: Duration = Duration::from_mins(40);

/// Where a task stands, for whoever tells its story.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Turn {
    Complete,
    Failed,
    /// It waits for a person; the digest says for which answer.
    Escalated {
        reason: String,
        digest: String,
    },
    /// It goes on by itself.
    Works,
}

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
    gone(tools, NAMESPACE, "decision", &own_decisions(&tools.get(&["-n", NAMESPACE, "decisions"])?))?;
    renew_budgets(tools)?;
    restart_parts(tools)
}

/// Deletes these objects, as far as they are there.
fn gone(tools: &Tools, namespace: &str, kind: &str, names: &[&str]) -> Result<()> {
    if !names.is_empty() {
        let what = [&["-n", namespace, "delete", kind][..], names].concat();
        tools.kubectl(&[&what[..], &["--ignore-not-found", "--timeout=60s"]].concat())?;
    }
    Ok(())
}

/// The Decisions on the stories' own tasks: the namespace may hold others. Pure.
fn own_decisions(list: &Value) -> Vec<&str> {
    let own = |decision: &&Value| {
        let target = &decision["spec"]["target"];
        let name = target["name"].as_str().unwrap_or_default();
        target["kind"] == "AgentTask" && (TASKS.contains(&name) || RACERS.contains(&name))
    };
    let all = list["items"].as_array().into_iter().flatten();
    all.filter(own).filter_map(|decision| decision["metadata"]["name"].as_str()).collect()
}

/// Makes the budgets that a story uses up anew: the same names, and nothing spent. The race's own two count as its
/// parent does: what the winner of an earlier run spent of its own would hold the next winner's call for ever.
fn renew_budgets(tools: &Tools) -> Result<()> {
    gone(tools, NAMESPACE, "budget", &RACERS_BUDGETS)?;
    gone(tools, "golden-system", "budget", &["last-cent"])?;
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
pub fn submit(tools: &Tools, model: &Model) -> Result<()> {
    let race = matches!(model, Model::Recorded).then_some("last-cent");
    TASKS.into_iter().chain(race).try_for_each(|name| apply_example(tools, &format!("tasks/{name}.yaml")))
}

/// Plays all to their end, telling each step to `say`, and gathers what came of them.
pub fn play(tools: &Tools, model: &Model, say: &mut dyn FnMut(&str)) -> Result<Vec<Outcome>> {
    raise_the_budget(tools, model, say)?;
    let decided = see_through(tools, model, say)?;
    let mut names = TASKS.to_vec();
    match model {
        Model::Recorded => {
            ensure!(decided == [TIED].into(), "a person decides {TIED} alone, and did decide {decided:?}");
            one_gets_it(tools, say)?;
            names.extend(RACERS);
        }
        Model::Real { .. } if !decided.contains(TIED) => {
            say(&format!("{TIED}: its voters agreed, so nobody was asked"));
        }
        Model::Real { .. } => {}
    }
    names.into_iter().map(|name| outcome(tools, name)).collect()
}

fn patience(model: &Model) -> Duration {
    match model {
        Model::Recorded => LONG,
        Model::Real { .. } => LONGER,
    }
}

/// Waits until every task is Complete, and answers as a person whatever waits for one. Which did.
fn see_through(tools: &Tools, model: &Model, say: &mut dyn FnMut(&str)) -> Result<BTreeSet<&'static str>> {
    let (mut done, mut answered, mut decided) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    wait_for("the stories to complete", patience(model), || {
        let mut open = Vec::new();
        for name in TASKS {
            if done.contains(name) {
                continue;
            }
            let task = task(tools, name)?;
            match turn(&task) {
                Turn::Complete => {
                    say(&format!("{name}: Complete"));
                    done.insert(name);
                    continue;
                }
                Turn::Failed => refuse_failed(&task)?,
                Turn::Escalated { reason, digest } if !answered.contains(&digest) => {
                    decide(tools, name, &reason, say)?;
                    answered.insert(digest);
                    decided.insert(name);
                }
                Turn::Escalated { .. } | Turn::Works => {}
            }
            open.push(format!("{name}: {}", stands(&task)));
        }
        ensure!(open.is_empty(), "{}", open.join("; "));
        Ok(Some(()))
    })?;
    Ok(decided)
}

/// Answers an escalation as the approver of the examples does.
fn decide(tools: &Tools, name: &str, reason: &str, say: &mut dyn FnMut(&str)) -> Result<()> {
    say(&format!("{name}: escalated to a person, {reason}"));
    let note = if name == TIED { "Two people can run Postgres." } else { "Good enough to go on with." };
    let decided = tools.golden(&["approve", name, "-n", NAMESPACE, "--as", "bob@example", "--note", note]);
    // Nothing changes by asking again.
    let decided = decided.map_err(|error| Final(format!("{name}: {error:#}")))?;
    say(&format!("{name}: {}", decided.lines().next().unwrap_or_default()));
    Ok(())
}

/// Where a task stands. Pure.
fn turn(task: &Value) -> Turn {
    let text = |pointer: &str| task.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    if condition(task, "Complete") == Some("True") {
        return Turn::Complete;
    }
    if condition(task, "Failed") == Some("True") {
        return Turn::Failed;
    }
    if task.pointer("/status/escalation").is_some_and(Value::is_object) {
        let (reason, digest) = (text("/status/escalation/reason"), text("/status/escalation/digest"));
        return Turn::Escalated { reason, digest };
    }
    Turn::Works
}

/// How a task stands, for whoever waits too long: its stage, and what keeps it. Pure.
fn stands(task: &Value) -> String {
    let stage = task["status"]["stage"].as_str().unwrap_or("not begun").to_owned();
    let troubles = [("Stalled", "True"), ("BudgetAvailable", "False")];
    let troubles = troubles.into_iter().filter(|(kind, status)| condition(task, kind) == Some(status));
    [stage].into_iter().chain(troubles.map(|(kind, _)| message(task, kind))).collect::<Vec<_>>().join(", ")
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

/// Waits until the small budget holds a call, then raises it. What a real model needs may fit.
fn raise_the_budget(tools: &Tools, model: &Model, say: &mut dyn FnMut(&str)) -> Result<()> {
    let paused = wait_for("small-budget to pause for money", patience(model), || {
        let task = task(tools, "small-budget")?;
        refuse_failed(&task)?;
        if condition(&task, "Complete") == Some("True") {
            return Ok(Some(None));
        }
        let lacks = condition(&task, "BudgetAvailable") == Some("False");
        Ok(lacks.then(|| Some(message(&task, "BudgetAvailable"))))
    })?;
    let Some(message) = paused else {
        ensure!(matches!(model, Model::Real { .. }), "small-budget completed without a pause");
        say("small-budget: what it needed fitted its budget, so nobody had to raise it");
        return Ok(());
    };
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

/// The RuntimeClass that a task's guards ran under, as its status shows it.
pub fn isolation(tools: &Tools, name: &str) -> Result<Option<String>> {
    Ok(task(tools, name)?["status"]["isolation"].as_str().map(str::to_owned))
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn task(conditions: &Value, more: &Value) -> Value {
        let mut status = json!({"stage": "Reviewing", "conditions": conditions});
        status
            .as_object_mut()
            .into_iter()
            .for_each(|s| s.extend(more.as_object().cloned().unwrap_or_default()));
        json!({"status": status})
    }

    #[test]
    fn an_escalation_is_answered_while_it_is_open_and_never_after_the_end() {
        let complete = json!([{"type": "Complete", "status": "True"}]);
        let failed = json!([{"type": "Failed", "status": "True"}]);
        let asks = json!({"escalation": {"reason": "Tie", "digest": "sha256:1"}});
        let escalated = Turn::Escalated { reason: "Tie".into(), digest: "sha256:1".into() };
        for (conditions, more, want) in [
            (&json!([]), &json!({}), Turn::Works),
            (&json!([]), &asks, escalated),
            (&complete, &asks, Turn::Complete),
            (&failed, &json!({}), Turn::Failed),
        ] {
            assert_eq!(turn(&task(conditions, more)), want);
        }
    }

    #[test]
    fn who_waits_too_long_reads_what_keeps_the_task() {
        let of = |kind: &str, status: &str| json!([{"type": kind, "status": status, "message": "in words"}]);
        for (conditions, want) in [
            (json!([]), "Reviewing"),
            (of("BudgetAvailable", "True"), "Reviewing"),
            (of("BudgetAvailable", "False"), "Reviewing, in words"),
            (of("Stalled", "True"), "Reviewing, in words"),
        ] {
            assert_eq!(stands(&task(&conditions, &json!({}))), want);
        }
        assert_eq!(stands(&json!({})), "not begun");
    }

    #[test]
    fn decisions_of_others_are_not_the_demos_to_delete() {
        let decision = |name: &str, kind: &str, target: &str| json!({"metadata": {"name": name}, "spec": {"target": {"kind": kind, "name": target}}});
        let list = json!({"items": [
            decision("a", "AgentTask", "adr-queue"),
            decision("b", "AgentTask", "somebody-elses"),
            decision("c", "Budget", "adr-queue"),
            decision("d", "AgentTask", "last-cent-left"),
        ]});
        assert_eq!(own_decisions(&list), ["a", "d"]);
        assert!(own_decisions(&json!({"items": []})).is_empty());
    }
}
