//! How often those who work call a model at most. They hold themselves to it, and a forecast counts with it.
//!
//! What is lost and made again counts beside it: calls of a pod that was lost or freed, of a round that peer-hub did not
//! answer, and of a gateway that did not see an answer's end.

/// The built-in agent, in one attempt.
pub const AGENT_CALLS: u32 = 40;
/// A voter, for one part of a result: its ballot, and the repair of one that cannot be read.
pub const VOTER_CALLS: u32 = 2;
/// Most parts of a result that a voter is asked about. What has more is not judged.
pub const VOTER_PARTS: u32 = 16;
/// Most tokens of a voter's answer.
pub const VOTER_ANSWER_TOKENS: u32 = 2048;

/// A voter, in one attempt, under a policy of so many rounds: each is about the whole result. An additional reviewer is asked
/// in one round more, once in a task, and with it whoever of the voters did not answer.
pub const fn voter_calls(rounds: u32) -> u32 {
    rounds.saturating_mul(VOTER_PARTS * VOTER_CALLS)
}
