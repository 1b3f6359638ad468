//! What makes two changes the same one in all that counts.

use crate::builtin::{Change, Node};
use crate::parts::Parts;
use std::borrow::Cow;

/// The fingerprint of a change, given as the paths that differ from the base in their order.
///
/// Of each path what its file holds afterwards, without blank lines, lines that are comments only, and white space at a
/// line's end; runs of white space within a line are one blank, and so is none at its beginning where indentation means
/// nothing. A file that differs from the base in nothing else is left out. What is no text counts byte for byte.
pub fn change_fingerprint<'a>(changes: impl IntoIterator<Item = Change<'a>>) -> String {
    let mut parts = Parts::default();
    for Change { path, old, new } in changes {
        let (before, after) = (old.map(|node| content(path, node)), new.map(|node| content(path, node)));
        if before != after {
            parts.add(path);
            parts.add(after.unwrap_or_else(|| "removed".to_owned()));
        }
    }
    parts.digest()
}

fn content(path: &str, node: Node<'_>) -> String {
    let mut parts = Parts::default();
    match node {
        Node::Link { target } => {
            parts.add("link");
            parts.add(target);
        }
        Node::File { bytes, executable } => {
            parts.add(if executable { "program" } else { "file" });
            match node.text() {
                Some(text) => {
                    let syntax = Syntax::of(path);
                    parts.add_all(text.lines().filter_map(|line| syntax.essence(line)));
                }
                None => parts.add(bytes),
            }
        }
    }
    parts.digest()
}

/// What of a line means nothing, by the kind of file.
#[derive(Clone, Copy)]
struct Syntax {
    /// What a line begins with that is a comment.
    comment: Option<&'static str>,
    /// Whether white space at the beginning of a line means something.
    indented: bool,
}

/// Where nothing is known of a file, every line counts as it is indented.
const UNKNOWN: Syntax = Syntax { comment: None, indented: true };

/// Extensions, or whole names, of files. A comment of a kind that is not listed counts like any line.
const SYNTAXES: [(Syntax, &[&str]); 5] = [
    (
        Syntax { comment: Some("//"), indented: false },
        &[
            "c", "cc", "cjs", "cpp", "cs", "dart", "go", "h", "hpp", "java", "js", "jsx", "kt", "kts", "mjs",
            "php", "proto", "rs", "scala", "swift", "ts", "tsx",
        ],
    ),
    (
        Syntax { comment: Some("#"), indented: false },
        &["Dockerfile", "bash", "ex", "exs", "pl", "r", "rb", "sh", "tf", "toml", "zsh"],
    ),
    (Syntax { comment: Some("#"), indented: true }, &["Makefile", "mk", "nim", "py", "pyi", "yaml", "yml"]),
    (Syntax { comment: Some("--"), indented: false }, &["lua", "sql"]),
    (Syntax { comment: Some("--"), indented: true }, &["elm", "hs"]),
];

impl Syntax {
    fn of(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path);
        let kind = name.rsplit('.').next().unwrap_or(name);
        SYNTAXES.iter().find(|(_, kinds)| kinds.contains(&kind)).map_or(UNKNOWN, |(syntax, _)| *syntax)
    }

    /// The line in the words that count; none if it has none.
    fn essence(self, line: &str) -> Option<Cow<'_, str>> {
        let words = line.trim();
        if words.is_empty() || self.comment.is_some_and(|mark| words.starts_with(mark)) {
            return None;
        }
        let kept = if self.indented { line.trim_end() } else { words };
        let indent = kept.len() - kept.trim_start().len();
        let (indent, words) = kept.split_at(indent);
        // Most lines are as they should be, and a large file has many.
        if !words.contains("  ") && !words.contains(|c: char| c.is_whitespace() && c != ' ') {
            return Some(Cow::Borrowed(kept));
        }
        let words: Vec<&str> = words.split_whitespace().collect();
        Some(Cow::Owned(format!("{indent}{}", words.join(" "))))
    }
}
