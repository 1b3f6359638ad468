//! What a shell would run: substitutions, pipes into a shell, removals, redirections into the system, programs chained
//! to a value.
//!
//! Names of programs are also words (`; find the cause`, `| sort |`), and Markdown quotes with backticks, so a name
//! counts only where a shell would start it and with what looks like its arguments.

mod find;
mod line;
mod rules;
mod words;

pub(super) use find::find;
