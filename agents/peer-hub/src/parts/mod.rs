//! Patches that are too large for one question: how they are split, and how what is said about the parts becomes one
//! ballot. Pure.

mod combine;
mod split;

pub(crate) use combine::{Fault, Heard, Said, combine};
pub(crate) use split::{MAX_PARTS, MIN_ROOM, Part, Place, split};
