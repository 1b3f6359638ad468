//! `golden logs`: what the guards of a task printed.

use super::client::Connection;
use super::output::{Format, json};
use serde_json::Value;

/// Which task, and which guard.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Name of the AgentTask.
    name: String,
    /// Only this guard.
    #[arg(short, long)]
    guard: Option<String>,
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<u8> {
    let cluster = args.connection.connect().await?;
    let events: Vec<Value> = cluster.get(&format!("tasks/{}/events", args.name)).await?;
    let runs: Vec<Value> = events.iter().filter_map(|event| guard(event, args.guard.as_deref())).collect();
    if args.output == Format::Json {
        return json(&runs);
    }
    if runs.is_empty() {
        println!("no guard of {} has ended yet", args.name);
    }
    for run in runs {
        println!("==> attempt {}, {}: {}", run["attempt"], text(&run, "guard"), text(&run, "verdict"));
        let output = match run["outputDigest"].as_str() {
            Some(digest) => cluster.text(&format!("artifacts/{digest}")).await,
            None => Ok(text(&run, "excerpt")),
        };
        println!("{}", output.unwrap_or_else(|_| text(&run, "excerpt")));
    }
    Ok(0)
}

fn guard(event: &Value, only: Option<&str>) -> Option<Value> {
    let body = event.get("body")?;
    let name = body.get("guard")?.as_str()?;
    body.get("verdict")?;
    (only.is_none_or(|o| o == name)).then(|| body.clone())
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}
