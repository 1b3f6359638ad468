//! Whether evidence is true: the file is in the judged tree and the quote stands there. Pure.

use golden_consensus::Evidence;
use golden_platform::tree::{self, Entry, Tree};
use std::collections::BTreeMap;

/// Shortest quote that proves anything, without spaces, in bytes.
const MIN_QUOTE: usize = 3;

/// The text files of a tree.
pub type Files = BTreeMap<String, String>;

/// Largest file that can be quoted, in bytes.
const MAX_FILE: usize = 1024 * 1024;

/// The text files of a tree artifact. Others cannot be quoted.
pub(crate) fn files(tar: &[u8]) -> Result<Files, tree::Error> {
    let tree = Tree::parse(tar)?;
    let texts = tree.entries().filter_map(|(path, entry)| match entry {
        Entry::File { bytes, .. } if bytes.len() <= MAX_FILE => {
            Some((path.to_owned(), std::str::from_utf8(bytes).ok()?.to_owned()))
        }
        _ => None,
    });
    Ok(texts.collect())
}

/// Marks evidence as verified or not; never trusts what came. Voters count lines badly: a quote found
/// elsewhere in the file is verified, and its place corrected.
pub fn verify(files: &Files, evidence: Evidence) -> Evidence {
    let unverified = Evidence { verified: false, ..evidence };
    let quote = fold(&unverified.quote);
    if quote.len() < MIN_QUOTE {
        return unverified;
    }
    let path = unverified.file.trim_start_matches("./").trim_start_matches('/');
    let Some(text) = files.get(path) else {
        return unverified;
    };
    match place(text, &quote, unverified.start_line) {
        Some((start_line, end_line)) => {
            Evidence { file: path.to_owned(), start_line, end_line, verified: true, ..unverified }
        }
        None => unverified,
    }
}

/// The lines that hold the quote, those nearest to `wanted`.
fn place(text: &str, quote: &str, wanted: u32) -> Option<(u32, u32)> {
    let lines: Vec<String> = text.lines().map(fold).collect();
    let mut best: Option<(u32, u32)> = None;
    for first in 0..lines.len() {
        let mut held = String::new();
        for (count, line) in lines.iter().skip(first).enumerate() {
            held.push_str(line);
            if held.contains(quote) {
                let start = u32::try_from(first + 1).ok()?;
                let found = (start, start + u32::try_from(count).ok()?);
                // A shorter stretch of lines that begins later also holds a quote that begins later.
                let tight = !lines
                    .iter()
                    .skip(first + 1)
                    .take(count)
                    .fold(String::new(), |a, l| a + l)
                    .contains(quote);
                let nearer = best.is_none_or(|(b, _)| start.abs_diff(wanted) < b.abs_diff(wanted));
                if tight && nearer {
                    best = Some(found);
                }
                break;
            }
            if held.len() > 2 * quote.len() + line.len() + 4096 {
                break;
            }
        }
    }
    best
}

/// Without white space: models re-wrap and re-indent.
fn fold(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        let text = "import re\n\nTABLE = {\n    \"ß\": \"ss\",\n}\n\ndef slug(text):\n    return re.sub(\"x\", \"\", text)\n";
        [("shop/slug.py".to_owned(), text.to_owned())].into()
    }

    fn check(file: &str, start: u32, quote: &str) -> (bool, u32, u32) {
        let evidence = Evidence {
            file: file.into(),
            start_line: start,
            end_line: start,
            quote: quote.into(),
            // A voter cannot verify itself.
            verified: true,
        };
        let found = verify(&files(), evidence);
        (found.verified, found.start_line, found.end_line)
    }

    #[test]
    fn a_quote_counts_where_it_stands() {
        assert_eq!(check("shop/slug.py", 7, "def slug(text):"), (true, 7, 7));
        assert_eq!(check("./shop/slug.py", 7, "def  slug( text ):"), (true, 7, 7));
        assert_eq!(check("shop/slug.py", 40, "def slug(text):"), (true, 7, 7), "the place is corrected");
        assert_eq!(check("shop/slug.py", 3, "TABLE = {\n\"ß\": \"ss\",\n}"), (true, 3, 5));
    }

    #[test]
    fn what_is_not_there_is_not_verified() {
        for (file, quote) in [
            ("shop/slug.py", "eval(text)"),
            ("shop/other.py", "import re"),
            ("../shop/slug.py", "import re"),
            ("shop/slug.py", " "),
            ("shop/slug.py", "re"),
        ] {
            assert!(!check(file, 1, quote).0, "{file} {quote}");
        }
    }
}
