//! Resetting paths to the base, so that evidence is not its author's to change.

use super::{Error, Tree, path};

/// `new`, with every matching path as `base` has it. Where a restored file needs a place that the new tree
/// gave to something else (a file or link where its folder was, a folder where it was), the base wins.
pub(super) fn restore(base: &Tree, new: &Tree, matches: impl Fn(&str) -> bool) -> Result<Tree, Error> {
    let mut result = Tree::default();
    let kept: Vec<(&str, _)> = base.entries().filter(|(path, _)| matches(path)).collect();
    for (path, entry) in &kept {
        result.insert((*path).to_owned(), (*entry).clone())?;
    }
    for (path, entry) in new.entries() {
        if !matches(path) && !in_the_way(&result, path) {
            result.insert(path.to_owned(), entry.clone())?;
        }
    }
    result.check()?;
    Ok(result)
}

/// Whether a path lies above or beneath something restored. Restored paths are all in `restored`, with
/// paths of the new tree that do not conflict among themselves.
fn in_the_way(restored: &Tree, path: &str) -> bool {
    let beneath = path::above(path).any(|above| restored.get(above).is_some());
    let prefix = format!("{path}/");
    let above = restored.entries.range(prefix.clone()..).next().is_some_and(|(p, _)| p.starts_with(&prefix));
    beneath || above
}
