//! Money in millionths of a US dollar.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Micro-USD. Arithmetic is checked; there are no floats anywhere near it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MicroUsd(pub i64);

/// Micro-USD in a dollar.
const DOLLAR: u64 = 1_000_000;
/// Micro-USD in a cent.
const CENT: u64 = 10_000;

impl MicroUsd {
    pub const ZERO: Self = Self(0);

    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Every digit: `$0.061241`, `$0.05`, `$12.00`. For what a person must act on, such as a missing amount.
    pub fn exact(self) -> String {
        let amount = self.0.unsigned_abs();
        let (dollars, fraction) = (amount / DOLLAR, amount % DOLLAR);
        let digits = format!("{fraction:06}");
        // Two digits at least, as people write money.
        let (cents, rest) = digits.split_at(2);
        format!("{}${dollars}.{cents}{}", sign(self.0), rest.trim_end_matches('0'))
    }
}

fn sign(amount: i64) -> &'static str {
    if amount < 0 { "-" } else { "" }
}

/// For display: rounded to cents, `$0.06`; what is less than a cent is shown in full, `$0.000061`, since a
/// cost that reads as nothing would mislead.
impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = self.0.unsigned_abs();
        if amount < CENT {
            return f.write_str(&self.exact());
        }
        let cents = amount.saturating_add(CENT / 2) / CENT;
        write!(f, "{}${}.{:02}", sign(self.0), cents / 100, cents % 100)
    }
}
