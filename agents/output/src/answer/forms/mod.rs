//! The structured answers Golden asks for. Each is a type with its bounds; its schema says the same to programs that
//! are no Rust. Unknown fields are refused: what is not understood must not look accepted.

mod confidence;
mod consensus;
mod patterns;
mod shape;
mod synthesis;
mod vote;

pub use confidence::Confidence;
pub use consensus::{Consensus, Dissent};
pub use patterns::{Pattern, Patterns};
pub use synthesis::{Agreement, Synthesis};
pub use vote::{Place, Vote};
