//! Operation keys: one call is paid once, however often it is sent.

use sha2::{Digest, Sha256};

/// Length of a key, in characters.
pub const OPERATION_KEY_LENGTH: usize = 67;

/// The key was used with another request. Nothing is reserved, dispatched or settled then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operation key belongs to another request; use a new key for a new request")]
pub struct OtherRequest;

/// The key of a call by a client that sends none: the try that made it, and the digest of the request. A client that
/// times out and sends again has the same key. So has one that asks the same again after an answer: the key names what
/// is asked, and each upstream try of it is paid for under a key of its own.
pub fn operation_key(try_uid: &str, request_digest: &str) -> String {
    format!("op-{}", hex::encode(digest(&[try_uid.as_bytes(), request_digest.as_bytes()])))
}

/// The digest of a request's bytes.
pub fn request_hash(request: &[u8]) -> String {
    format!("sha256:{}", hex::encode(digest(&[request])))
}

/// Checks that a known key comes with the request it was made for.
pub fn bind_request(stored_hash: &str, request_hash: &str) -> Result<(), OtherRequest> {
    if stored_hash == request_hash { Ok(()) } else { Err(OtherRequest) }
}

/// SHA-256 of one part as it is, or of several, each behind its length (64 bits, the most significant byte first), so
/// that no part can reach into the next.
pub fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        if parts.len() > 1 {
            hasher.update((part.len() as u64).to_be_bytes());
        }
        hasher.update(part);
    }
    hasher.finalize().into()
}
