//! The promises, on the cluster that `cargo xtask test` brought up and installed Golden in.
//!
//! Run in one thread, in the order of their names: the stories first, what looks at their traces after.

mod access;
mod s1_stories;
mod support;
