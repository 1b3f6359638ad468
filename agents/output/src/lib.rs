//! What a model says is untrusted input. This crate reads it; it is pure: no clock, no network, no store.
//!
//! - [`sanitize()`] finds SQL, script and shell commands in bytes and gives a neutralised text for contexts that need
//!   one. What is stored stays byte for byte and reaches SQL only as bound values: a neutralised text is for display
//!   and for places that cannot bind, never a reason to trust the words.
//! - [`read`] takes a structured answer ([`Vote`], [`Synthesis`], [`Patterns`], [`Consensus`] or any [`Form`]) from a
//!   model's words: bounded in size, depth and number of values, checked by JSON schema, parsed into a type.
//! - [`Repair`] says whether to accept an answer, to ask again with what is wrong with it, or to give up.

mod answer;
mod sanitize;

pub use answer::{
    Agreement, Ambiguous, Bounds, Confidence, Consensus, Dissent, Form, MAX_MESSAGE, Pattern, Patterns,
    Place, Repair, Schema, SchemaError, Step, Synthesis, Unreadable, Violations, Vote, objects, parse, read,
};
pub use sanitize::{Finding, Kind, MAX_INPUT, Sanitized, TooLarge, sanitize};
