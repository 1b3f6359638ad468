//! `golden escalations`: questions to people. They are answered with `golden approve` and `golden deny`.

use super::client::Connection;
use super::output::{Format, Table, json, text};
use super::votes::{one_line, short};
use serde_json::Value;

/// Characters of what happened.
const MOST_WHY: usize = 240;

/// Which of them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Also those that were answered, expired or withdrawn.
    #[arg(long)]
    all: bool,
    /// A table for people, or JSON for programs.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<u8> {
    let cluster = args.connection.connect().await?;
    let mut found: Vec<Value> = cluster.get("escalations").await?;
    found.retain(|escalation| args.all || escalation["state"] == "Open");
    if args.output == Format::Json {
        return json(&found);
    }
    print!("{}", table(&found));
    Ok(0)
}

fn table(escalations: &[Value]) -> String {
    if escalations.is_empty() {
        return "no open escalations\n".into();
    }
    let mut table = Table::new(&[
        "TASK", "ATTEMPT", "REASON", "STATE", "OWNER", "OPTIONS", "DEADLINE", "DEFAULT", "ANSWER",
    ]);
    for one in escalations {
        let options = one["options"].as_array().into_iter().flatten().filter_map(Value::as_str);
        table.row([
            text(one, "task"),
            // Of a task that has not begun.
            if one["attempt"] == 0 { "-".to_owned() } else { one["attempt"].to_string() },
            text(one, "reason"),
            text(one, "state"),
            text(one, "owner"),
            options.collect::<Vec<_>>().join(","),
            text(one, "deadline"),
            text(one, "defaultOption"),
            answer(one).unwrap_or_default(),
        ]);
    }
    let mut shown = table.render();
    for one in escalations.iter().filter(|one| one["state"] == "Open") {
        shown.push_str(&details(one));
    }
    shown
}

/// What happened, and the attempts it is about where there are several.
fn details(escalation: &Value) -> String {
    let why = why(escalation, MOST_WHY);
    if why.is_empty() {
        return String::new();
    }
    let mut shown = format!("\n{}: {why}\n", text(escalation, "task"));
    for attempt in escalation["evidence"]["evidence"]["attempts"].as_array().into_iter().flatten() {
        let digest = short(attempt["tree"].as_str().unwrap_or_default());
        shown.push_str(&format!("  attempt {} gave {digest}\n", attempt["attempt"]));
    }
    shown
}

/// What happened, in at most `most` characters. The rest of its evidence is in `golden votes` and `golden explain`.
pub(super) fn why(escalation: &Value, most: usize) -> String {
    one_line(escalation["evidence"]["message"].as_str().unwrap_or_default(), most)
}

/// Which option counts and who chose it, once that is so: nobody did where it is the default at the deadline.
pub(super) fn answer(escalation: &Value) -> Option<String> {
    let by = escalation["resolvedBy"].as_str().unwrap_or("nobody");
    Some(format!("{} by {by}", escalation["chosen"].as_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_question_shows_what_may_be_answered_until_when_and_what_counts_otherwise() {
        let open = json!({"task": "adr", "attempt": 1, "reason": "ReviewTied", "state": "Open",
            "options": ["Accept", "Reject"], "deadline": "2026-01-01T00:00:00Z", "defaultOption": "Reject",
            "chosen": null, "resolvedBy": null, "owner": "core", "evidence": {"message": "2 to 2"}});
        let mut start = open.clone();
        start["attempt"] = 0.into();
        start["reason"] = "ForecastExceedsBudget".into();
        start["evidence"] = json!({"message": "the forecast is $0.12, and Budget a/b has $0.10 left"});
        let mut answered = open.clone();
        answered["chosen"] = "Accept".into();
        answered["resolvedBy"] = "bob".into();
        let text = table(&[start, open, answered]);
        let line = |n: usize| text.lines().nth(n).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(line(1).starts_with("adr - ForecastExceedsBudget Open core Accept,Reject"), "{text}");
        assert!(text.contains("\nadr: the forecast is $0.12, and Budget a/b has $0.10 left\n"), "{text}");
        assert!(line(2).starts_with("adr 1 ReviewTied Open core Accept,Reject"), "{text}");
        assert!(text.contains("\nadr: 2 to 2\n"), "{text}");
        assert!(text.contains("Accept by bob"), "{text}");
        let defaulted = json!({"state": "Defaulted", "chosen": "Reject", "resolvedBy": null});
        assert!(table(&[defaulted]).contains("Reject by nobody"));
    }

    #[test]
    fn an_open_question_says_what_happened_on_which_attempts() {
        let attempts = json!([{"attempt": 1, "tree": "sha256:0123456789abcdef"}, {"attempt": 3, "tree": "sha256:fedcba"}]);
        let evidence =
            json!({"message": "guard unit failed", "evidence": {"times": 2, "attempts": attempts}});
        let mut one =
            json!({"task": "adr", "attempt": 3, "reason": "Stuck", "state": "Open", "evidence": evidence});
        let text = table(std::slice::from_ref(&one));
        assert!(text.contains("\nadr: guard unit failed\n  attempt 1 gave "), "{text}");
        assert!(text.contains("\n  attempt 3 gave "), "{text}");
        one["state"] = "Resolved".into();
        assert!(!table(&[one]).contains("guard unit failed"), "what is settled is a row");
    }
}
