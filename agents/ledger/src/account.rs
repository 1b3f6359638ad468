//! Accounts, and whether a path of them can pay.
//!
//! Two rules, not one. A reservation is granted only if `spent + reserved + amount` stays within the limit and what
//! people granted beside it. The row itself must hold
//! `spent + reserved <= greatest(limit + granted, committed at the last edit)`: a limit may be lowered below what is
//! spent already, which must not make the row unwritable.

use crate::amount::{Amount, AmountError};
use crate::money::MicroUsd;
use crate::reservation::Effect;
use serde::{Deserialize, Serialize};

/// What an account may spend; absent means without a limit of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limit {
    #[serde(default, rename = "costMicroUSD", skip_serializing_if = "Option::is_none")]
    pub cost: Option<MicroUsd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<i64>,
}

/// A Budget, or a task's own limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    pub limit: Limit,
    /// What people granted beside the limit, until the period ends.
    #[serde(default)]
    pub granted: Amount,
    pub spent: Amount,
    pub reserved: Amount,
    /// What providers reported beyond what was reserved. Of what is limited it blocks new reservations until a person
    /// has edited the limit ([`Account::unconfirmed`]).
    pub overage: Amount,
    /// `spent + reserved` when the limit was last edited.
    pub committed_at_edit: Amount,
}

/// What one account lacks for an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shortfall {
    /// Position on the path, the root is 0.
    pub index: usize,
    /// How much less there is than needed; zero for a part that is not lacking.
    pub missing: Amount,
    /// What is left, zero at least; the whole of `i64` where there is no limit.
    pub available: Amount,
    /// The overage that blocks, if one does.
    pub overage: Amount,
}

/// Why nothing was reserved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the path has no account; the task was not admitted or is gone")]
    NoAccount,
    #[error("{} account(s) on the path cannot pay", .0.len())]
    Exhausted(Vec<Shortfall>),
    #[error(transparent)]
    Amount(#[from] AmountError),
}

/// Whether every account of the path (root first) can pay; the effect is then applied to each of them.
///
/// All shortfalls are told, the largest first, so that a person need not raise one limit to meet the next.
pub fn reserve(path: &[Account], amount: Amount) -> Result<Effect, Refusal> {
    let amount = amount.checked()?;
    if path.is_empty() {
        return Err(Refusal::NoAccount);
    }
    let mut lacking = vec![];
    for (index, account) in path.iter().enumerate() {
        lacking.extend(account.shortfall(index, amount)?);
    }
    if lacking.is_empty() {
        return Ok(Effect { reserved: amount, ..Effect::default() });
    }
    lacking.sort_by_key(|s| std::cmp::Reverse((s.missing.cost, s.missing.tokens)));
    Err(Refusal::Exhausted(lacking))
}

impl Account {
    /// Spent and reserved together.
    pub fn committed(&self) -> Result<Amount, AmountError> {
        self.spent.plus(self.reserved)
    }

    /// Limit and grants together: what may be committed.
    #[must_use]
    pub fn ceiling(&self) -> Limit {
        let with = |limit: i64, granted: i64| limit.saturating_add(granted);
        Limit {
            cost: self.limit.cost.map(|l| MicroUsd(with(l.0, self.granted.cost.0))),
            tokens: self.limit.tokens.map(|l| with(l, self.granted.tokens)),
        }
    }

    /// The overage that nobody has seen yet, of what is limited: a promise was broken there, so nothing is granted until
    /// a person has edited the limit. What has no limit promises nothing.
    #[must_use]
    pub fn unconfirmed(&self) -> Amount {
        let of = |limit: Option<i64>, overage: i64| limit.map_or(0, |_| overage);
        let (limit, overage) = (self.limit, self.overage);
        Amount::new(of(limit.cost.map(|c| c.0), overage.cost.0), of(limit.tokens, overage.tokens))
    }

    /// What may still be reserved: zero at least, the whole of `i64` where there is no limit.
    pub fn available(&self) -> Result<Amount, AmountError> {
        let (ceiling, used) = (self.ceiling(), self.committed()?.plus(self.overage)?);
        let left = |limit: Option<i64>, used: i64| limit.map_or(i64::MAX, |l| l.saturating_sub(used).max(0));
        Ok(Amount::new(left(ceiling.cost.map(|c| c.0), used.cost.0), left(ceiling.tokens, used.tokens)))
    }

    /// What the account lacks for an amount now, as [`reserve`] would tell.
    pub fn missing(&self, amount: Amount) -> Result<Option<Shortfall>, AmountError> {
        self.shortfall(0, amount.checked()?)
    }

    /// The account after an effect. Refuses what would take it below zero: a release cannot happen twice.
    pub fn apply(&self, effect: &Effect) -> Result<Self, AmountError> {
        Ok(Self {
            spent: self.spent.plus(effect.spent)?.checked()?,
            reserved: self.reserved.plus(effect.reserved)?.checked()?,
            overage: self.overage.plus(effect.overage)?.checked()?,
            ..*self
        })
    }

    /// The account after a person edited its limit: what is committed now is allowed for, and an overage,
    /// which the person has seen, becomes spent.
    pub fn edit_limit(&self, limit: Limit) -> Result<Self, AmountError> {
        let spent = self.spent.plus(self.overage)?;
        let committed_at_edit = spent.plus(self.reserved)?;
        Ok(Self { limit, spent, overage: Amount::ZERO, committed_at_edit, ..*self })
    }

    /// The account after a person granted more for this period. As an edit of the limit, it takes in what it was
    /// answered in sight of.
    pub fn grant(&self, amount: Amount) -> Result<Self, AmountError> {
        let granted = self.granted.plus(amount.checked()?)?;
        Ok(Self { granted, ..self.edit_limit(self.limit)? })
    }

    /// The account when a period has ended: nothing is spent or granted yet, and what calls under way have reserved is
    /// carried over. An overage stays until a person has seen it.
    #[must_use]
    pub fn roll(&self) -> Self {
        Self { spent: Amount::ZERO, granted: Amount::ZERO, committed_at_edit: self.reserved, ..*self }
    }

    /// The invariant of the row, as the database's constraint has it.
    pub fn row_holds(&self) -> bool {
        let Ok(committed) = self.committed() else { return false };
        let ceiling = self.ceiling();
        let within =
            |limit: Option<i64>, at_edit: i64, used: i64| limit.is_none_or(|l| used <= l.max(at_edit));
        within(ceiling.cost.map(|c| c.0), self.committed_at_edit.cost.0, committed.cost.0)
            && within(ceiling.tokens, self.committed_at_edit.tokens, committed.tokens)
    }

    fn shortfall(&self, index: usize, amount: Amount) -> Result<Option<Shortfall>, AmountError> {
        let (ceiling, needed) = (self.ceiling(), self.committed()?.plus(self.overage)?.plus(amount)?);
        let lacks = |limit: Option<i64>, needed: i64| limit.map_or(0, |l| needed.saturating_sub(l).max(0));
        let missing = Amount::new(
            lacks(ceiling.cost.map(|c| c.0), needed.cost.0),
            lacks(ceiling.tokens, needed.tokens),
        );
        let overage = self.unconfirmed();
        if missing.is_zero() && overage.is_zero() {
            return Ok(None);
        }
        Ok(Some(Shortfall { index, missing, available: self.available()?, overage }))
    }
}
