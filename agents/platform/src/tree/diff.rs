//! What changed between two trees.

use std::borrow::Cow;
use std::fmt::Write as _;

use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices, group_diff_ops};

use super::legible::legible;
use super::{Entry, Error, Tree};

/// Lines of context around a change.
const CONTEXT: usize = 3;
/// Changed regions with more lines are shown as replaced whole: finding the smallest difference takes time
/// that grows with their product, and the writer of the tree chooses their size.
const SEARCHED_LINES: usize = 8_000;
/// Most lines of a text that is compared. Each costs memory of its own, and a file may be nothing but line ends.
const MAX_LINES: usize = 2_000_000;
/// Longest patch, in bytes; one that is longer could not be kept.
const MAX_PATCH: usize = crate::artifacts::MAX_BYTES;

/// Path, old and new entry of everything that differs, in order of paths.
pub(super) fn changed<'a>(
    base: &'a Tree,
    new: &'a Tree,
) -> impl Iterator<Item = (&'a str, Option<&'a Entry>, Option<&'a Entry>)> {
    let mut paths: Vec<&str> = base.entries.keys().chain(new.entries.keys()).map(String::as_str).collect();
    paths.sort_unstable();
    paths.dedup();
    paths.into_iter().filter_map(move |path| {
        let (old, now) = (base.get(path), new.get(path));
        (old != now).then_some((path, old, now))
    })
}

/// The patch in git's form. Names are quoted as git does where they need it.
pub(super) fn patch(base: &Tree, new: &Tree) -> Result<String, Error> {
    let mut out = String::new();
    for (path, old, now) in changed(base, new) {
        one(&mut out, path, old, now)?;
        if out.len() > MAX_PATCH {
            return Err(Error::PatchTooLarge);
        }
    }
    Ok(out)
}

fn mode(entry: &Entry) -> &'static str {
    match entry {
        Entry::File { executable: false, .. } => "100644",
        Entry::File { executable: true, .. } => "100755",
        Entry::Link { .. } => "120000",
    }
}

fn content(entry: Option<&Entry>) -> &[u8] {
    match entry {
        None => &[],
        Some(Entry::File { bytes, .. }) => bytes,
        Some(Entry::Link { target }) => target.as_bytes(),
    }
}

fn one(out: &mut String, path: &str, old: Option<&Entry>, now: Option<&Entry>) -> Result<(), Error> {
    let (a, b) = (quoted("a", path), quoted("b", path));
    let _ = writeln!(out, "diff --git {a} {b}");
    match (old, now) {
        (None, Some(now)) => drop(writeln!(out, "new file mode {}", mode(now))),
        (Some(old), None) => drop(writeln!(out, "deleted file mode {}", mode(old))),
        (Some(old), Some(now)) if mode(old) != mode(now) => {
            let _ = writeln!(out, "old mode {}\nnew mode {}", mode(old), mode(now));
        }
        _ => {}
    }
    let (before, after) = (content(old), content(now));
    if before == after {
        return Ok(());
    }
    let (a, b) = (old.map_or("/dev/null".to_owned(), |_| a), now.map_or("/dev/null".to_owned(), |_| b));
    // Of what goes, that it goes is enough. What comes is shown, also in place of what could not be.
    let before = match legible(path, before) {
        Some(Cow::Owned(_)) if now.is_none() => None,
        None if now.is_some() => Some(Cow::Borrowed("")),
        shown => shown,
    };
    let (Some(before), Some(after)) = (before, legible(path, after)) else {
        let _ = writeln!(out, "Binary files {a} and {b} differ");
        return Ok(());
    };
    let (before, after) = (split(path, &before)?, split(path, &after)?);
    let _ = writeln!(out, "--- {a}\n+++ {b}");
    hunks(out, &before, &after);
    Ok(())
}

fn quoted(side: &str, path: &str) -> String {
    let path = format!("{side}/{path}");
    if path.contains(['"', ' ']) { format!("\"{}\"", path.replace('"', "\\\"")) } else { path }
}

/// The lines of a text, each with its line end.
fn split<'a>(path: &str, text: &'a str) -> Result<Vec<&'a str>, Error> {
    // Shown as binary it would be hidden from whoever judges the patch.
    if text.split('\n').count() > MAX_LINES {
        return Err(Error::TooManyLines { path: path.to_owned(), most: MAX_LINES });
    }
    Ok(text.split_inclusive('\n').collect())
}

fn hunks(out: &mut String, old: &[&str], new: &[&str]) {
    for group in group_diff_ops(operations(old, new), CONTEXT) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let old_range = first.old_range().start..last.old_range().end;
        let new_range = first.new_range().start..last.new_range().end;
        let _ = writeln!(out, "@@ -{} +{} @@", range(&old_range), range(&new_range));
        for op in &group {
            let (olds, news) = (&old[op.old_range()], &new[op.new_range()]);
            match op.tag() {
                DiffTag::Equal => lines(out, ' ', olds),
                DiffTag::Delete | DiffTag::Insert | DiffTag::Replace => {
                    lines(out, '-', olds);
                    lines(out, '+', news);
                }
            }
        }
    }
}

fn range(of: &std::ops::Range<usize>) -> String {
    match of.len() {
        // An empty range names the line before it.
        0 => format!("{},0", of.start),
        1 => format!("{}", of.start + 1),
        n => format!("{},{n}", of.start + 1),
    }
}

fn lines(out: &mut String, sign: char, of: &[&str]) {
    for line in of {
        // The caller refuses it; there is no use in making it whole.
        if out.len() > MAX_PATCH {
            return;
        }
        out.push(sign);
        out.push_str(line);
        if !line.ends_with('\n') {
            out.push_str("\n\\ No newline at end of file\n");
        }
    }
}

/// The differences, found between the first and the last line that differ.
fn operations(old: &[&str], new: &[&str]) -> Vec<DiffOp> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (old_middle, new_middle) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    if old_middle.len() + new_middle.len() <= SEARCHED_LINES {
        return capture_diff_slices(Algorithm::Myers, old, new);
    }
    let (old_index, new_index) = (head, head);
    let mut ops = Vec::with_capacity(3);
    if head > 0 {
        ops.push(DiffOp::Equal { old_index: 0, new_index: 0, len: head });
    }
    ops.push(DiffOp::Replace { old_index, old_len: old_middle.len(), new_index, new_len: new_middle.len() });
    if tail > 0 {
        let (old_index, new_index) = (old.len() - tail, new.len() - tail);
        ops.push(DiffOp::Equal { old_index, new_index, len: tail });
    }
    ops
}
