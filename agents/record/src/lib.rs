//! The record of a task: hash-chained entries that anyone can verify offline.
//!
//! Contract: pure. Each entry's hash covers its content and the hash before it; the first covers the header
//! (team, task, install), so that entries of one task cannot pass as another's. Bodies are canonical JSON with
//! integers only: two writers of the same content give the same bytes. What a chain alone cannot show is a cut
//! end or a whole rewritten by whoever holds the file: compare the head with the one in the task's status.

mod canonical;
mod chain;
mod export;

pub use canonical::{CanonicalError, MAX_DEPTH, canonical, digest};
pub use chain::{
    Entry, EntryError, Head, Header, MAX_BODY_BYTES, MAX_KIND_BYTES, Misfit, VERSION, Why, append, genesis,
    verify, verify_head,
};
pub use export::{Export, ExportFault, MAX_LINE_BYTES, export, verify_export, verify_export_against};

#[cfg(test)]
mod tests;
