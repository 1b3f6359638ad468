//! The course of a task under other rules: attempt by attempt, as long as each leads to the next as it did.

use super::Reach;
use super::ceiling::{Ceiling, Otherwise};
use super::course::{Attempt, Course};
use super::judge::{Judgement, judge};
use super::people::{Approved, approved, begins_alike, deadline, people};
use crate::explain::people as words;
use crate::merged::MergedPolicy;
use golden_consensus::{Next, OutcomeKind};
use std::collections::BTreeSet;

/// How a task would have gone, as far as that is known.
pub(super) struct Way {
    pub(super) decision: String,
    pub(super) waits: Option<u32>,
    pub(super) cost: Option<i64>,
    pub(super) reach: Reach,
    pub(super) because: String,
}

/// Replays the whole of it.
pub(super) fn replay(course: &Course, after: &MergedPolicy) -> Way {
    if let Err(why) = begins_alike(&course.merged, after) {
        return unknown_way(why.to_owned());
    }
    let mut replay = Replay {
        course,
        after,
        same_voters: voters(&course.merged) == voters(after),
        ceiling: Ceiling::of(course, after),
        waits: 0,
        last: course.decision(),
        spent: 0,
    };
    let turned = course.attempts.iter().find_map(|attempt| replay.attempt(attempt));
    turned.unwrap_or_else(|| replay.whole())
}

/// What was seen so far.
struct Replay<'a> {
    course: &'a Course,
    after: &'a MergedPolicy,
    same_voters: bool,
    /// Where it is another one than it was.
    ceiling: Option<Ceiling>,
    waits: u32,
    /// The last judgement.
    last: String,
    spent: i64,
}

impl Replay<'_> {
    /// Goes through one attempt; where the task would not have gone on as it did, that is the end.
    fn attempt(&mut self, attempt: &Attempt) -> Option<Way> {
        self.spent = attempt.cost_after(0);
        let (was, now) = match both(attempt, self.course, self.after) {
            Ok(Some(both)) => both,
            Ok(None) => {
                self.last = attempt.refused.clone().unwrap_or_default();
                return self.followed(attempt);
            }
            Err(why) => return Some(unknown(attempt, &why)),
        };
        self.spent = attempt.cost_after(now.rounds.len());
        now.kind.as_str().clone_into(&mut self.last);
        if !was.leads_where(&now) {
            return Some(self.turns(attempt, &was, &now));
        }
        if was.next == Next::Wait && self.course.merged.review.value != self.after.review.value {
            return Some(unknown(attempt, "its review was never decided"));
        }
        if let Some(turned) = self.followed(attempt) {
            return Some(turned);
        }
        let passed = was.next == Next::Proceed || attempt.answers.let_pass();
        if attempt.accepted.is_some() || (passed && self.is_last(attempt)) {
            return self.approvals(attempt);
        }
        None
    }

    /// What followed on a judgement that would have been the same: questions to people, and whether there is another attempt.
    fn followed(&mut self, attempt: &Attempt) -> Option<Way> {
        let otherwise =
            self.ceiling.as_ref().map_or(Otherwise::Nothing, |most| most.after(attempt, self.course));
        let sent_back = attempt.sent_back || self.is_last(attempt) && self.course.is_exhausted();
        if let Otherwise::IsLast(policy) = &otherwise
            && let Some(turned) = self.ends_with(attempt, sent_back, policy)
        {
            return Some(turned);
        }
        let asked = attempt.escalations > 0;
        let open = match otherwise {
            Otherwise::MoreMayFollow if asked => "another attempt could have been asked for instead",
            Otherwise::MoreMayFollow if sent_back => "the policy allows another one, if the task does",
            Otherwise::Unknown if asked || sent_back => {
                "the record does not say how many attempts it could have had"
            }
            _ if asked && deadline(&self.course.merged) != deadline(self.after) => {
                "its question would have had another deadline"
            }
            _ => {
                self.waits += attempt.escalations;
                return None;
            }
        };
        Some(unknown(attempt, open))
    }

    /// The attempt is the last one that this policy allows, and was not: where the task turns off its way by that.
    fn ends_with(&mut self, attempt: &Attempt, sent_back: bool, policy: &str) -> Option<Way> {
        let number = attempt.number;
        let (waits, because) = if attempt.answers.stuck {
            let because = format!(
                "policy {policy} allows no attempt {}: nobody is asked about going in circles, and the task fails",
                number + 1
            );
            (attempt.escalations.saturating_sub(1), because)
        } else if attempt.answers.ask_again() {
            let because = format!(
                "attempt {number}: policy {policy} allows none after it, so none could be asked for; what is answered \
                 instead is not known"
            );
            (attempt.escalations, because)
        } else if sent_back {
            let because =
                format!("policy {policy} allows no attempt {}: the task fails before it", number + 1);
            (attempt.escalations, because)
        } else {
            return None;
        };
        self.waits += waits;
        Some(self.way(Reach::Diverges, because))
    }

    fn is_last(&self, attempt: &Attempt) -> bool {
        self.course.attempts.last().is_some_and(|last| last.number == attempt.number)
    }

    /// What becomes of an accepted result.
    fn approvals(&mut self, attempt: &Attempt) -> Option<Way> {
        let number = attempt.number;
        match approved(attempt, self.course, self.after) {
            Err(why) => Some(Way { decision: self.last.clone(), ..unknown(attempt, why) }),
            Ok(Approved::AsItWas { asked }) => {
                self.waits += u32::from(asked);
                None
            }
            Ok(Approved::ByMore { people }) => {
                self.waits += 1;
                let people = words(people);
                let because = format!(
                    "attempt {number}: {people} would have to approve it; what they answer is not known"
                );
                Some(self.way(Reach::Diverges, because))
            }
            Ok(Approved::ByNobody) => {
                Some(self.way(Reach::Accepted, format!("attempt {number}: nobody would have to approve it")))
            }
        }
    }

    /// The attempt at which the task would have turned off its way.
    fn turns(&mut self, attempt: &Attempt, was: &Judgement, now: &Judgement) -> Way {
        let (before, kind) = (was.kind.as_str(), now.kind.as_str());
        let instead = if before == kind { String::new() } else { format!(" instead of {before}") };
        let sooner = match (now.rounds.len(), was.rounds.len()) {
            (held, were) if 0 < held && held < were => format!(" after {held} of its {were} rounds"),
            _ => String::new(),
        };
        let turn = format!("attempt {}: {kind}{instead}{sooner}, {}", attempt.number, now.reason);
        let open = match now.next {
            Next::Proceed => match people(attempt, self.after) {
                Ok(0) if !attempt.answers.denied_early() => return self.way(Reach::Accepted, turn),
                Ok(_) => "whether people approve",
                Err(why) => return Way { decision: self.last.clone(), ..unknown(attempt, why) },
            },
            Next::Escalate => "what is answered",
            Next::Wait => {
                return unknown(attempt, "its guards would let it pass, and nobody has reviewed it");
            }
            Next::Revise | Next::Repair => "what the next attempt then gives",
        };
        self.waits += u32::from(matches!(now.next, Next::Proceed | Next::Escalate));
        self.way(Reach::Diverges, format!("{turn}; {open} is not known"))
    }

    /// All attempts went as they did.
    fn whole(&self) -> Way {
        let same = "it would have gone as it did";
        let because = if self.same_voters {
            same.to_owned()
        } else {
            format!("{same}; other voters' ballots cost something else")
        };
        Way { cost: self.cost(self.course.cost), ..self.way(Reach::Same, because) }
    }

    fn way(&self, reach: Reach, because: String) -> Way {
        let (decision, waits) = (self.last.clone(), Some(self.waits));
        Way { decision, waits, cost: self.cost(self.spent), reach, because }
    }

    /// What other voters' ballots cost nobody knows.
    fn cost(&self, cost: i64) -> Option<i64> {
        self.same_voters.then_some(cost)
    }
}

