//! The built-in agent: a small loop of tools over Chat Completions.
//!
//! Contract: what to do is in `/golden/prompt.md` and, from the second attempt on, `/golden/feedback.md`;
//! the work is in `/workspace`; the exit code says how it ended (0 finished, 2 gave up, 3 the model could
//! not be reached or answered wrongly). It has no tool that reaches outside the workspace.

mod args;
mod chat;
mod client;
mod confine;
mod context;
mod errors;
mod limits;
mod prompt;
mod resume;
mod retry;
mod run;
mod tools;
mod transcript;
mod turn;

pub use args::Args;
pub use chat::{AssistantTurn, ToolCall, Usage};
pub use errors::ModelError;
pub use run::{Ending, run, work};
