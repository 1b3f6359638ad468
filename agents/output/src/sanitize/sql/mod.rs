//! Statements of SQL in a text, and values that break out of one.
//!
//! Prose uses the same words as SQL ("select the best option from the list"), so words alone are no finding: what
//! follows a verb must parse as a statement, its names must not be words that only prose uses, and what could still be
//! either counts only where a statement can stand and ends as one.

mod cursor;
mod find;
mod injection;
mod query;
mod statement;
mod tokens;
mod verbs;
mod words;

pub(super) use find::find;
