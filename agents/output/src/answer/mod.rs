//! Structured answers of models: found, bounded, checked, parsed, and asked for again.

mod bounds;
mod extract;
mod forms;
mod parse;
mod repair;
mod schema;
#[cfg(test)]
mod tests;

pub use bounds::Bounds;
pub use extract::objects;
pub use forms::{Agreement, Confidence, Consensus, Dissent, Pattern, Patterns, Place, Synthesis, Vote};
pub use parse::{Ambiguous, Form, Unreadable, parse, read};
pub use repair::{MAX_MESSAGE, Repair, Step};
pub use schema::{Schema, SchemaError, Violations};
