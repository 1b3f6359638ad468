//! What the ledger promises.

mod accounts;
mod forecast;
mod model;
mod operations;
mod prices;
mod reservations;
mod shares;
