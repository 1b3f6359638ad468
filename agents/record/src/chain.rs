//! The chain: appending and verifying entries.

use crate::canonical::{CanonicalError, canonical, digest};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Version of the format, part of every genesis.
pub const VERSION: u32 = 1;

/// Largest body, in bytes of its canonical form. Larger things are artifacts, named by digest.
pub const MAX_BODY_BYTES: usize = 1_048_576;

/// Longest kind, in bytes.
pub const MAX_KIND_BYTES: usize = 128;

/// Longest time, in bytes.
const MAX_AT_BYTES: usize = 64;

/// What a record is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`VERSION`].
    pub v: u32,
    /// Uid of the AgentTeam.
    pub team: String,
    /// Uid of the AgentTask.
    pub task: String,
    /// Id of the install.
    pub install: String,
}

/// One step of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// From 1, without gaps.
    pub seq: u64,
    /// RFC 3339, UTC.
    pub at: String,
    pub kind: String,
    pub body: Value,
    /// Hash of the entry before; the header's for the first.
    pub prev: String,
    pub hash: String,
}

/// The end of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Hash of the last entry; the genesis where there is none.
    pub head: String,
    pub entries: u64,
}

/// Why an entry cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    #[error("body of {kind}: {source}")]
    Body { kind: String, source: CanonicalError },
    #[error(
        "body of {kind} has {bytes} bytes, at most {MAX_BODY_BYTES} are recorded; store it as an artifact"
    )]
    TooLarge { kind: String, bytes: usize },
    #[error("kind {0:?} is empty or longer than {MAX_KIND_BYTES} bytes")]
    Kind(String),
    #[error("time {0:?} is not RFC 3339 in UTC (ending in Z)")]
    At(String),
    #[error("sequence numbers begin at 1")]
    Seq,
}

/// The first entry that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {seq} does not fit: {why}")]
pub struct Misfit {
    /// Position from 1.
    pub seq: u64,
    pub why: Why,
}

/// In what way it does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error("it says it is entry {0}; entries are missing, repeated or reordered")]
    Seq(u64),
    #[error("it follows {found}, the entry before is {expected}; entries are missing or reordered")]
    Prev { expected: String, found: String },
    #[error("its content has hash {expected}, it says {found}; it was changed")]
    Hash { expected: String, found: String },
    #[error("{0}")]
    Content(#[from] EntryError),
    #[error(
        "the record ends here with head {found}, expected was {expected} after {entries} entries; its end is missing or changed"
    )]
    Head { expected: String, found: String, entries: u64 },
}

/// What the first entry follows: the header's digest.
pub fn genesis(header: &Header) -> String {
    let Header { v, team, task, install } = header;
    hash("golden-record-header", &json!({"v": v, "team": team, "task": task, "install": install}))
        // A header is integers and strings only, which always have a canonical form.
        .unwrap_or_default()
}

/// Makes the next entry. `prev` is the head so far ([`genesis`] at first), `seq` counts from 1.
pub fn append(prev: &str, seq: u64, at: &str, kind: &str, body: Value) -> Result<Entry, EntryError> {
    let hash = entry_hash(prev, seq, at, kind, &body)?;
    Ok(Entry { seq, at: at.to_owned(), kind: kind.to_owned(), body, prev: prev.to_owned(), hash })
}

/// Verifies the whole chain and gives its head, or the first entry that does not fit.
pub fn verify<'a>(genesis: &str, entries: impl IntoIterator<Item = &'a Entry>) -> Result<Head, Misfit> {
    let mut head = Head { head: genesis.to_owned(), entries: 0 };
    for entry in entries {
        let seq = head.entries + 1;
        fits(&head, entry).map_err(|why| Misfit { seq, why })?;
        head = Head { head: entry.hash.clone(), entries: seq };
    }
    Ok(head)
}

/// Verifies the chain and that it ends where it should, which alone shows a cut end.
pub fn verify_head<'a>(
    genesis: &str,
    entries: impl IntoIterator<Item = &'a Entry>,
    expected: &Head,
) -> Result<Head, Misfit> {
    let found = verify(genesis, entries)?;
    if found == *expected {
        return Ok(found);
    }
    let why = Why::Head { expected: expected.head.clone(), found: found.head, entries: expected.entries };
    Err(Misfit { seq: found.entries.min(expected.entries) + 1, why })
}

fn fits(head: &Head, entry: &Entry) -> Result<(), Why> {
    if entry.seq != head.entries + 1 {
        return Err(Why::Seq(entry.seq));
    }
    if entry.prev != head.head {
        return Err(Why::Prev { expected: head.head.clone(), found: entry.prev.clone() });
    }
    let expected = entry_hash(&entry.prev, entry.seq, &entry.at, &entry.kind, &entry.body)?;
    if entry.hash != expected {
        return Err(Why::Hash { expected, found: entry.hash.clone() });
    }
    Ok(())
}

fn entry_hash(prev: &str, seq: u64, at: &str, kind: &str, body: &Value) -> Result<String, EntryError> {
    if seq == 0 {
        return Err(EntryError::Seq);
    }
    if kind.is_empty() || kind.len() > MAX_KIND_BYTES {
        return Err(EntryError::Kind(kind.chars().take(MAX_KIND_BYTES).collect()));
    }
    if !looks_like_utc(at) {
        return Err(EntryError::At(at.chars().take(MAX_AT_BYTES).collect()));
    }
    let fault = |source| EntryError::Body { kind: kind.to_owned(), source };
    let bytes = canonical(body).map_err(fault)?.len();
    if bytes > MAX_BODY_BYTES {
        return Err(EntryError::TooLarge { kind: kind.to_owned(), bytes });
    }
    hash("golden-record-entry", &json!({"seq": seq, "at": at, "kind": kind, "body": body, "prev": prev}))
        .map_err(fault)
}

/// The shape of a time, so that a record cannot hold any text there; whether it is a real date is its writer's care.
fn looks_like_utc(at: &str) -> bool {
    let digits =
        |range: std::ops::Range<usize>| at.get(range).is_some_and(|d| d.bytes().all(|b| b.is_ascii_digit()));
    let fixed = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    let fraction = at.get(19..).and_then(|rest| rest.strip_suffix('Z'));
    at.len() <= MAX_AT_BYTES
        && fixed.iter().all(|(i, b)| at.as_bytes().get(*i) == Some(b))
        && [0..4, 5..7, 8..10, 11..13, 14..16, 17..19].into_iter().all(digits)
        && fraction.is_some_and(|f| {
            f.is_empty()
                || f.strip_prefix('.').is_some_and(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()))
        })
}

/// Hashes the canonical form behind a label, so that a header can never stand for an entry.
fn hash(label: &str, value: &Value) -> Result<String, CanonicalError> {
    Ok(digest(format!("{label}\n{}", canonical(value)?).as_bytes()))
}
