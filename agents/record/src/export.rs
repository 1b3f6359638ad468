//! The exported form: JSON lines, each in canonical form.
//!
//! First the header `{"install","task","team","v"}`, then the entries in order, last the head
//! `{"entries","head"}`. Every byte is bound: a line that is not in canonical form does not fit, so that no
//! change hides in white space, doubled members or another spelling of the same value.

use crate::canonical::canonical;
use crate::chain::{Entry, EntryError, Head, Header, Misfit, VERSION, genesis, verify_head};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest line that is read, in bytes.
pub const MAX_LINE_BYTES: usize = 2 * crate::chain::MAX_BODY_BYTES;

/// A verified record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    pub header: Header,
    pub entries: Vec<Entry>,
    pub head: Head,
}

/// Why an exported record cannot be relied on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportFault {
    #[error("line {line} cannot be read as {what}: {why}; the file was changed or is no record")]
    Line { line: usize, what: &'static str, why: String },
    #[error("line {line} is not written in canonical form; the file was changed")]
    NotCanonical { line: usize },
    #[error("the record has version {0}, this program reads version {VERSION}; use a newer one")]
    Version(u32),
    #[error("the file ends without the line that gives the head; its end is missing")]
    Cut,
    #[error(transparent)]
    Misfit(#[from] Misfit),
    #[error(
        "the file is for head {found}, the task's status says {expected}; the record was cut or rewritten"
    )]
    OtherHead { expected: String, found: String },
}

/// Writes a record as it is stored. A broken chain is written too: hiding the damage is not the writer's to
/// decide, the reader's verification names it.
pub fn export(header: &Header, entries: &[Entry]) -> Result<String, ExportFault> {
    let last = entries.last().map_or_else(|| genesis(header), |entry| entry.hash.clone());
    let head = Head { head: last, entries: entries.len() as u64 };
    let mut out = line(header)?;
    for entry in entries {
        out.push_str(&line(entry)?);
    }
    out.push_str(&line(&head)?);
    Ok(out)
}

fn line(value: &impl Serialize) -> Result<String, ExportFault> {
    let fault = |why: String| ExportFault::Line { line: 0, what: "a record", why };
    let value = serde_json::to_value(value).map_err(|e| fault(e.to_string()))?;
    Ok(format!("{}\n", canonical(&value).map_err(|e| fault(e.to_string()))?))
}

/// Verifies an exported record against the head in the task's status, which alone shows a record that was
/// shortened or rewritten as a whole.
pub fn verify_export_against(text: &str, expected: &Head) -> Result<Export, ExportFault> {
    let export = verify_export(text)?;
    if export.head == *expected {
        Ok(export)
    } else {
        Err(ExportFault::OtherHead { expected: expected.head.clone(), found: export.head.head })
    }
}

/// Verifies an exported record in itself.
pub fn verify_export(text: &str) -> Result<Export, ExportFault> {
    // Every line ends with a line break, the last one too; anything else was changed.
    let lines: Vec<&str> = text.strip_suffix('\n').ok_or(ExportFault::Cut)?.split('\n').collect();
    let (first, rest) = lines.split_first().ok_or(ExportFault::Cut)?;
    let header: Header = read(1, "the header", first)?;
    if header.v != VERSION {
        return Err(ExportFault::Version(header.v));
    }
    let (last, middle) = rest.split_last().ok_or(ExportFault::Cut)?;
    let mut entries: Vec<Entry> = Vec::with_capacity(middle.len());
    for (index, text) in middle.iter().enumerate() {
        entries.push(read(index + 2, "an entry", text)?);
    }
    let head: Head = match read(lines.len(), "the head", last) {
        // A whole entry stands where the head belongs: the end is missing, the line itself is sound.
        Err(ExportFault::Line { .. }) if read::<Entry>(lines.len(), "an entry", last).is_ok() => {
            return Err(ExportFault::Cut);
        }
        other => other?,
    };
    verify_head(&genesis(&header), &entries, &head)?;
    Ok(Export { header, entries, head })
}

fn read<T: DeserializeOwned + Serialize>(
    line: usize,
    what: &'static str,
    text: &str,
) -> Result<T, ExportFault> {
    let fault = |why: String| ExportFault::Line { line, what, why };
    if text.len() > MAX_LINE_BYTES {
        return Err(fault(format!("{} bytes, at most {MAX_LINE_BYTES} are read", text.len())));
    }
    let parsed: T = serde_json::from_str(text).map_err(|e| fault(e.to_string()))?;
    let value = serde_json::to_value(&parsed).map_err(|e| fault(e.to_string()))?;
    let written = canonical(&value)
        .map_err(|source| fault(EntryError::Body { kind: what.to_owned(), source }.to_string()))?;
    if written != text {
        return Err(ExportFault::NotCanonical { line });
    }
    Ok(parsed)
}
