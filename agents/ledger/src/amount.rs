//! What is limited: money and tokens, always together.

use crate::money::MicroUsd;
use serde::{Deserialize, Serialize};

/// Money and tokens. As an amount never negative; as a difference it may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Amount {
    #[serde(rename = "costMicroUSD")]
    pub cost: MicroUsd,
    /// Input and output tokens together.
    pub tokens: i64,
}

/// Why amounts cannot be computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("amount does not fit 64 bits; nothing was changed")]
    Overflow,
    #[error("amount is negative; nothing was changed")]
    Negative,
}

impl Amount {
    pub const ZERO: Self = Self { cost: MicroUsd::ZERO, tokens: 0 };

    pub const fn new(cost: i64, tokens: i64) -> Self {
        Self { cost: MicroUsd(cost), tokens }
    }

    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    /// For people: `$0.10`, `500 tokens` or both, every digit; none of nothing.
    pub fn words(self) -> Option<String> {
        match (self.cost, self.tokens) {
            (MicroUsd::ZERO, 0) => None,
            (cost, 0) => Some(cost.exact()),
            (MicroUsd::ZERO, tokens) => Some(format!("{tokens} tokens")),
            (cost, tokens) => Some(format!("{} and {tokens} tokens", cost.exact())),
        }
    }

    /// Refuses a negative part.
    pub fn checked(self) -> Result<Self, AmountError> {
        if self.cost.0 < 0 || self.tokens < 0 { Err(AmountError::Negative) } else { Ok(self) }
    }

    pub fn plus(self, other: Self) -> Result<Self, AmountError> {
        let cost = self.cost.checked_add(other.cost).ok_or(AmountError::Overflow)?;
        let tokens = self.tokens.checked_add(other.tokens).ok_or(AmountError::Overflow)?;
        Ok(Self { cost, tokens })
    }

    pub fn minus(self, other: Self) -> Result<Self, AmountError> {
        let cost = self.cost.checked_sub(other.cost).ok_or(AmountError::Overflow)?;
        let tokens = self.tokens.checked_sub(other.tokens).ok_or(AmountError::Overflow)?;
        Ok(Self { cost, tokens })
    }

    /// The smaller of each part.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self { cost: self.cost.min(other.cost), tokens: self.tokens.min(other.tokens) }
    }
}
