//! One operator acts, the others stand by with warm caches: election over a Lease.
//!
//! The lease is no fence: two operators may act for a moment. Every effect is idempotent and every status write
//! carries the object's uid, so that this costs a request and nothing else.

mod decide;
mod lease;

pub(crate) use lease::{Election, Leadership};
