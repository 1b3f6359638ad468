//! Findings and a neutralised form. Bounded, total, linear in the size of the input, and never certain: a text
//! without findings is not thereby safe.

mod command;
mod decode;
mod neutral;
mod report;
mod script;
mod sql;
#[cfg(test)]
mod tests;
mod view;

pub use report::{Finding, Kind, MAX_INPUT, Sanitized, TooLarge, sanitize};
