//! How much of what is left one call gets, where it can be made with less.
//!
//! A call's bound is mostly output that it will not use. While there is plenty it gets all of it. When little is left, a
//! call that took the whole rest would hold every other one until it ends, so it leaves the others what they need to be
//! made once more: with `whole` its own bound, `held` what calls under way have reserved and `left` what is neither spent
//! nor reserved, it gets at most
//!
//! ```text
//! left * whole / (whole + held)
//! ```
//!
//! That is all of `whole` as long as `left >= whole + held`, all of `left` where no other call is under way, and an equal
//! part of it where the others are as large as this one. It is never less than the least that the call can be made with:
//! an answer that is cut off costs as much as one that helps.

use crate::account::{Account, Refusal, reserve};
use crate::amount::{Amount, AmountError};
use crate::reservation::Effect;

/// What a call may reserve: between the least that it is worth making with, and the most it can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub least: Amount,
    pub whole: Amount,
}

impl Range {
    /// All or nothing.
    pub fn exactly(amount: Amount) -> Self {
        Self { least: amount, whole: amount }
    }

    /// Refuses a negative part, and a least above the whole.
    pub fn checked(self) -> Result<Self, AmountError> {
        self.least.checked()?;
        self.whole.minus(self.least)?.checked()?;
        Ok(self)
    }

    /// The amount at a part of the way from the least to the whole, rounded down.
    fn at(self, way: Part) -> Result<Amount, AmountError> {
        let add = |least: i64, whole: i64| way.of(whole.saturating_sub(least)).saturating_add(least);
        Amount::new(add(self.least.cost.0, self.whole.cost.0), add(self.least.tokens, self.whole.tokens))
            .checked()
    }
}

/// As [`reserve`], for a call that can be made with less: what every account of the path gives of the range.
/// Refuses what the least cannot be had of; the shortfalls are those of the whole, which is what was asked for.
pub fn reserve_share(path: &[Account], range: Range) -> Result<Effect, Refusal> {
    let range = range.checked()?;
    if reserve(path, range.least).is_err() {
        return reserve(path, range.whole);
    }
    let mut way = Part::WHOLE;
    for account in path {
        way = way.min(share(account, range)?);
    }
    reserve(path, range.at(way)?)
}

/// How far from the least to the whole one account goes. It can pay the least.
fn share(account: &Account, range: Range) -> Result<Part, AmountError> {
    let (left, ceiling) = (account.available()?, account.ceiling());
    let (least, whole, held) = (range.least, range.whole, account.reserved);
    let cost = ceiling.cost.map(|_| part(left.cost.0, held.cost.0, least.cost.0, whole.cost.0));
    let tokens = ceiling.tokens.map(|_| part(left.tokens, held.tokens, least.tokens, whole.tokens));
    Ok(cost.into_iter().chain(tokens).fold(Part::WHOLE, Part::min))
}

/// The same for one of the two things that are limited. None of them is negative.
fn part(left: i64, held: i64, least: i64, whole: i64) -> Part {
    let [left, held, least, whole] = [left, held, least, whole].map(|n| u128::from(n.max(0).unsigned_abs()));
    if whole == least {
        return Part::WHOLE;
    }
    // Below 2^63 each.
    let fair = (left * whole) / (whole + held);
    Part { over: fair.min(whole).saturating_sub(least), under: whole - least }
}

/// A number from 0 to 1. Both of its numbers are below 2^64.
#[derive(Clone, Copy, Debug)]
struct Part {
    over: u128,
    under: u128,
}

impl Part {
    const WHOLE: Self = Self { over: 1, under: 1 };

    fn min(self, other: Self) -> Self {
        if self.over * other.under <= other.over * self.under { self } else { other }
    }

    /// So much of an amount that is not negative, rounded down.
    fn of(self, amount: i64) -> i64 {
        let amount = u128::from(amount.max(0).unsigned_abs());
        i64::try_from(amount * self.over / self.under.max(1)).unwrap_or(i64::MAX)
    }
}
