//! `golden fetch` and `golden deliver`: git, outside of any pod in which an agent ran.
//!
//! Trees are hostile: no hook, filter, attribute or submodule of a repository is ever followed. A fetch reads objects,
//! a delivery writes objects; neither checks anything out.

mod deliver;
mod export;
mod fault;
mod fetch;
mod import;
mod program;
mod report;

pub use report::{Args, deliver, fetch};
