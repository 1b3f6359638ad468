//! `golden fetch` and `golden deliver`: the only programs that speak git, each in a pod of its own in Golden's
//! namespace, in the image that holds git.
//!
//! Repositories and trees are hostile: git runs with an empty configuration, without hooks, filters, attributes,
//! submodules, redirects or prompts, and only by known protocols; trees are read and written as objects, never
//! checked out. A credential goes to the hosts its Secret names, in the environment of one process.

mod command;
mod deliver;
mod fault;
mod fetch;
mod objects;
mod program;
mod remote;
mod work;

pub use command::{Args, deliver, fetch};
pub use deliver::{Delivery, deliver_to};
pub use fault::Fault;
pub use fetch::{Fetched, fetch_from};
pub use program::Workshop;
