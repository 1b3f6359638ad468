//! What the decision promises, by table, by property and exhaustively.

mod additional;
mod counting;
mod exhaustive;
mod flips;
mod hostile;
mod lines;
mod policies;
mod power;
mod properties;
mod records;
mod rounds;
mod support;
mod table;
