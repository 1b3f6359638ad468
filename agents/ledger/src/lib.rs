//! The rules of the ledger: prices, limits, and the life of a reservation.
//!
//! Contract: pure and checked; nothing here overflows, rounds in the spender's favour or forgets a duplicate.
//! The service that owns the accounts applies these rules inside one transaction; the database holds the same
//! invariant again ([`Account::row_holds`]).

mod account;
mod amount;
pub mod forecast;
mod money;
mod operation;
mod period;
mod price;
mod reservation;
mod share;

pub use account::{Account, Limit, Refusal, Shortfall, reserve};
pub use amount::{Amount, AmountError};
pub use money::MicroUsd;
pub use operation::{OPERATION_KEY_LENGTH, OtherRequest, bind_request, digest, operation_key, request_hash};
pub use period::{Period, Span, UnknownZone, span, time_zone};
pub use price::{CacheWrites, PriceError, Prices, Usage, actual, affordable_output, bound};
pub use reservation::{Effect, Event, IllegalTransition, Reservation, State, Step, transition};
pub use share::{Range, reserve_share};

#[cfg(test)]
mod tests;
