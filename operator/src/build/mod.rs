//! Pure builders: one file per kind of child, each with its tests. No I/O, no clock.

pub(crate) mod network_policy;
pub(crate) mod parts;
pub(crate) mod pod;
pub(crate) mod service;
pub(crate) mod service_account;

#[cfg(test)]
pub(crate) mod tests;
