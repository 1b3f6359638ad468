//! `golden logs`: what the agents of a task said and its guards printed, from the record, also when the pods are gone.

use super::client::{Cluster, Connection};
use super::output::{Format, json, text};
use serde_json::Value;

/// Longest part of one message that is shown, in characters; the whole transcript is the artifact.
const MOST: usize = 4000;

/// Which task, and whose output.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Name of the AgentTask.
    name: String,
    /// Only this guard.
    #[arg(short, long)]
    guard: Option<String>,
    /// Only the agents' transcripts.
    #[arg(long, conflicts_with = "guard")]
    agent: bool,
    /// Only this attempt.
    #[arg(long)]
    attempt: Option<u64>,
    /// A table for people, or JSON for programs.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<u8> {
    let cluster = args.connection.connect().await?;
    let events: Vec<Value> = cluster.get(&format!("tasks/{}/events", args.name)).await?;
    let parts: Vec<Value> = events.iter().filter_map(|event| wanted(&args, event)).collect();
    if args.output == Format::Json {
        return json(&parts);
    }
    if parts.is_empty() {
        println!("nothing of {} has ended yet", args.name);
    }
    for part in parts {
        if part.get("guard").is_some() {
            guard(&cluster, &part).await;
        } else {
            agent(&cluster, &part).await;
        }
    }
    Ok(0)
}

/// The body of an entry that tells of an agent's or a guard's end.
fn wanted(args: &Args, event: &Value) -> Option<Value> {
    let body = event.get("body")?;
    if args.attempt.is_some_and(|attempt| body["attempt"].as_u64() != Some(attempt)) {
        return None;
    }
    let fits = match body.get("guard").and_then(Value::as_str) {
        Some(name) => {
            !args.agent && body.get("verdict").is_some() && args.guard.as_deref().is_none_or(|g| g == name)
        }
        None => event["kind"] == "Produced" && args.guard.is_none(),
    };
    fits.then(|| body.clone())
}

async fn guard(cluster: &Cluster, run: &Value) {
    println!("==> attempt {}, {}: {}", run["attempt"], text(run, "guard"), text(run, "verdict"));
    let output = match run["outputDigest"].as_str() {
        Some(digest) => cluster.text(&format!("artifacts/{digest}")).await,
        None => Ok(text(run, "excerpt")),
    };
    println!("{}", output.unwrap_or_else(|_| text(run, "excerpt")));
}

async fn agent(cluster: &Cluster, end: &Value) {
    println!("==> attempt {}, try {}: agent, exit code {}", end["attempt"], end["try"], end["exitCode"]);
    let Some(digest) = end["transcript"].as_str() else {
        println!("{}\n(it left no transcript)", plain(&text(end, "summary")));
        return;
    };
    match cluster.text(&format!("artifacts/{digest}")).await {
        Ok(transcript) => print!("{}", read(&transcript)),
        Err(error) => println!("{}\n(transcript {digest}: {error:#})", plain(&text(end, "summary"))),
    }
}

/// A transcript for people: who said what, and which tools were called. A line that is no message is shown as it is.
fn read(transcript: &str) -> String {
    let mut shown = String::new();
    for line in transcript.lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            shown.push_str(&cut(line));
            shown.push('\n');
            continue;
        };
        let said = match &message["content"] {
            Value::String(said) => cut(said),
            Value::Null => String::new(),
            other => cut(&other.to_string()),
        };
        if !said.trim().is_empty() {
            shown.push_str(&format!("[{}] {}\n", cut(&text(&message, "role")), said.trim_end()));
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let function = &call["function"];
            let (name, arguments) = (text(function, "name"), text(function, "arguments"));
            shown.push_str(&format!(
                "[{} calls] {} {}\n",
                cut(&text(&message, "role")),
                cut(&name),
                cut(&arguments)
            ));
        }
    }
    shown
}

fn cut(said: &str) -> String {
    let mut kept: String = said.chars().take(MOST).collect();
    let more = said.chars().count().saturating_sub(MOST);
    if more > 0 {
        kept.push_str(&format!(" […{more} characters more]"));
    }
    plain(&kept)
}

/// What models and programs say must not steer a terminal.
fn plain(said: &str) -> String {
    said.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_transcript_reads_as_a_conversation_and_steers_no_terminal() {
        let lines = [
            json!({"role": "user", "content": "fix it\u{1b}[2J"}).to_string(),
            json!({"role": "assistant", "content": null, "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "read_file", "arguments": "{\"path\":\"a\"}"}}]})
            .to_string(),
            json!({"role": "tool", "tool_call_id": "1", "content": "x".repeat(5000)}).to_string(),
            "cut off in the midd".into(),
        ];
        let shown = read(&lines.join("\n"));
        assert!(
            shown.starts_with("[user] fix it[2J\n[assistant calls] read_file {\"path\":\"a\"}\n[tool] xxx"),
            "{shown}"
        );
        assert!(
            shown.contains("[…1000 characters more]") && shown.ends_with("cut off in the midd\n"),
            "{shown}"
        );
    }

    #[test]
    fn each_part_can_be_asked_for_alone() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: Args,
        }
        let produced =
            json!({"kind": "Produced", "body": {"attempt": 1, "try": 1, "transcript": "sha256:0"}});
        let judged =
            json!({"kind": "GuardJudged", "body": {"attempt": 2, "guard": "unit", "verdict": "Passed"}});
        let asked = json!({"kind": "GuardRequested", "body": {"attempt": 2, "guard": "unit"}});
        let of = |line: &[&str]| {
            let args = <Line as clap::Parser>::parse_from([&["logs", "fix"], line].concat()).args;
            [&produced, &judged, &asked].map(|event| wanted(&args, event).is_some())
        };
        assert_eq!(of(&[]), [true, true, false]);
        assert_eq!(of(&["--agent"]), [true, false, false]);
        assert_eq!(of(&["--guard", "unit"]), [false, true, false]);
        assert_eq!(of(&["--guard", "lint"]), [false, false, false]);
        assert_eq!(of(&["--attempt", "2"]), [false, true, false]);
    }
}
