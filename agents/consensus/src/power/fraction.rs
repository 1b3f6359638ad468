//! Exact fractions, as they are printed.

use num_bigint::BigUint;
use num_integer::Integer as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// Longest fraction that is read, in bytes: that of a thousand voters has some 1800 digits.
const MAX_BYTES: usize = 4096;

/// A fraction in lowest terms, written `a/b`, also where it is whole (`0/1`, `1/1`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fraction {
    numerator: BigUint,
    denominator: BigUint,
}

impl Fraction {
    /// Reduces. The denominator is not 0.
    pub(crate) fn new(numerator: BigUint, denominator: BigUint) -> Self {
        let divisor = numerator.gcd(&denominator);
        Self { numerator: numerator / &divisor, denominator: denominator / divisor }
    }

    pub fn numerator(&self) -> &BigUint {
        &self.numerator
    }

    pub fn denominator(&self) -> &BigUint {
        &self.denominator
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

impl Serialize for Fraction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fraction {
    /// Reads what [`Serialize`] wrote.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let whole = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| digits.parse::<BigUint>().ok()).flatten()
        };
        text.split_once('/')
            .filter(|_| text.len() <= MAX_BYTES)
            .and_then(|(a, b)| Some((whole(a)?, whole(b)?)))
            .filter(|(_, denominator)| *denominator != BigUint::ZERO)
            .map(|(numerator, denominator)| Self::new(numerator, denominator))
            .ok_or_else(|| de::Error::custom("a fraction is written a/b, of two whole numbers, b above 0"))
    }
}
