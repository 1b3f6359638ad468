//! Go's module files.

use super::listing::{Listing, add};

/// `require` and `replace` of a go.mod, alone or in blocks.
pub(super) fn manifest(text: &str) -> Listing {
    let mut all = Listing::new();
    let mut block = None;
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default().trim();
        let (verb, rest) = match block {
            Some(_) if line == ")" => {
                block = None;
                continue;
            }
            Some(verb) => (verb, line),
            None => line.split_once([' ', '\t']).unwrap_or((line, "")),
        };
        if block.is_none() && rest.trim() == "(" {
            block = Some(verb);
            continue;
        }
        let words: Vec<&str> = rest.split_whitespace().map(|w| w.trim_matches('"')).collect();
        match (verb, words.as_slice()) {
            ("require", [name, version]) => add(&mut all, name, version, None, true),
            // What is compiled in its place is another thing under the same name.
            ("replace", [name, rest @ ..]) if !rest.is_empty() => {
                add(&mut all, name, &rest.join(" "), None, true);
            }
            _ => {}
        }
    }
    all
}

/// A go.sum: module, version and digest by the line; the lines of go.mod files alone do not count.
pub(super) fn sums(text: &str) -> Listing {
    let mut all = Listing::new();
    for line in text.lines() {
        if let [name, version, _] = line.split_whitespace().collect::<Vec<_>>()[..]
            && !version.ends_with("/go.mod")
        {
            add(&mut all, name, version, None, true);
        }
    }
    all
}
