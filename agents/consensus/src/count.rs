//! Which ballots count. The others are kept with the reason, never dropped silently.

use crate::ballot::Ballot;
use crate::policy::{Policy, Voter};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Voters of one role that count; later ones are listed as ignored. Bounds the arithmetic of shared seats.
pub const MAX_VOTERS_PER_ROLE: usize = 16;

/// A ballot that does not count, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ignored {
    pub voter: String,
    pub role: String,
    pub reason: IgnoredReason,
}

/// Why a ballot does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IgnoredReason {
    /// It judged another digest.
    StaleDigest,
    /// The policy gives its role no seat.
    UnknownRole,
    /// The voter had voted on this digest before; the first ballot counts.
    Duplicate,
    /// More voters than [`MAX_VOTERS_PER_ROLE`] spoke for the role.
    RoleFull,
    /// It names no voter.
    NoVoter,
}

/// The seats of one role.
pub(crate) struct Role<'a> {
    pub(crate) rule: &'a Voter,
    pub(crate) seats: u64,
}

/// The roles of a policy in the order of first mention.
pub(crate) fn roles(policy: &Policy) -> Vec<Role<'_>> {
    let mut roles: Vec<Role<'_>> = Vec::with_capacity(policy.voters.len());
    let mut index: BTreeMap<&str, usize> = BTreeMap::new();
    for voter in &policy.voters {
        if let Some(role) = index.get(voter.role.as_str()).and_then(|at| roles.get_mut(*at)) {
            role.seats += 1;
        } else {
            index.insert(&voter.role, roles.len());
            roles.push(Role { rule: voter, seats: 1 });
        }
    }
    roles
}

/// A ballot that counts, with the index of its role.
#[derive(Clone, Copy)]
pub(crate) struct Counted<'a> {
    pub(crate) ballot: &'a Ballot,
    pub(crate) role: usize,
}

/// Sorts ballots into those that count (by voter, so that their order of arrival changes nothing) and the rest.
pub(crate) fn count<'a>(
    roles: &[Role<'_>],
    ballots: &'a [Ballot],
    subject: &str,
) -> (Vec<Counted<'a>>, Vec<Ignored>) {
    let index: BTreeMap<&str, usize> =
        roles.iter().enumerate().map(|(i, r)| (r.rule.role.as_str(), i)).collect();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut per_role = vec![0usize; roles.len()];
    let (mut counted, mut ignored) = (Vec::with_capacity(ballots.len()), vec![]);
    for ballot in ballots {
        match admit(ballot, subject, &index, &mut seen, &mut per_role) {
            Ok(role) => counted.push(Counted { ballot, role }),
            Err(reason) => {
                ignored.push(Ignored { voter: ballot.voter.clone(), role: ballot.role.clone(), reason });
            }
        }
    }
    counted.sort_by(|a, b| a.ballot.voter.cmp(&b.ballot.voter));
    ignored.sort_by(|a, b| (&a.voter, &a.role, a.reason as u8).cmp(&(&b.voter, &b.role, b.reason as u8)));
    (counted, ignored)
}

fn admit<'a>(
    ballot: &'a Ballot,
    subject: &str,
    index: &BTreeMap<&str, usize>,
    seen: &mut BTreeSet<&'a str>,
    per_role: &mut [usize],
) -> Result<usize, IgnoredReason> {
    if ballot.voter.is_empty() {
        return Err(IgnoredReason::NoVoter);
    }
    if ballot.digest != subject {
        return Err(IgnoredReason::StaleDigest);
    }
    let role = *index.get(ballot.role.as_str()).ok_or(IgnoredReason::UnknownRole)?;
    if seen.contains(ballot.voter.as_str()) {
        return Err(IgnoredReason::Duplicate);
    }
    let taken = per_role.get_mut(role).ok_or(IgnoredReason::UnknownRole)?;
    if *taken >= MAX_VOTERS_PER_ROLE {
        return Err(IgnoredReason::RoleFull);
    }
    *taken += 1;
    seen.insert(&ballot.voter);
    Ok(role)
}
