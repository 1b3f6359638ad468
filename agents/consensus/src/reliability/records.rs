//! Reviewers' track records, from what they said of results and what people made of those.

use super::votes::{Votes, VotesError};
use super::weight::{SeatWeight, TrackRecord};
use std::collections::BTreeMap;

/// What one reviewer said of one result.
#[derive(Clone, Copy, Debug)]
pub struct Opinion<'a> {
    /// The result.
    pub item: &'a str,
    pub role: &'a str,
    /// The model that spoke for the role, with its provider: another model is another reviewer.
    pub model: &'a str,
    /// `Approve` or `Reject`.
    pub verdict: &'a str,
    /// The verdict that a person reached, if one was asked; the same wherever the item is mentioned.
    pub outcome: Option<&'a str>,
}

/// The records of all reviewers, and what is usual among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrackRecords {
    /// By role and model.
    reviewers: BTreeMap<(String, String), TrackRecord>,
    /// Parts of a million of all votes that were right.
    usual_ppm: u32,
}

impl TrackRecords {
    /// One pass over the opinions; their order changes nothing. Without gold labels: votes are judged by what others said
    /// of the same result, and by people's answers where there are any ([`Votes`]).
    pub fn of<'a>(opinions: impl IntoIterator<Item = Opinion<'a>>) -> Result<Self, VotesError> {
        let mut votes = Votes::default();
        for said in opinions {
            // A role is a DNS label: the first space ends it.
            votes.add(said.item, &format!("{} {}", said.role, said.model), said.verdict)?;
            if let Some(outcome) = said.outcome {
                votes.settle_item(said.item, outcome)?;
            }
        }
        let estimate = votes.estimate()?;
        let record = |voter: &super::VoterReliability| {
            let (role, model) = voter.voter.split_once(' ').unwrap_or((&voter.voter, ""));
            let record = TrackRecord { right_ppm: ppm(voter.reliability), observations: voter.observations };
            ((role.to_owned(), model.to_owned()), record)
        };
        let reviewers: BTreeMap<_, _> = estimate.voters.iter().map(record).collect();
        let usual_ppm = usual(reviewers.values());
        Ok(Self { reviewers, usual_ppm })
    }

    /// What the weight of a seat of this role becomes while that model speaks for it.
    pub fn weight(&self, role: &str, model: &str) -> SeatWeight {
        let record = self.reviewers.get(&(role.to_owned(), model.to_owned())).copied().unwrap_or_default();
        SeatWeight::of(role, model, record, self.usual_ppm)
    }
}

/// Parts of a million of a share.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a million")]
fn ppm(share: f64) -> u32 {
    (share.clamp(0.0, 1.0) * 1e6).round() as u32
}

/// The share over all votes; of none, 0.
fn usual<'a>(records: impl Iterator<Item = &'a TrackRecord>) -> u32 {
    let sum = |(right, votes): (u128, u128), record: &TrackRecord| {
        let n = u128::from(record.observations);
        (right + u128::from(record.right_ppm) * n, votes + n)
    };
    let (right, votes) = records.fold((0, 0), sum);
    u32::try_from(right.checked_div(votes).unwrap_or(0)).unwrap_or(u32::MAX)
}
