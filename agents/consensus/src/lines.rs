//! Decisions over JSON lines, for scripts: what `golden consensus decide --policy FILE` reads and writes.
//!
//! In: `{item, voter, role, model, answeredBy[], verdict, severity, confidence, evidence[], rationale, digest, round,
//! castAfterSeconds}` and `{item, guard, verdict, required}`, in any order, as UTF-8 and without repeated keys; an item is a
//! string or an integer within 64 bits. Every review is closed. The subject is the digest that all of an item's ballots and
//! facts name, or the one of a line `{item, subject, authorModels[]}`, whose models say who made it (needed where the policy
//! asks for independent reviewers). An item whose lines name different digests, without such a one, decides nothing: which of
//! them is current is not guessed.
//! Out: one [`ItemDecision`] per item, in the order of first mention.

use crate::ballot::Ballot;
use crate::decide::{Decision, DecisionRecord, decide};
use crate::guards::GuardFact;
use crate::json;
use crate::policy::Policy;
use crate::subject::Subject;
use serde::{Deserialize, Serialize};
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
#[error("line {line}: {why}; nothing was decided, correct the line and run again")]
pub struct LinesError {
    /// From 1.
    pub line: usize,
    pub why: String,
}

#[derive(Default)]
struct Item {
    name: String,
    ballots: Vec<Ballot>,
    facts: Vec<GuardFact>,
    subject: Option<Named>,
}

enum Line {
    Ballot(Ballot),
    Fact(GuardFact),
    Subject(Named),
}

/// What an item is about.
#[derive(PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    subject: String,
    #[serde(default)]
    author_models: Vec<String>,
}

/// The lines of an input, taken one after the other.
pub struct Reviews {
    policy: Policy,
    items: Vec<Item>,
    index: HashMap<String, usize>,
    lines: usize,
}

impl Reviews {
    /// Under a policy that is valid.
    pub fn new(policy: Policy) -> Self {
        Self { policy, items: vec![], index: HashMap::new(), lines: 0 }
    }

    /// Takes the next line as its bytes came: names that differ in bytes which are not UTF-8 would become one if they were
    /// mended. An empty line says nothing.
    pub fn take(&mut self, text: impl AsRef<[u8]>) -> Result<(), LinesError> {
        self.lines += 1;
        let line = self.lines;
        let refuse = |why| LinesError { line, why };
        let text = words(text.as_ref()).map_err(refuse)?;
        if text.trim().is_empty() {
            return Ok(());
        }
        let (name, said) = read(text).map_err(refuse)?;
        let items = &mut self.items;
        let at = *self.index.entry(name).or_insert_with_key(|name| {
            items.push(Item { name: name.clone(), ..Item::default() });
            items.len() - 1
        });
        if items.len() > MAX_ITEMS {
            return Err(refuse(format!("more than {MAX_ITEMS} items; split the input")));
        }
        items.get_mut(at).map_or(Ok(()), |item| add(item, said)).map_err(refuse)
    }

    /// One decision for each item, in the order of first mention.
    pub fn decisions(&self) -> impl Iterator<Item = ItemDecision> {
        self.items.iter().map(|item| decide_item(&self.policy, item))
    }
}

fn add(item: &mut Item, line: Line) -> Result<(), String> {
    match line {
        Line::Ballot(ballot) => item.ballots.push(ballot),
        Line::Fact(fact) => item.facts.push(fact),
        Line::Subject(subject) if item.subject.as_ref().is_some_and(|named| *named != subject) => {
            return Err(format!("item {} is given two subjects", item.name));
        }
        Line::Subject(subject) => item.subject = Some(subject),
    }
    Ok(())
}

fn words(line: &[u8]) -> Result<&str, String> {
    // First, since a line that was cut at the bound may end within a character.
    if line.len() > MAX_LINE_BYTES {
        return Err(format!("{} bytes, at most {MAX_LINE_BYTES} are read", line.len()));
    }
    std::str::from_utf8(line).map_err(|e| format!("not UTF-8 from byte {} on", e.valid_up_to() + 1))
}

fn read(text: &str) -> Result<(String, Line), String> {
    let value = json::read(text).map_err(|e| unreadable(&e))?;
    let item = item(&value)?;
    let has = |field: &str| value.get(field).is_some();
    let line = match (has("guard"), has("voter"), has("subject")) {
        (true, false, false) => Line::Fact(part(value)?),
        (false, true, false) => Line::Ballot(part(value)?),
        (false, false, true) => Line::Subject(part(value)?),
        _ => return Err("exactly one of voter (a ballot), guard (a fact) or subject is needed".into()),
    };
    Ok((item, line))
}

/// What a line is about. Larger integers are read as floating-point numbers, in which neighbours are the same.
fn item(value: &Value) -> Result<String, String> {
    match value.get("item") {
        Some(Value::String(name)) => Ok(name.clone()),
        Some(Value::Number(number)) if number.is_u64() || number.is_i64() => Ok(number.to_string()),
        Some(_) => {
            Err("the item is neither a string nor an integer within 64 bits; write it as a string".into())
        }
        None => Err("no item; every line names the item it is about".into()),
    }
}

/// The reader's own place is always in its first line, which would pass for the input's.
fn unreadable(error: &serde_json::Error) -> String {
    let why = error.to_string().replacen(" at line 1 column ", " at column ", 1);
    if error.is_data() { why } else { format!("not JSON: {why}") }
}

fn part<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|e| e.to_string())
}

fn decide_item(policy: &Policy, item: &Item) -> ItemDecision {
    let examined = item.facts.iter().filter_map(|fact| fact.digest.as_deref());
    let digests: BTreeSet<&str> = item.ballots.iter().map(|b| b.digest.as_str()).chain(examined).collect();
    let named = item.subject.as_ref();
    let digest = named.map(|n| n.subject.as_str()).or_else(|| digests.first().copied()).unwrap_or_default();
    let subject = Subject { digest, author_models: named.map_or(&[], |n| &n.author_models) };
    let named = item.subject.is_some() || digests.len() <= 1;
    let decision = if named {
        decide(policy, &item.ballots, &item.facts, subject, true)
    } else {
        // Nothing about one of them counts until it is known what is judged; guards that name none still speak, and the
        // review stays open.
        let facts: Vec<GuardFact> = item.facts.iter().filter(|fact| fact.digest.is_none()).cloned().collect();
        let open = decide(policy, &[], &facts, subject, false);
        let shown: Vec<&str> = digests.iter().take(4).copied().collect();
        let why = format!("its lines name {} digests ({})", digests.len(), shown.join(", "));
        Decision { reason: format!("{}; {why}: add a line with item and subject", open.reason), ..open }
    };
    ItemDecision { item: item.name.clone(), record: decision.into() }
}