/// How the recorded rules judge an attempt and how the changed ones do; none if neither has a say, since the attempt was
/// refused before it was judged.
fn both(
    attempt: &Attempt,
    course: &Course,
    after: &MergedPolicy,
) -> Result<Option<(Judgement, Judgement)>, String> {
    if attempt.refused.is_some() {
        return Ok(None);
    }
    let was = judge(attempt, course, &course.merged)?;
    let told: Vec<OutcomeKind> = attempt.rounds.decided().map(|review| review.kind).collect();
    if told != was.rounds {
        let (told, was) = (outcomes(&told), outcomes(&was.rounds));
        return Err(format!("the record says {told}, and its own ballots and rules give {was}"));
    }
    if was.kind != OutcomeKind::Undecided && attempt.rounds.iter().any(|round| round.review.is_none()) {
        let was = was.kind.as_str();
        return Err(format!("the record holds a round after {was}, and its own ballots and rules give none"));
    }
    Ok(Some((was, judge(attempt, course, after)?)))
}

/// What rounds came to.
fn outcomes(rounds: &[OutcomeKind]) -> String {
    let names: Vec<&str> = rounds.iter().map(|kind| kind.as_str()).collect();
    if names.is_empty() { "no review".to_owned() } else { names.join(", then ") }
}

/// The voters: role, provider and model. The additional reviewer is not among them: where it was asked and would not have
/// been, or the other way round, the way ends there.
fn voters(policy: &MergedPolicy) -> BTreeSet<(&str, Option<(&str, &str)>)> {
    let voters = policy.review.value.voters.iter();
    voters
        .map(|v| (v.role.as_str(), v.model_ref.as_ref().map(|m| (m.provider.as_str(), m.model.as_str()))))
        .collect()
}

fn unknown(attempt: &Attempt, why: &str) -> Way {
    unknown_way(format!("attempt {}: {why}", attempt.number))
}

fn unknown_way(because: String) -> Way {
    Way { decision: "Unknown".into(), waits: None, cost: None, reach: Reach::Unknown, because }
}
