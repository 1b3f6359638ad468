//! A recorded language model that speaks OpenAI's Chat Completions and Responses, and Anthropic's Messages.
//!
//! Its answer is a pure function of the request: of the role and attempt named in the system prompt, of
//! the words of the user messages and of the tools' results. What no recording fits is an error, never a
//! guess, and is counted. It keeps its own tally of what it served, also across restarts, so that what
//! Golden charged can be compared with what was really used.

mod answer;
mod chat;
mod embeddings;
mod faults;
mod messages;
mod protocol;
mod recording;
mod request;
mod responses;
mod server;
mod tally;

pub use answer::{Answer, Finish, ToolCall, Usage};
pub use faults::{Fault, Faults};
pub use recording::{Found, Library, LoadError, Unmatched};
pub use request::{ChatRequest, Situation};
pub use server::{Options, Server, serve};
pub use tally::{Entry, Tally, Totals};

#[cfg(test)]
mod tests;
