//! What a Budget asks a person. Pure: what there is goes in, what is to be written comes out.
//!
//! A question is put when waiting alone cannot help: a call that the money of calls under way may still pay for is no
//! question yet. What an approval adds is fixed while the question is open, unless it would not be enough any more or
//! the Budget was edited: then it is another question, with another digest, and answers to the one before are stale.

use crate::times::shown;
use golden_crds::budget::{AskDeadline, AskRules, Budget, OnExhausted};
use golden_ledger::{Account, Amount, Limit, MicroUsd};
use golden_platform::budget_questions::{Outcome, Question, Waiting};
use golden_platform::ledger_accounts::Balance;
use jiff::Timestamp;
use kube::ResourceExt as _;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use uuid::Uuid;

/// What a step rests on, read under the account's lock.
pub(super) struct Asking<'a> {
    pub(super) budget: &'a Budget,
    pub(super) balance: &'a Balance,
    pub(super) waiting: &'a [Waiting],
    pub(super) open: Option<&'a Question>,
    /// How often more was granted in this period.
    pub(super) grants: i64,
}

/// What is to be done about the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Keep,
    /// Open it, or change the open one.
    Put(Question),
    Close(Outcome),
    /// Nobody answered in time; the words are for whoever is refused from now on.
    Expire(String),
}

/// What the calls lack for which no waiting helps.
#[derive(Debug, Default, PartialEq, Eq)]
struct Lack {
    /// Each part of the largest call.
    missing: Amount,
    tasks: BTreeSet<Uuid>,
}

/// The next step.
pub(super) fn step(at: &Asking<'_>, now: Timestamp) -> Step {
    let over = at.balance.period_end_us.is_some_and(|end| now.as_microsecond() >= end);
    let of_another = at.open.is_some_and(|open| open.period_start_us != at.balance.period_start_us);
    if over || of_another {
        // The ledger begins the next period with the next call that asks, which a held one does within seconds.
        return at.end(Outcome::Ended);
    }
    if at.budget.spec.on_exhausted != OnExhausted::Ask || at.balance.denied.is_some() {
        return at.end(Outcome::Withdrawn);
    }
    let Some(lack) = lack(at.balance, at.waiting) else { return at.end(Outcome::Withdrawn) };
    let wanted = at.question(&lack, now);
    if at.rules().on_deadline == AskDeadline::Fail
        && let Some(deadline) = wanted.deadline_us.filter(|d| now.as_microsecond() >= *d)
    {
        return Step::Expire(format!("nobody answered by {}", shown(deadline)));
    }
    if at.open == Some(&wanted) { Step::Keep } else { Step::Put(wanted) }
}

impl Asking<'_> {
    fn rules(&self) -> AskRules {
        self.budget.spec.ask.clone().unwrap_or_default()
    }

    fn end(&self, outcome: Outcome) -> Step {
        if self.open.is_some() { Step::Close(outcome) } else { Step::Keep }
    }

    fn question(&self, lack: &Lack, now: Timestamp) -> Question {
        let (rules, generation) = (self.rules(), self.budget.metadata.generation.unwrap_or_default());
        let (missing_cost, missing_tokens) = (lack.missing.cost.0, lack.missing.tokens);
        let kept = self.open.filter(|open| {
            open.generation == generation
                && open.grant_cost >= missing_cost
                && open.grant_tokens >= missing_tokens
        });
        let (grant_cost, grant_tokens) = kept.map_or_else(
            || {
                let share = |limit, missing| grant(limit, rules.grant_percent, missing);
                (
                    share(self.balance.limit_cost, missing_cost),
                    share(self.balance.limit_tokens, missing_tokens),
                )
            },
            |open| (open.grant_cost, open.grant_tokens),
        );
        let asked_at_us = self.open.map_or(now.as_microsecond(), |open| open.asked_at_us);
        let mut question = Question {
            generation,
            digest: String::new(),
            period_start_us: self.balance.period_start_us,
            missing_cost,
            missing_tokens,
            grant_cost,
            grant_tokens,
            tasks: i64::try_from(lack.tasks.len()).unwrap_or(i64::MAX),
            asked_at_us,
            deadline_us: rules
                .deadline_seconds
                .map(|s| asked_at_us.saturating_add(s.saturating_mul(1_000_000))),
        };
        question.digest = digest(&self.budget.uid().unwrap_or_default(), self.grants, &question);
        question
    }
}

/// What an approval adds to a limit: the share of it, and what is missing at least. A part that lacks nothing gets
/// nothing.
fn grant(limit: Option<i64>, percent: i64, missing: i64) -> i64 {
    let Some(limit) = limit.filter(|_| missing > 0) else { return missing };
    let share = (i128::from(limit) * i128::from(percent)).div_euclid(100)
        + i128::from(i128::from(limit) * i128::from(percent) % 100 != 0);
    i64::try_from(share).unwrap_or(i64::MAX).max(missing)
}

/// Binds everything that makes an answer one to this question: the object, its period, the grants before, when it was
/// asked, and what is granted.
fn digest(uid: &str, grants: i64, asked: &Question) -> String {
    let text = format!(
        "budget question\n{uid}\n{}\n{grants}\n{}\n{}\n{}\n",
        asked.period_start_us.map_or_else(|| "total".to_owned(), |us| us.to_string()),
        asked.asked_at_us,
        asked.grant_cost,
        asked.grant_tokens
    );
    format!("sha256:{}", hex::encode(Sha256::digest(text)))
}

fn lack(balance: &Balance, waiting: &[Waiting]) -> Option<Lack> {
    let account = account(balance);
    let mut lack = Lack::default();
    for call in waiting {
        let Some(missing) = missing(&account, call) else { continue };
        lack.missing.cost = lack.missing.cost.max(missing.cost);
        lack.missing.tokens = lack.missing.tokens.max(missing.tokens);
        lack.tasks.insert(call.task_uid);
    }
    (!lack.tasks.is_empty()).then_some(lack)
}

/// What a call lacks that no waiting gives it. Of an amount beyond all bounds, nobody is asked.
fn missing(account: &Account, call: &Waiting) -> Option<Amount> {
    let needs = Amount::new(call.needs_cost, call.needs_tokens);
    if needs.is_zero() {
        return Some(Amount::new(call.missing_cost.max(0), call.missing_tokens.max(0)));
    }
    let idle = Account { reserved: Amount::ZERO, ..*account };
    idle.missing(needs).ok()??;
    account.missing(needs).ok()?.map(|short| short.missing)
}

/// As the ledger's rules know it.
pub(super) fn account(balance: &Balance) -> Account {
    Account {
        limit: Limit { cost: balance.limit_cost.map(MicroUsd), tokens: balance.limit_tokens },
        granted: Amount::new(balance.granted_cost, balance.granted_tokens),
        spent: Amount::new(balance.spent_cost, balance.spent_tokens),
        reserved: Amount::new(balance.reserved_cost, balance.reserved_tokens),
        overage: Amount::new(balance.overage_cost, balance.overage_tokens),
        committed_at_edit: Amount::ZERO,
    }
}

#[cfg(test)]
mod tests;
