//! The keys of one upstream try.

use uuid::Uuid;

/// Names a try, its reservation, and its place among the calls that wait for money.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// Of this call, the same for a client that sends again: names its holds.
    pub(crate) operation: String,
    /// Of this try of the provider.
    pub(crate) upstream: String,
    /// Which try of the call it is, from 1.
    number: u32,
}

impl Keys {
    /// Of one try of the provider. The nonce is the call's own ([`nonce`]).
    pub(crate) fn new(operation: &str, number: u32, nonce: &str) -> Self {
        let upstream = upstream(operation, number, nonce);
        Self { operation: operation.to_owned(), upstream, number }
    }

    /// The same try anew: what was reserved for it has ended, and pays for nothing any more.
    pub(crate) fn renew(&mut self) {
        self.upstream = upstream(&self.operation, self.number, &nonce());
    }
}

fn upstream(operation: &str, number: u32, nonce: &str) -> String {
    format!("{operation}/u{number}.{nonce}")
}

/// Tells a call from the operation's earlier calls and from those of other processes: each is paid for, and none is called
/// twice for one payment.
pub(crate) fn nonce() -> String {
    Uuid::new_v4().simple().to_string().chars().take(12).collect()
}
