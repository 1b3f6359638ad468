//! Which ballots count. The others are kept with the reason, never dropped silently.
//!
//! 1. A ballot counts for nothing if it names no voter, judged another digest, speaks for a role without a seat,
//!    came after the policy's time, is of a round the policy does not have, or is not independent though that is asked.
//! 2. Of one voter's ballots the one of its last round counts; within a round the most cautious.
//! 3. Of a role with more voters than can count, the most cautious do.

use crate::ballot::Ballot;
use crate::caution::caution;
use crate::policy::{Independence, Policy, Voter};
use crate::subject::{Subject, same_model};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Voters of one role that count, or its seats if it has more; further ones are listed as ignored. Bounds the
/// arithmetic of shared seats. Of an additional role one counts: its approval has rights, and nobody gains an approval by
/// sending more.
pub const MAX_VOTERS_PER_ROLE: usize = 16;

/// A ballot that does not count, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ignored {
    pub voter: String,
    pub role: String,
    pub reason: IgnoredReason,
}

/// Why a ballot does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum IgnoredReason {
    /// It judged another digest.
    StaleDigest,
    /// The policy gives its role no seat.
    UnknownRole,
    /// The voter said the same in the same round.
    Duplicate,
    /// More voters spoke for the role than [`MAX_VOTERS_PER_ROLE`], or than its seats if they are more or if it is an
    /// additional one, and this ballot is not among the most cautious.
    RoleFull,
    /// It names no voter.
    NoVoter,
    /// It came when the policy's time was over.
    Late,
    /// It is of round 0, or of a later round than the policy has.
    RoundNotHeld,
    /// The voter voted again in a later round.
    Superseded,
    /// The voter also said something more cautious in the same round.
    Contradicted,
    /// Independent reviewers are asked for, and it is not known which model made what is judged.
    AuthorUnknown,
    /// Independent reviewers are asked for, and the ballot does not say which model judged.
    ModelUnknown,
    /// Independent reviewers are asked for, and the author's own model judged, or gave one of the answers.
    AuthorsModel,
}

/// The seats of one role.
pub(crate) struct Role<'a> {
    pub(crate) rule: &'a Voter,
    pub(crate) seats: u64,
    /// What an opinion of one seat weighs, in parts of the policy's unit.
    pub(crate) opinion: u64,
}

/// The roles of a policy.
pub(crate) struct Roles<'a> {
    /// In the order of first mention.
    pub(crate) all: Vec<Role<'a>>,
    by_name: BTreeMap<&'a str, usize>,
}

impl<'a> Roles<'a> {
    pub(crate) fn of(policy: &'a Policy) -> Self {
        let mut all: Vec<Role<'_>> = Vec::with_capacity(policy.voters.len());
        let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
        for voter in &policy.voters {
            let at = *by_name.entry(&voter.role).or_insert(all.len());
            match all.get_mut(at) {
                Some(role) => role.seats += 1,
                None => all.push(Role { rule: voter, seats: 1, opinion: policy.opinion(voter) }),
            }
        }
        Self { all, by_name }
    }

    fn named(&self, name: &str) -> Result<usize, IgnoredReason> {
        self.by_name.get(name).copied().ok_or(IgnoredReason::UnknownRole)
    }
}

/// A ballot that counts, with the index of its role.
#[derive(Clone, Copy)]
pub(crate) struct Counted<'a> {
    pub(crate) ballot: &'a Ballot,
    pub(crate) role: usize,
    /// Its role has a veto.
    pub(crate) veto: bool,
    /// Its role is the additional reviewer's.
    pub(crate) additional: bool,
}

impl Counted<'_> {
    fn caution(&self, other: &Self) -> std::cmp::Ordering {
        caution((self.ballot, self.veto), (other.ballot, other.veto))
    }
}

