//! What a question to a person rests on, in a few lines for the task's status. The whole is in the escalation's evidence.

use super::reasons::bounded;
use golden_consensus::Ballot;
use golden_platform::wire::GuardOutcome;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Lines at most.
const MAX_LINES: usize = 4;
/// Bytes of a line at most.
const MAX_LINE_BYTES: usize = 256;
/// Places that one line names at most.
const MAX_PLACES: usize = 2;

/// The first objections and failed guards of an escalation's evidence. What is in it in another form is left out.
pub(super) fn in_short(evidence: &Value) -> Vec<String> {
    // Of work that goes in circles it is about what happened again.
    let evidence = evidence.get("failure").unwrap_or(evidence);
    let dissent = evidence.get("dissent").or_else(|| evidence.pointer("/decision/dissent"));
    let objections = list::<Ballot>(dissent).into_iter().map(|ballot| objection(&ballot));
    let guards = list::<GuardOutcome>(evidence.get("failedGuards")).into_iter().map(|outcome| {
        let code = outcome.exit_code.map(|code| format!(", exit code {code}")).unwrap_or_default();
        format!("guard {}: {}{code}", outcome.guard, outcome.reason)
    });
    guards
        .chain(objections)
        .take(MAX_LINES)
        .map(|line| bounded(&on_one_line(&line), MAX_LINE_BYTES))
        .collect()
}

/// Places before reasons: a long reason is cut.
fn objection(ballot: &Ballot) -> String {
    let places: Vec<String> = ballot
        .evidence
        .iter()
        .take(MAX_PLACES)
        .map(|e| {
            let found = if e.verified { "" } else { ", not found there" };
            let file: String = e.file.chars().take(80).collect();
            format!("{file}:{}{found}", e.start_line)
        })
        .collect();
    let at = if places.is_empty() { String::new() } else { format!(" ({})", places.join("; ")) };
    format!("{}{at}: {}", ballot.role, ballot.rationale)
}

fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn list<T: DeserializeOwned>(value: Option<&Value>) -> Vec<T> {
    let items = value.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    items.iter().filter_map(|item| T::deserialize(item).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ballot(role: &str, rationale: &str) -> Value {
        json!({"voter": role, "role": role, "model": "m", "verdict": "Reject", "digest": "sha256:aa", "rationale": rationale,
            "evidence": [{"file": "a.py", "startLine": 3, "endLine": 4, "quote": "x", "verified": true},
                         {"file": "b.py", "startLine": 7, "endLine": 7, "quote": "y", "verified": false}]})
    }

    #[test]
    fn objections_name_who_where_and_why() {
        let told = in_short(&json!({"dissent": [ballot("security", "the key\nis logged")]}));
        assert_eq!(told, ["security (a.py:3; b.py:7, not found there): the key is logged"]);
        let whole = json!({"decision": {"dissent": [ballot("security", "no")]}});
        assert_eq!(in_short(&whole).len(), 1, "also where the whole decision is the evidence");
    }

    #[test]
    fn it_is_bounded_and_what_it_does_not_know_is_left_out() {
        let many = json!({"dissent": vec![ballot("security", &"ä".repeat(4000)); 9]});
        let told = in_short(&many);
        assert_eq!(told.len(), MAX_LINES);
        assert!(told.iter().all(|line| line.len() <= MAX_LINE_BYTES && line.contains("a.py:3")));
        for other in [json!({"rounds": 3}), json!(null), json!({"dissent": ["?"], "failedGuards": 3})] {
            assert_eq!(in_short(&other), Vec::<String>::new());
        }
    }
}
