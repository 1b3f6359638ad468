//! The files and hunks of a patch. It is one that Golden made itself, of content that anybody may have written: every
//! line of content has a sign in front, so that none can pass for a header.

/// What happened to one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change<'a> {
    pub(crate) path: String,
    /// The lines before the first hunk; all there is of a binary file or a changed mode.
    pub(crate) header: &'a str,
    pub(crate) hunks: Vec<Hunk<'a>>,
}

/// A stretch of changed lines with its context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hunk<'a> {
    /// First line in the file after the change, from 1.
    pub(crate) start: u32,
    /// The last one; before the first where the hunk only removes.
    pub(crate) end: u32,
    /// The line `@@ … @@` and those that follow.
    pub(crate) text: &'a str,
}

/// The changes of a patch, in its order. Text before the first header belongs to a change without a path: nothing of a
/// patch is left out.
pub(crate) fn changes(patch: &str) -> Vec<Change<'_>> {
    pieces(patch, "diff --git ").into_iter().map(change).collect()
}

fn change(text: &str) -> Change<'_> {
    let mut parts = pieces(text, "@@ ").into_iter();
    let first = parts.next().unwrap_or_default();
    let (header, hunks) = if first.starts_with("@@ ") {
        ("", std::iter::once(first).chain(parts).map(hunk).collect())
    } else {
        (first, parts.map(hunk).collect())
    };
    Change { path: path(header), header, hunks }
}

/// The stretches of a text that begin with lines that begin with `mark`.
fn pieces<'a>(text: &'a str, mark: &str) -> Vec<&'a str> {
    let mut found = vec![];
    let (mut begin, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        if line.starts_with(mark) && at > begin {
            found.extend(text.get(begin..at));
            begin = at;
        }
        at += line.len();
    }
    found.extend(text.get(begin..).filter(|rest| !rest.is_empty()));
    found
}

/// The path in `diff --git a/P b/P`: both sides are alike, so the middle is known whatever the path holds.
fn path(header: &str) -> String {
    let line = header.lines().next().unwrap_or_default();
    let sides = line.strip_prefix("diff --git ").unwrap_or_default();
    let side = sides.get(..sides.len().saturating_sub(1) / 2).unwrap_or_default();
    let side = match side.strip_prefix('"').and_then(|s| s.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\\\"", "\""),
        None => side.to_owned(),
    };
    side.strip_prefix("a/").unwrap_or_default().to_owned()
}

/// `@@ -a,b +c,d @@`.
fn hunk(text: &str) -> Hunk<'_> {
    let range = text.split('+').nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    let (start, count) = range.split_once(',').unwrap_or((range, "1"));
    let (start, count): (u32, u32) = (start.parse().unwrap_or(1), count.parse().unwrap_or(1));
    // An empty range names the line before it.
    Hunk { start: start.max(1), end: (start + count).saturating_sub(1), text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use golden_platform::tree::Tree;

    fn patch(old: &[(&str, &str)], new: &[(&str, &str)]) -> String {
        let tree = |files: &[(&str, &str)]| {
            Tree::from_files(files.iter().map(|(p, t)| ((*p).to_owned(), (*t).to_owned()))).unwrap()
        };
        tree(old).diff(&tree(new)).unwrap()
    }

    #[test]
    fn files_and_hunks_are_found_and_nothing_is_lost() {
        let long: String = (1..=60).fold(String::new(), |all, n| all + &format!("line {n}\n"));
        let changed = long.replace("line 5\n", "line five\n").replace("line 50\n", "");
        let patch =
            patch(&[("a b.txt", &long), ("gone", "x\n")], &[("a b.txt", &changed), ("new \"q\"", "y\nz\n")]);
        let found = changes(&patch);
        let paths: Vec<&str> = found.iter().map(|c| c.path.as_str()).collect();
        assert_eq!(paths, ["a b.txt", "gone", "new \"q\""]);
        let places: Vec<(u32, u32)> = found[0].hunks.iter().map(|h| (h.start, h.end)).collect();
        assert_eq!(places, [(2, 8), (47, 52)]);
        assert_eq!((found[1].hunks[0].start, found[1].hunks[0].end), (1, 0));
        assert_eq!((found[2].hunks[0].start, found[2].hunks[0].end), (1, 2));
        let again: String = found
            .iter()
            .flat_map(|c| std::iter::once(c.header).chain(c.hunks.iter().map(|h| h.text)))
            .collect();
        assert_eq!(again, patch);
    }

    #[test]
    fn content_cannot_pass_for_a_header() {
        let hostile = "diff --git a/other b/other\n@@ -1 +1 @@\n--- a/x\n+++ b/x\n";
        let patch = patch(&[], &[("real", hostile)]);
        let found = changes(&patch);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].path.as_str(), found[0].hunks.len()), ("real", 1));
    }

    #[test]
    fn text_without_a_header_is_kept() {
        let found = changes("+words\n");
        assert_eq!((found[0].path.as_str(), found[0].header), ("", "+words\n"));
        assert_eq!(changes(""), []);
    }
}
