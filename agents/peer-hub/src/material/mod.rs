//! What a voter judges, made ready to be shown: pure, bounded, and nothing of it hidden.

mod excerpt;
mod patch;
mod shown;
mod tokens;

pub(crate) use excerpt::excerpts;
pub(crate) use patch::{Change, Hunk, changes};
pub(crate) use shown::{clipped, cut, shown, wrapped};
pub(crate) use tokens::tokens;
