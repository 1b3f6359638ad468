//! The decision.
//!
//! In this order, the first that applies:
//! 1. a required guard failed: `GuardFailed`, whatever the votes;
//! 2. a veto role rejected with verified evidence: `Vetoed`;
//! 3. the review is open and a seat has not voted, or a guard has no verdict: `Undecided`;
//! 4. a required guard has no verdict: `GuardMissing`;
//! 5. a veto role rejected without verified evidence, and no additional reviewer approves: `VetoUnverified`;
//! 6. a required role has not voted: `RequiredVoterMissing`;
//! 7. less than the quorum is cast, to which an additional reviewer adds by approving only: `QuorumMissing`;
//! 8. as much for as against (also 0 to 0): `Tie`;
//! 9. at least `approvePercent` of the opinions, and a majority, approve: `Approved`; else `ChangesRequested`.
//!
//! 1 and 2 need not wait for others, since nothing that comes later can turn them into an approval.

use crate::ballot::{Ballot, Verdict};
use crate::count::{Counted, Ignored, Role, Roles, count};
use crate::flip::{MinimalFlip, minimal_flip};
use crate::guards::{GuardFact, GuardsBlocked, GuardsCleared, clear};
use crate::impact::{Impact, impact};
use crate::outcome::{Next, Outcome, OutcomeKind};
use crate::policy::Policy;
use crate::power::SeatPower;
use crate::reason::reason;
use crate::reliability::SeatWeight;
use crate::subject::Subject;
use crate::tally::{Needs, Shares, Tally, tally};
use serde::{Deserialize, Serialize};

/// A decision with all that is needed to explain it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub outcome: Outcome,
    pub next: Next,
    /// One sentence for people, with the arithmetic.
    pub reason: String,
    pub tally: Tally,
    /// Every rejecting ballot that counted, whatever the outcome, the most severe first.
    pub dissent: Vec<Ballot>,
    pub ignored: Vec<Ignored>,
    /// What each counted ballot changed, by voter. Empty while undecided.
    pub impact: Vec<Impact>,
    /// The fewest ballots that decide otherwise; absent while undecided, and where none can.
    pub minimal_flip: Option<MinimalFlip>,
}

/// A decision as it is stored, sent and shown. Plain data: it says what was decided, it proves nothing, so
/// whoever acts on `Approved` checks the guards' facts themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionRecord {
    pub decision: OutcomeKind,
    pub next: Next,
    pub reason: String,
    #[serde(flatten)]
    pub tally: Tally,
    pub dissent: Vec<Ballot>,
    #[serde(default)]
    pub ignored: Vec<Ignored>,
    #[serde(default)]
    pub impact: Vec<Impact>,
    #[serde(default)]
    pub minimal_flip: Option<MinimalFlip>,
    /// Each seat's power under the rules it was decided by, where whoever decided counted it: that follows from the
    /// policy alone, and takes long for large ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub power: Vec<SeatPower>,
    /// What opinions weighed, where that follows track records; found before anybody voted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<SeatWeight>,
}

impl From<Decision> for DecisionRecord {
    fn from(decision: Decision) -> Self {
        Self {
            decision: decision.outcome.kind(),
            next: decision.next,
            reason: decision.reason,
            tally: decision.tally,
            dissent: decision.dissent,
            ignored: decision.ignored,
            impact: decision.impact,
            minimal_flip: decision.minimal_flip,
            power: vec![],
            weights: vec![],
        }
    }
}

/// Decides about a subject. `closed` says that no further ballot is waited for.
pub fn decide<'a>(
    policy: &Policy,
    ballots: &[Ballot],
    facts: &[GuardFact],
    subject: impl Into<Subject<'a>>,
    closed: bool,
) -> Decision {
    let roles = Roles::of(policy);
    let subject = subject.into();
    let (counted, ignored) = count(policy, &roles, ballots, &subject);
    let guards = clear(&policy.required_guards, facts, subject.digest);
    let case = Case { policy, roles: &roles.all, needs: Needs::of(policy), guards: &guards };
    let votes: Vec<Vote> = counted.iter().map(Vote::of).collect();
    let shares = case.shares(&votes);
    let tally = case.tally(&votes, &shares);
    let outcome = case.outcome(&votes, &shares, &tally, closed);
    let open = outcome == Outcome::Undecided;
    let impact = if open { vec![] } else { impact(&case, &votes, &shares, &outcome) };
    let minimal_flip = if open { None } else { minimal_flip(&case, &votes, &shares, &outcome) };
    Decision {
        reason: reason(policy, &outcome, &tally),
        next: outcome.next(policy),
        dissent: dissent(&counted),
        outcome,
        tally,
        ignored,
        impact,
        minimal_flip,
    }
}

fn dissent(counted: &[Counted<'_>]) -> Vec<Ballot> {
    let mut dissent: Vec<Ballot> =
        counted.iter().map(|c| c.ballot).filter(|b| b.verdict == Verdict::Reject).cloned().collect();
    dissent.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.voter.cmp(&b.voter)));
    dissent
}

