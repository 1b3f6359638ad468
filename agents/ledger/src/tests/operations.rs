use crate::{OPERATION_KEY_LENGTH, OtherRequest, bind_request, operation_key, request_hash};
use std::collections::BTreeSet;

#[test]
fn same_call_has_the_same_key_and_any_other_another() {
    let key = operation_key("try-1", "sha256:a");
    assert_eq!(key, operation_key("try-1", "sha256:a"));
    assert_eq!(key.len(), OPERATION_KEY_LENGTH);
    let keys: BTreeSet<String> = [
        key,
        operation_key("try-2", "sha256:a"),
        operation_key("try-1", "sha256:b"),
        // Characters cannot move from one part to the next.
        operation_key("try-1s", "ha256:a"),
        operation_key("", "try-1sha256:a"),
    ]
    .into();
    assert_eq!(keys.len(), 5);
}

#[test]
fn key_is_bound_to_its_request() {
    let hash = request_hash(b"{}");
    // printf '{}' | sha256sum
    assert_eq!(hash, "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    assert_eq!(bind_request(&hash, &hash), Ok(()));
    assert_eq!(bind_request(&hash, &request_hash(b"{ }")), Err(OtherRequest));
}
