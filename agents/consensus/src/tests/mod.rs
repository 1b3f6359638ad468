//! What the decision promises, by table, by property and exhaustively.

mod exhaustive;
mod lines;
mod policies;
mod properties;
mod support;
mod table;
