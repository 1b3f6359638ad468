//! What a model says is untrusted input. This crate reads it; it is pure: no clock, no network, no store.
//!
//! [`sanitize`] finds SQL, script and shell commands in bytes and gives a neutralised text for contexts that need one.
//! What is stored stays byte for byte and reaches SQL only as bound values: a neutralised text is for display and for
//! places that cannot bind, never a reason to trust the words.

mod sanitize;

pub use sanitize::{Finding, Kind, MAX_INPUT, Sanitized, TooLarge, sanitize};
