//! Operation keys as real ones are: of their length, and spread over the whole index as digests are.

/// The key of one spend, the same whenever it is asked for.
pub(crate) fn key(caller: usize, n: u64) -> String {
    let mut state = (caller as u64) << 40 ^ n;
    let mut word = || {
        // splitmix64 (Steele, Lea, Flood 2014).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    format!("op-{:016x}{:016x}{:016x}{:016x}", word(), word(), word(), word())
}

/// The hash of a request's bytes, as long as a real one.
pub(crate) fn request_hash(key: &str) -> String {
    format!("sha256:{}", key.trim_start_matches("op-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_spends_share_a_key() {
        let keys: HashSet<String> = (0..64).flat_map(|c| (0..500).map(move |n| key(c, n))).collect();
        assert_eq!(keys.len(), 64 * 500);
        assert!(keys.iter().all(|k| k.len() == 67 && request_hash(k).len() == 71));
    }
}
