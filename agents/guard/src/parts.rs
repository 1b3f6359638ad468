//! A digest of parts that cannot run into each other.

use sha2::{Digest, Sha256};

/// Parts in their order, each with its length before it.
#[derive(Default)]
pub(crate) struct Parts(Sha256);

impl Parts {
    pub(crate) fn add(&mut self, part: impl AsRef<[u8]>) {
        let part = part.as_ref();
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    /// All of a sorted or otherwise settled sequence, and where it ends.
    pub(crate) fn add_all(&mut self, parts: impl IntoIterator<Item = impl AsRef<str>>) {
        let mut count = 0_u64;
        for part in parts {
            self.add(part.as_ref());
            count += 1;
        }
        self.0.update(count.to_be_bytes());
    }

    /// `sha256:` and 64 digits.
    pub(crate) fn digest(self) -> String {
        format!("sha256:{}", hex::encode(self.0.finalize()))
    }
}
