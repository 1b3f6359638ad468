//! The model's own count of what it served: one JSON line per call, written before the first byte of the
//! answer, so that a call that somebody saw is in the file even if the process was killed in the middle.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The caller's own key, from the header `x-client-request-id`.
    pub op: String,
    pub model: String,
    pub role: String,
    /// The recording that answered; absent: none did.
    pub story: Option<String>,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
}

/// What one key, or everything, comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    pub calls: u64,
    pub unmatched: u64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
}

impl Totals {
    fn add(&mut self, entry: &Entry) {
        if entry.story.is_none() {
            self.unmatched += 1;
            return;
        }
        self.calls += 1;
        self.prompt_tokens += entry.prompt_tokens;
        self.completion_tokens += entry.completion_tokens;
    }
}

/// The count, as `GET /tally` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    #[serde(flatten)]
    pub totals: Totals,
    pub by_op: BTreeMap<String, Totals>,
    pub by_role: BTreeMap<String, Totals>,
}

impl Tally {
    fn add(&mut self, entry: &Entry) {
        self.totals.add(entry);
        self.by_op.entry(entry.op.clone()).or_default().add(entry);
        self.by_role.entry(entry.role.clone()).or_default().add(entry);
    }
}

/// The count and the file that keeps it.
#[derive(Debug, Default)]
pub(crate) struct Book {
    state: Mutex<(Tally, Option<File>)>,
}

impl Book {
    /// Opens the file and counts what is in it. A last line cut short by a kill is left out.
    pub(crate) fn open(path: Option<&Path>) -> std::io::Result<Self> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        let mut tally = Tally::default();
        let mut whole = true;
        for line in BufReader::new(&file).lines() {
            let line = line?;
            whole = false;
            if let Ok(entry) = serde_json::from_str(&line) {
                tally.add(&entry);
                whole = true;
            }
        }
        if !whole {
            file.write_all(b"\n")?;
        }
        Ok(Self { state: Mutex::new((tally, Some(file))) })
    }

    /// Writes down one call.
    pub(crate) fn add(&self, entry: &Entry) -> std::io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &mut state.1 {
            file.write_all(format!("{}\n", serde_json::to_string(entry)?).as_bytes())?;
        }
        state.0.add(entry);
        Ok(())
    }

    pub(crate) fn tally(&self) -> Tally {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }
}
