//! How often those who work call a model at most. They hold themselves to it, and a forecast counts with it.

/// The built-in agent, in one attempt.
pub const AGENT_CALLS: u32 = 40;
/// A voter, for one part of a result: its ballot, and the repair of one that cannot be read.
pub const VOTER_CALLS: u32 = 2;
