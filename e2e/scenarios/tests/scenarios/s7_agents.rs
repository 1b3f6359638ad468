//! Agents of other makers, unchanged and in images of their own, do a task with their own tools: through the sidecar and
//! the gateway, judged and paid as the built-in one is.
//!
//! The recorded model answers each in its own protocol, and only if the tools' results show that they really ran.

use crate::support::{git, tally, tools};
use golden_scenarios::install::{self, apply_example};
use golden_scenarios::report::Outcome;
use golden_scenarios::stories::{self, NAMESPACE};
use golden_scenarios::tools::Tools;
use serde_json::Value;

/// What differs between them. Example, team, task and branch have one name.
struct Agent {
    name: &'static str,
    image: &'static str,
    attempts: i64,
    /// Calls of the agent itself, over all attempts.
    calls: i64,
}

#[test]
fn claude_code_mends_what_the_guard_found_and_its_branch_is_delivered() {
    // The first attempt's tests really fail; it reads why, and runs them itself before the second ends.
    play(&Agent {
        name: "claude-code",
        image: "golden.local/golden-claude-code:dev",
        attempts: 2,
        calls: 3 + 5,
    });
}

#[test]
fn codex_edits_and_tests_with_its_own_tools_and_its_branch_is_delivered() {
    play(&Agent { name: "codex", image: "golden.local/golden-codex:dev", attempts: 1, calls: 4 });
}

fn play(agent: &Agent) {
    let tools = tools();
    remove(&tools, agent);
    let before = tally(&tools);
    apply_example(&tools, "agents/git.yaml").expect("the repository's secret");
    apply_example(&tools, &format!("agents/{}.yaml", agent.name)).expect("the example is accepted");
    stories::wait_complete(&tools, agent.name).expect("the task completes");
    let outcome = stories::outcome(&tools, agent.name).expect("it has an outcome");
    println!("{outcome:?}");
    it_was_judged_as_any_other(agent, &outcome);
    it_ran_in_its_own_image(&tools, agent);
    every_call_was_paid(&tools, agent, &before);
    the_branch_holds_its_change(&tools, agent, &outcome);
    remove(&tools, agent);
}

fn it_was_judged_as_any_other(agent: &Agent, outcome: &Outcome) {
    assert!(outcome.complete, "{outcome:?}");
    assert_eq!(outcome.attempts, agent.attempts, "{outcome:?}");
    assert_eq!(outcome.votes.len(), 4, "{outcome:?}");
}

/// The pods of its attempts, which stay for a while after the end.
fn it_ran_in_its_own_image(tools: &Tools, agent: &Agent) {
    let task = stories::task(tools, agent.name).expect("the task is there");
    let uid = task["metadata"]["uid"].as_str().expect("a uid");
    let selector = format!("goldenarch.dev/task-uid={uid},goldenarch.dev/component=attempt");
    let pods = tools.get(&["-n", NAMESPACE, "pods", "-l", &selector]).expect("pods");
    let pods = pods["items"].as_array().expect("a list");
    assert_eq!(i64::try_from(pods.len()).ok(), Some(agent.attempts), "one pod an attempt");
    for pod in pods {
        assert_eq!(pod["spec"]["containers"][0]["image"], agent.image, "{}", pod["metadata"]["name"]);
    }
}

/// The ledger, and the model's own count, agree on what the agent and its reviewers asked.
fn every_call_was_paid(tools: &Tools, agent: &Agent, before: &Value) {
    let text = tools.golden(&["cost", agent.name, "-n", NAMESPACE, "-o", "json"]).expect("cost");
    let lines: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let (mut own, mut all) = (0, 0);
    for line in &lines {
        assert_eq!(line["state"], "Settled", "{line}");
        let calls = line["calls"].as_i64().expect("calls");
        all += calls;
        own += if line["role"] == "developer" { calls } else { 0 };
    }
    assert_eq!(own, agent.calls, "{text}");
    let after = tally(tools);
    let served = |tally: &Value, field: &str| tally[field].as_i64().expect("a count");
    assert_eq!(served(&after, "calls") - served(before, "calls"), all, "{text}");
}

fn the_branch_holds_its_change(tools: &Tools, agent: &Agent, outcome: &Outcome) {
    let branch = format!("golden/{}", agent.name);
    let head = git(tools, &["rev-parse", &branch]).expect("the branch is on the server");
    assert_eq!(Some(head.trim()), outcome.commit.as_deref());
    let changed = git(tools, &["diff", "--name-only", "main", &branch]).expect("a diff");
    assert_eq!(changed.trim(), "shop/slug.py", "what its tools left besides the change");
    let code = git(tools, &["show", &format!("{branch}:shop/slug.py")]).expect("the file");
    assert!(code.contains("\"ß\": \"ss\""), "{code}");
}

fn remove(tools: &Tools, agent: &Agent) {
    for example in [agent.name, "git"] {
        let file = install::root().join(format!("examples/agents/{example}.yaml")).display().to_string();
        tools
            .kubectl(&["delete", "-f", &file, "--ignore-not-found", "--timeout=120s"])
            .expect("what an earlier run left is removed");
    }
    git(tools, &["update-ref", "-d", &format!("refs/heads/golden/{}", agent.name)])
        .expect("no branch, or one less");
}
