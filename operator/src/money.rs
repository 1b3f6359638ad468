//! Millionths of a US dollar, for people.

use golden_ledger::MicroUsd;

/// Rounded to cents, and below a cent as far as it goes.
pub(crate) fn dollars(micro: i64) -> String {
    MicroUsd(micro).to_string()
}
