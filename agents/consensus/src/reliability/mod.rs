//! How reliable reviewers are, learnt from their votes on many items, without gold labels.

mod csv;
mod panel;
mod records;
mod settle;
mod votes;
mod weight;

pub use csv::{VotesCsvError, read_outcomes, read_votes, write_labels, write_voters};
pub use records::{Opinion, TrackRecords};
pub use votes::{
    Estimate, ItemLabel, MAX_ESTIMATES, MAX_LABELS, MAX_NAME_BYTES, MAX_NAMES, MAX_VOTES, VoterReliability,
    Votes, VotesError,
};
pub use weight::{LEAST_OBSERVATIONS, SeatWeight, TrackRecord};
pub(crate) use weight::{LEAST_PER_MILLE, MOST_PER_MILLE};

#[cfg(test)]
mod tests;
