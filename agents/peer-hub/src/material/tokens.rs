//! How many tokens a text has, at most, as far as can be told without the model's own tokenizer.

/// Bytes of ASCII that make a token. Code has three to four for each; encoded data fewer, down to this.
const ASCII_PER_TOKEN: usize = 2;

/// An upper estimate: a token for two bytes of ASCII and for every byte of other characters. A text of which a model
/// makes more is refused by its provider, and what was to be judged by it then counts as not judged.
pub(crate) fn tokens(text: &str) -> usize {
    let other = text.bytes().filter(|byte| !byte.is_ascii()).count();
    (text.len() - other).div_ceil(ASCII_PER_TOKEN) + other
}

#[cfg(test)]
mod tests {
    use super::tokens;

    #[test]
    fn ascii_counts_half_and_the_rest_by_its_bytes() {
        assert_eq!((tokens(""), tokens("abc"), tokens("ß"), tokens("aß")), (0, 2, 2, 3));
    }
}