/// What a counted ballot contributes; small, so that hypothetical reviews are cheap.
#[derive(Clone, Copy)]
pub(crate) struct Vote<'a> {
    pub(crate) voter: &'a str,
    pub(crate) role: usize,
    pub(crate) verdict: Verdict,
    pub(crate) veto: bool,
    pub(crate) verified: bool,
    pub(crate) additional: bool,
}

impl<'a> Vote<'a> {
    fn of(counted: &Counted<'a>) -> Self {
        Self {
            voter: &counted.ballot.voter,
            role: counted.role,
            verdict: counted.ballot.verdict,
            veto: counted.veto,
            verified: counted.ballot.has_verified_evidence(),
            additional: counted.additional,
        }
    }
}

/// What stays the same between a review and its hypothetical variants.
pub(crate) struct Case<'a> {
    policy: &'a Policy,
    roles: &'a [Role<'a>],
    needs: Needs,
    guards: &'a Result<GuardsCleared, GuardsBlocked>,
}

impl Case<'_> {
    /// What voters weigh; verdicts do not matter for it.
    pub(crate) fn shares(&self, votes: &[Vote<'_>]) -> Shares {
        Shares::of(self.roles, self.policy.unit(), votes.iter().map(|v| v.role))
    }

    fn tally(&self, votes: &[Vote<'_>], shares: &Shares) -> Tally {
        tally(self.needs, shares, votes.iter().map(|v| (v.role, v.verdict)))
    }

    /// What a closed review of these votes comes to.
    pub(crate) fn kind(&self, votes: &[Vote<'_>], shares: &Shares) -> OutcomeKind {
        self.outcome(votes, shares, &self.tally(votes, shares), true).kind()
    }

    /// See [`Policy::approval_share`].
    pub(crate) fn approval_share(&self) -> u32 {
        self.policy.approval_share()
    }

    /// The rule in the order of the module's documentation.
    fn outcome(&self, votes: &[Vote<'_>], shares: &Shares, tally: &Tally, closed: bool) -> Outcome {
        let missing_guards = match self.guards {
            Ok(_) => &[][..],
            Err(blocked) if !blocked.failed.is_empty() => {
                return Outcome::GuardFailed { guards: blocked.failed.clone() };
            }
            Err(blocked) => &blocked.missing[..],
        };
        let vetoes = vetoers(votes, true);
        if !vetoes.is_empty() {
            return Outcome::Vetoed { voters: vetoes };
        }
        if !closed && (!missing_guards.is_empty() || !self.absent(shares, |_| true).is_empty()) {
            return Outcome::Undecided;
        }
        let Ok(cleared) = self.guards else {
            return Outcome::GuardMissing { guards: missing_guards.to_vec() };
        };
        self.by_votes(votes, shares, tally, cleared)
    }

    fn by_votes(
        &self,
        votes: &[Vote<'_>],
        shares: &Shares,
        tally: &Tally,
        cleared: &GuardsCleared,
    ) -> Outcome {
        let unverified = vetoers(votes, false);
        if !unverified.is_empty() && !additional_approves(votes) {
            return Outcome::VetoUnverified { voters: unverified };
        }
        let absent = self.absent(shares, |role| role.rule.required);
        if !absent.is_empty() {
            return Outcome::RequiredVoterMissing { roles: absent };
        }
        if !self.has_quorum(votes, shares, tally) {
            Outcome::QuorumMissing
        } else if tally.approve_weight == tally.reject_weight {
            Outcome::Tie
        } else if tally.approves(self.policy.approval_share()) {
            Outcome::Approved(cleared.clone())
        } else {
            Outcome::ChangesRequested
        }
    }

    /// An additional reviewer makes a quorum by approving only. Else a rejection, or no opinion, would let pass what too few
    /// had judged.
    fn has_quorum(&self, votes: &[Vote<'_>], shares: &Shares, all: &Tally) -> bool {
        if additional_approves(votes) || !votes.iter().any(|v| v.additional) {
            return all.has_quorum();
        }
        let others = votes.iter().filter(|v| !v.additional).map(|v| (v.role, v.verdict));
        tally(self.needs, shares, others).has_quorum()
    }

    /// Roles, among those asked for, with fewer voters than seats.
    fn absent(&self, shares: &Shares, asked: impl Fn(&Role<'_>) -> bool) -> Vec<String> {
        let lacking =
            self.roles.iter().zip(shares.voters()).filter(|(role, n)| asked(role) && *n < role.seats);
        lacking.map(|(role, _)| role.rule.role.clone()).collect()
    }
}

/// Whether the additional reviewer approves: then it adds to the quorum, and a veto that rests on nothing verified is a
/// rejection like any other.
pub(crate) fn additional_approves(votes: &[Vote<'_>]) -> bool {
    votes.iter().any(|v| v.additional && v.verdict == Verdict::Approve)
}

/// Voters of veto roles who rejected, with or without verified evidence.
fn vetoers(votes: &[Vote<'_>], verified: bool) -> Vec<String> {
    let rejecting = votes.iter().filter(|v| v.veto && v.verdict == Verdict::Reject && v.verified == verified);
    rejecting.map(|v| v.voter.to_owned()).collect()
}
