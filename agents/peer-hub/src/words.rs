//! The words of a question that nobody may know who could write into it: its delimiter and its canary.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Made of the review's nonce, which the database draws when the review is opened: neither the author of the material
/// nor code that ran on it (a guard's output is material too) can know it. The same question has the same words, so
/// that a call that is made again is the same call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// Begins and ends stretches of material.
    pub(crate) fence: String,
    /// Told to the voter to be kept: an answer that holds it shows that the voter does not follow its instructions.
    pub(crate) canary: String,
}

impl Words {
    /// Of a part's question to a voter.
    pub(crate) fn of(nonce: Uuid, voter: &str, part: usize) -> Self {
        let word = |what: &str| {
            let hash = Sha256::new().chain_update(nonce).chain_update(format!("\0{what}\0{voter}\0{part}"));
            hex::encode(hash.finalize()).chars().take(20).collect::<String>()
        };
        Self { fence: word("fence"), canary: word("canary") }
    }

    /// Whether an answer tells the canary, also in other cases or with something between its letters.
    pub(crate) fn leaked(&self, answer: &str) -> bool {
        let letters = answer.chars().filter(char::is_ascii_alphanumeric);
        letters.map(|c| c.to_ascii_lowercase()).collect::<String>().contains(&self.canary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_one_question_alone() {
        let of = |nonce, voter, part| Words::of(Uuid::from_u128(nonce), voter, part);
        let words = of(1, "security", 0);
        assert_eq!(words, of(1, "security", 0));
        assert_ne!(words.fence, words.canary);
        for other in [of(2, "security", 0), of(1, "tester", 0), of(1, "security", 1)] {
            assert!(other.fence != words.fence && other.canary != words.canary);
        }
    }

    #[test]
    fn a_canary_is_found_however_it_is_told() {
        let words = Words::of(Uuid::from_u128(1), "security", 0);
        let spaced: String = words.canary.chars().fold(String::new(), |all, c| all + &format!("{c}-"));
        for told in [words.canary.clone(), words.canary.to_uppercase(), spaced] {
            assert!(words.leaked(&format!("{{\"rationale\": \"{told}\"}}")), "{told}");
        }
        assert!(!words.leaked(&words.fence));
    }
}
