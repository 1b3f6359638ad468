//! The approved tree as one reproducible commit, by fast-import: objects are written as they are.

use super::export::Listed;
use golden_platform::tree::{Entry, Tree};

/// What a commit says beside its tree.
pub(super) struct Message<'a> {
    pub(super) text: &'a str,
    /// `Name <mail>`, author and committer.
    pub(super) author: &'a str,
    /// Seconds since 1970, fixed, so that a repeated delivery makes the same commit.
    pub(super) seconds: i64,
    pub(super) parent: &'a str,
}

/// The ref the commit is written to, in our own repository.
pub(super) const REF: &str = "refs/golden/delivery";

/// The input of `git fast-import`. Submodules' links of the base are kept: a tree does not carry them.
pub(super) fn stream(message: &Message<'_>, tree: &Tree, base: &[Listed]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut line = |text: String| out.extend_from_slice(text.as_bytes());
    line(format!("commit {REF}\n"));
    line(format!(
        "author {} {} +0000\ncommitter {} {} +0000\n",
        message.author, message.seconds, message.author, message.seconds
    ));
    line(format!("data {}\n{}\nfrom {}\ndeleteall\n", message.text.len(), message.text, message.parent));
    for link in base.iter().filter(|e| e.mode == "160000") {
        line(format!("M 160000 {} {}\n", link.object, quoted(&link.path)));
    }
    for (path, entry) in tree.entries() {
        let (mode, bytes): (_, &[u8]) = match entry {
            Entry::File { executable: true, bytes } => ("100755", bytes),
            Entry::File { executable: false, bytes } => ("100644", bytes),
            Entry::Link { target } => ("120000", target.as_bytes()),
        };
        out.extend_from_slice(format!("M {mode} inline {}\ndata {}\n", quoted(path), bytes.len()).as_bytes());
        out.extend_from_slice(bytes);
        out.push(b'\n');
    }
    out.extend_from_slice(b"done\n");
    out
}

/// A path as fast-import reads it, whatever is in it.
fn quoted(path: &str) -> String {
    let mut text = String::from("\"");
    for c in path.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_become_a_command() {
        assert_eq!(quoted("a\nM 100644 inline b"), r#""a\nM 100644 inline b""#);
        assert_eq!(quoted(r#"a"\b"#), r#""a\"\\b""#);
    }
}
