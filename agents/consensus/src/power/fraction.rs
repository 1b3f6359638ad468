//! Exact fractions, as they are printed.

use num_bigint::BigUint;
use num_integer::Integer as _;
use serde::{Serialize, Serializer};
use std::fmt;

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
