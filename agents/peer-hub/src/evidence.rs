//! Whether evidence is true: the file is in the judged tree and the quote stands there. Pure.

use crate::material::shown;
use golden_consensus::Evidence;
use golden_platform::tree::{self, Entry, Tree};
use std::collections::BTreeMap;

/// Shortest quote that proves anything, without spaces, in bytes.
const MIN_QUOTE: usize = 3;

/// What can be read of the files of a tree, as the patch shows it.
pub(crate) type Files = BTreeMap<String, String>;

/// Largest file that can be quoted, in bytes.
const MAX_FILE: usize = 1024 * 1024;

/// The files of a tree artifact that voters can read, stray bytes spelled out as in the patch. Others cannot be quoted.
pub(crate) fn files(tar: &[u8]) -> Result<Files, tree::Error> {
    let tree = Tree::parse(tar)?;
    let texts = tree.entries().filter_map(|(path, entry)| match entry {
        Entry::File { bytes, .. } if bytes.len() <= MAX_FILE => {
            Some((path.to_owned(), tree::legible(path, bytes)?.into_owned()))
        }
        _ => None,
    });
    Ok(texts.collect())
}

/// Marks evidence as verified or not; never trusts what came. Voters count lines badly: a quote found
/// elsewhere in the file is verified, and its place corrected.
pub(crate) fn verify(files: &Files, evidence: Evidence) -> Evidence {
    let unverified = Evidence { verified: false, ..evidence };
    let quote = fold(&unverified.quote);
    if quote.len() < MIN_QUOTE {
        return unverified;
    }
    let found = named(files, &unverified.file)
        .find_map(|(path, text)| Some((path, place(text, &quote, unverified.start_line)?)));
    match found {
        Some((path, (start_line, end_line))) => {
            Evidence { file: path.clone(), start_line, end_line, verified: true, ..unverified }
        }
        None => unverified,
    }
}

/// The files that a voter can mean by a name: it reads names as it reads all else, with what is hidden spelled out.
fn named<'a>(files: &'a Files, name: &str) -> impl Iterator<Item = (&'a String, &'a String)> {
    let name = name.trim_start_matches("./").trim_start_matches('/').to_owned();
    let itself = files.get_key_value(&name);
    itself.into_iter().chain(files.iter().filter(move |(path, _)| **path != name && shown(path) == name))
}

/// The lines that hold the quote, those that begin nearest to `wanted`. Linear: files may be large, and quotes many.
fn place(text: &str, quote: &str, wanted: u32) -> Option<(u32, u32)> {
    let (mut folded, mut starts) = (String::with_capacity(text.len()), vec![]);
    for line in text.lines() {
        starts.push(folded.len());
        folded.push_str(&fold(line));
    }
    // Lines without a letter begin where the next one does, and are not the quote's.
    let line = |at: usize| u32::try_from(starts.partition_point(|start| *start <= at)).ok();
    let found =
        folded.match_indices(quote).filter_map(|(at, _)| Some((line(at)?, line(at + quote.len() - 1)?)));
    found.min_by_key(|(start, _)| start.abs_diff(wanted))
}

/// As it was shown, and without white space: models re-wrap and re-indent.
fn fold(text: &str) -> String {
    shown(text).chars().filter(|c| !c.is_whitespace()).collect()
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
    fn hidden_characters_are_quoted_as_they_were_shown_or_as_they_are() {
        let files: Files = [("a.py".to_owned(), "if admin\u{202e}: # \u{e0061}go\n".to_owned())].into();
        for (quote, found) in [
            ("if admin⟨U+202E⟩: # ⟨U+E0061⟩go", true),
            ("if admin\u{202e}: # \u{e0061}go", true),
            ("if admin: # go", false),
        ] {
            let evidence =
                Evidence { file: "a.py".into(), start_line: 1, quote: quote.into(), ..Evidence::default() };
            assert_eq!(verify(&files, evidence).verified, found, "{quote}");
        }
    }

    #[test]
    fn a_file_whose_name_or_content_hides_something_can_be_quoted_as_it_was_shown() {
        let hidden = "app/pay\u{200b}.py";
        let of = |entries: &[(&str, &[u8])]| {
            let tree = Tree::from_files(entries.iter().map(|(path, bytes)| (*path, bytes.to_vec()))).unwrap();
            super::files(&tree.to_tar().unwrap()).unwrap()
        };
        let files = of(&[
            (hidden, b"eval(text)\n"),
            ("a.py", b"# caf\xe9\nos.system(text)\n"),
            ("b.png", b"\x89PNG\r\n\x1a\n"),
        ]);
        let verified = |file: &str, quote: &str| {
            let evidence =
                Evidence { file: file.into(), start_line: 1, quote: quote.into(), ..Evidence::default() };
            verify(&files, evidence)
        };
        for name in ["app/pay⟨U+200B⟩.py", "./app/pay⟨U+200B⟩.py", hidden] {
            let found = verified(name, "eval(text)");
            assert!(found.verified && found.file == hidden, "{name}");
        }
        assert!(!verified("app/pay.py", "eval(text)").verified);
        assert!(verified("a.py", "os.system(text)").verified && verified("a.py", "# caf⟨e9⟩").verified);
        assert!(!verified("b.png", "PNG").verified);
        // Of two files that are shown alike, the one that holds the quote is meant.
        let twins = of(&[(hidden, b"eval(text)\n"), ("app/pay⟨U+200B⟩.py", b"pass\n")]);
        let quote =
            Evidence {
                file: "app/pay⟨U+200B⟩.py".into(), quote: "eval(text)".into(), ..Evidence::default()
            };
        assert!(verify(&twins, quote).verified);
    }

    #[test]
    fn of_several_places_the_nearest_is_meant() {
        let text: String = (0..30).map(|n| if n % 10 == 0 { "\n  return None\n" } else { "x\n" }).collect();
        let files: Files = [("a.py".to_owned(), text)].into();
        for (wanted, found) in [(1, 2), (12, 13), (19, 24), (90, 24)] {
            let quote = "return None".to_owned();
            let evidence = Evidence { file: "a.py".into(), start_line: wanted, quote, ..Evidence::default() };
            assert_eq!(verify(&files, evidence).start_line, found, "{wanted}");
        }
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
