use crate::{Entry, Head, Header, VERSION, append, export, genesis};
use serde_json::{Value, json};

pub(super) fn header() -> Header {
    Header { v: VERSION, team: "team-1".into(), task: "task-1".into(), install: "install-1".into() }
}

/// Five entries with every kind of JSON value.
pub(super) fn chain() -> Vec<Entry> {
    let bodies: [Value; 5] = [
        json!({"stage": "Admitted", "labels": {"b": 1, "a": [true, false, null]}}),
        json!({"guard": "unit-tests", "verdict": "Failed", "excerpt": "line\n\"quoted\" \\ é \u{1f600}"}),
        json!({"costMicroUSD": 61240, "delta": -3, "big": u64::MAX}),
        json!([]),
        json!("text"),
    ];
    let mut prev = genesis(&header());
    let mut entries = vec![];
    for (seq, body) in (1u64..).zip(bodies) {
        let at = format!("2026-01-02T03:04:0{seq}.5Z");
        let entry = append(&prev, seq, &at, "Step", body).unwrap();
        prev.clone_from(&entry.hash);
        entries.push(entry);
    }
    entries
}

pub(super) fn head(entries: &[Entry]) -> Head {
    let head = entries.last().map_or_else(|| genesis(&header()), |e| e.hash.clone());
    Head { head, entries: entries.len() as u64 }
}

pub(super) fn file() -> String {
    export(&header(), &chain()).unwrap()
}
