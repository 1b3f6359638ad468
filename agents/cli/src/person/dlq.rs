//! `golden dlq`: what could not be processed. Reading takes the right to view the namespace, acting to edit it.

use super::client::Connection;
use super::output::{Format, Table, json, text};
use serde_json::Value;

/// What to do with dead letters.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum DlqCommand {
    /// List the dead letters of the namespace's teams: those that wait first.
    List {
        #[command(flatten)]
        connection: Connection,
        /// Also those that were replayed or discarded.
        #[arg(long)]
        all: bool,
        /// A table for people, or JSON for programs.
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Show one with its reason and message.
    Show(One),
    /// Send one again to where it came from. It is processed as if it were new.
    Replay(One),
    /// Mark one as not to be processed. It stays readable.
    Discard(One),
}

/// Which letter.
#[derive(Debug, clap::Args)]
pub(crate) struct One {
    #[command(flatten)]
    connection: Connection,
    /// Number of the dead letter, from `golden dlq list`.
    #[arg(value_parser = clap::value_parser!(i64).range(1..))]
    id: i64,
    /// A table for people, or JSON for programs.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub(crate) async fn run(command: DlqCommand) -> anyhow::Result<u8> {
    match command {
        DlqCommand::List { connection, all, output } => list(&connection, all, output).await,
        DlqCommand::Show(one) => show(one).await,
        DlqCommand::Replay(one) => act(one, "replay").await,
        DlqCommand::Discard(one) => act(one, "discard").await,
    }
}

async fn list(connection: &Connection, all: bool, output: Format) -> anyhow::Result<u8> {
    let cluster = connection.connect().await?;
    let mut letters: Vec<Value> = cluster.get("dead-letters").await?;
    letters.retain(|letter| all || letter["state"] == "Held");
    if output == Format::Json {
        return json(&letters);
    }
    print!("{}", table(&letters));
    Ok(0)
}

fn table(letters: &[Value]) -> String {
    if letters.is_empty() {
        return "no dead letters\n".into();
    }
    let mut table = Table::new(&["ID", "TEAM", "SUBJECT", "STATE", "SINCE", "REASON"]);
    for letter in letters {
        let reason: String = text(letter, "reason").chars().take(100).collect();
        table.row([
            letter["id"].to_string(),
            text(letter, "team"),
            // `golden.<team>.prc.review` → `prc.review`
            text(letter, "subject").splitn(3, '.').nth(2).unwrap_or_default().to_owned(),
            text(letter, "state"),
            text(letter, "at"),
            reason.replace('\n', " "),
        ]);
    }
    table.render()
}

async fn show(one: One) -> anyhow::Result<u8> {
    let cluster = one.connection.connect().await?;
    let letter: Value = cluster.get(&format!("dead-letters/{}", one.id)).await?;
    if one.output == Format::Json {
        return json(&letter);
    }
    for key in ["team", "subject", "stream", "state", "at", "reason"] {
        println!("{key}: {}", text(&letter, key));
    }
    println!("message:\n{}", serde_json::to_string_pretty(&letter["payload"])?);
    Ok(0)
}

async fn act(one: One, what: &str) -> anyhow::Result<u8> {
    let cluster = one.connection.connect().await?;
    let done: Value = cluster.act(&format!("dead-letters/{}/{what}", one.id)).await?;
    if one.output == Format::Json {
        return json(&done);
    }
    println!("dead letter {}: {}", one.id, text(&done, "state"));
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn letters_are_a_table_of_single_lines() {
        let letter = json!({"id": 7, "team": "core", "subject": "golden.0a.prc.review", "state": "Held",
                            "at": "2026-01-01T00:00:00Z", "reason": "no\nhandler"});
        let text = table(&[letter]);
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains("7    core   prc.review   Held"), "{text}");
        assert!(text.contains("no handler"), "{text}");
        assert_eq!(table(&[]), "no dead letters\n");
    }
}
