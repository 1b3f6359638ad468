//! What the ledger promises.

mod accounts;
mod model;
mod operations;
mod prices;
mod reservations;