/// Sorts ballots into those that count (by voter, so that their order of arrival changes nothing) and the rest.
pub(crate) fn count<'a>(
    policy: &Policy,
    roles: &Roles<'_>,
    ballots: &'a [Ballot],
    subject: &Subject<'_>,
) -> (Vec<Counted<'a>>, Vec<Ignored>) {
    let (mut counted, mut ignored) = (Vec::with_capacity(ballots.len()), vec![]);
    for ballot in ballots {
        match admitted(policy, ballot, subject).and_then(|()| roles.named(&ballot.role)) {
            Ok(role) => {
                let is = |right: fn(&Voter) -> bool| roles.all.get(role).is_some_and(|r| right(r.rule));
                let (veto, additional) = (is(|rule| rule.veto), is(|rule| rule.additional));
                counted.push(Counted { ballot, role, veto, additional });
            }
            Err(reason) => ignored.push(set_aside(ballot, reason)),
        }
    }
    one_each(&mut counted, &mut ignored);
    fill_roles(&roles.all, &mut counted, &mut ignored);
    ignored.sort_unstable();
    (counted, ignored)
}

fn set_aside(ballot: &Ballot, reason: IgnoredReason) -> Ignored {
    Ignored { voter: ballot.voter.clone(), role: ballot.role.clone(), reason }
}

fn admitted(policy: &Policy, ballot: &Ballot, subject: &Subject<'_>) -> Result<(), IgnoredReason> {
    if ballot.voter.is_empty() {
        return Err(IgnoredReason::NoVoter);
    }
    if ballot.digest != subject.digest {
        return Err(IgnoredReason::StaleDigest);
    }
    if policy.timeout_seconds.zip(ballot.cast_after_seconds).is_some_and(|(limit, cast)| cast > limit) {
        return Err(IgnoredReason::Late);
    }
    if !(1..=policy.rounds.max).contains(&ballot.round) {
        return Err(IgnoredReason::RoundNotHeld);
    }
    match policy.independence {
        Independence::None => Ok(()),
        Independence::DifferentModel => independent(ballot, subject.author_models),
    }
}

/// What cannot be shown to be independent is not: one answer of the author's model is enough.
fn independent(ballot: &Ballot, author_models: &[String]) -> Result<(), IgnoredReason> {
    if author_models.iter().all(|name| name.trim().is_empty()) {
        Err(IgnoredReason::AuthorUnknown)
    } else if ballot.models().next().is_none() {
        Err(IgnoredReason::ModelUnknown)
    } else if ballot.models().any(|model| author_models.iter().any(|author| same_model(author, model))) {
        Err(IgnoredReason::AuthorsModel)
    } else {
        Ok(())
    }
}

/// Leaves one ballot of each voter, sorted by voter.
fn one_each(counted: &mut Vec<Counted<'_>>, ignored: &mut Vec<Ignored>) {
    counted.sort_by(|a, b| {
        let last_round_first = || b.ballot.round.cmp(&a.ballot.round);
        a.ballot.voter.cmp(&b.ballot.voter).then_with(last_round_first).then_with(|| a.caution(b))
    });
    counted.dedup_by(|other, kept| {
        let (other, kept) = (other.ballot, kept.ballot);
        if other.voter != kept.voter {
            return false;
        }
        let reason = if other.round < kept.round {
            IgnoredReason::Superseded
        } else if other.verdict == kept.verdict {
            IgnoredReason::Duplicate
        } else {
            IgnoredReason::Contradicted
        };
        ignored.push(set_aside(other, reason));
        true
    });
}

/// Takes out who is too many in a role; the others stay sorted by voter.
fn fill_roles(roles: &[Role<'_>], counted: &mut Vec<Counted<'_>>, ignored: &mut Vec<Ignored>) {
    let is_additional = |role: usize| roles.get(role).is_some_and(|r| r.rule.additional);
    if counted.len() <= MAX_VOTERS_PER_ROLE && !counted.iter().any(|vote| is_additional(vote.role)) {
        return;
    }
    let mut by_role: BTreeMap<usize, Vec<Counted<'_>>> = BTreeMap::new();
    for vote in counted.drain(..) {
        by_role.entry(vote.role).or_default().push(vote);
    }
    for (role, mut votes) in by_role {
        let seats = roles.get(role).map_or(0, |r| usize::try_from(r.seats).unwrap_or(usize::MAX));
        let most = if is_additional(role) { seats } else { seats.max(MAX_VOTERS_PER_ROLE) };
        votes.sort_by(Counted::caution);
        let full = votes.split_off(votes.len().min(most));
        ignored.extend(full.iter().map(|v| set_aside(v.ballot, IgnoredReason::RoleFull)));
        counted.append(&mut votes);
    }
    counted.sort_by(|a, b| a.ballot.voter.cmp(&b.ballot.voter));
}
