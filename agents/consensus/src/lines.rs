//! Decisions over JSON lines, for scripts: what `golden consensus decide --policy FILE` reads and writes.
//!
//! In: `{item, voter, role, model, verdict, severity, confidence, evidence[], rationale, digest}` and
//! `{item, guard, verdict, required}`, in any order. Every review is closed. The subject is the digest that
//! all of an item's ballots name, or the one of a line `{item, subject}`. Ballots of one item that name
//! different digests, without such a line, decide nothing: which of them is current is not guessed.
//! Out: one [`ItemDecision`] per item, in the order of first mention.

use crate::ballot::Ballot;
use crate::decide::{Decision, DecisionRecord, decide};
use crate::guards::GuardFact;
use crate::policy::{Policy, PolicyError, parse_policy};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

/// Longest line, in bytes.
pub const MAX_LINE_BYTES: usize = 262_144;

/// Most items of one input.
pub const MAX_ITEMS: usize = 1_000_000;

/// The decision about one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemDecision {
    pub item: String,
    #[serde(flatten)]
    pub record: DecisionRecord,
}

/// Why the input cannot be decided. Nothing is decided then: a lost line could have been a veto.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinesError {
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error("line {line}: {why}; nothing was decided, correct the line and run again")]
    Line { line: usize, why: String },
}

#[derive(Default)]
struct Item {
    name: String,
    ballots: Vec<Ballot>,
    facts: Vec<GuardFact>,
    subject: Option<String>,
}

enum Line {
    Ballot(Ballot),
    Fact(GuardFact),
    Subject(String),
}

/// Decides every item of the input under one policy.
pub fn decide_lines<'a>(
    policy_json: &str,
    lines: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<ItemDecision>, LinesError> {
    let policy = parse_policy(policy_json)?;
    let mut items: Vec<Item> = vec![];
    let mut index: HashMap<String, usize> = HashMap::new();
    for (number, text) in lines.into_iter().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        let refuse = |why| LinesError::Line { line: number + 1, why };
        let (name, line) = read(text).map_err(refuse)?;
        let at = *index.entry(name).or_insert_with_key(|name| {
            items.push(Item { name: name.clone(), ..Item::default() });
            items.len() - 1
        });
        if items.len() > MAX_ITEMS {
            return Err(refuse(format!("more than {MAX_ITEMS} items; split the input")));
        }
        if let Some(item) = items.get_mut(at) {
            add(item, line).map_err(refuse)?;
        }
    }
    Ok(items.iter().map(|item| decide_item(&policy, item)).collect())
}

fn add(item: &mut Item, line: Line) -> Result<(), String> {
    match line {
        Line::Ballot(ballot) => item.ballots.push(ballot),
        Line::Fact(fact) => item.facts.push(fact),
        Line::Subject(subject) if item.subject.as_ref().is_some_and(|s| *s != subject) => {
            return Err(format!("item {} is given two subjects", item.name));
        }
        Line::Subject(subject) => item.subject = Some(subject),
    }
    Ok(())
}

fn read(text: &str) -> Result<(String, Line), String> {
    if text.len() > MAX_LINE_BYTES {
        return Err(format!("{} bytes, at most {MAX_LINE_BYTES} are read", text.len()));
    }
    let value: Value = serde_json::from_str(text).map_err(|e| format!("not JSON: {e}"))?;
    let item = match value.get("item") {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => return Err("no item; every line names the item it is about".into()),
    };
    let has = |field: &str| value.get(field).is_some();
    let line = match (has("guard"), has("voter"), has("subject")) {
        (true, false, false) => Line::Fact(part(value)?),
        (false, true, false) => Line::Ballot(part(value)?),
        (false, false, true) => {
            let subject = value.get("subject").and_then(Value::as_str).ok_or("subject is not a string")?;
            Line::Subject(subject.to_owned())
        }
        _ => return Err("exactly one of voter (a ballot), guard (a fact) or subject is needed".into()),
    };
    Ok((item, line))
}

fn part<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|e| e.to_string())
}

fn decide_item(policy: &Policy, item: &Item) -> ItemDecision {
    let digests: BTreeSet<&str> = item.ballots.iter().map(|b| b.digest.as_str()).collect();
    let subject = item.subject.as_deref().or_else(|| digests.first().copied()).unwrap_or_default();
    let named = item.subject.is_some() || digests.len() <= 1;
    let decision = if named {
        decide(policy, &item.ballots, &item.facts, subject, true)
    } else {
        // No ballot counts until it is known what is judged; guards still speak, and the review stays open.
        let open = decide(policy, &[], &item.facts, subject, false);
        let shown: Vec<&str> = digests.iter().take(4).copied().collect();
        let why = format!("ballots name {} digests ({})", digests.len(), shown.join(", "));
        Decision { reason: format!("{}; {why}: add a line with item and subject", open.reason), ..open }
    };
    ItemDecision { item: item.name.clone(), record: decision.into() }
}
