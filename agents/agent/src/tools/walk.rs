//! Walks the files of a folder in order, without following links and without version control.

use crate::confine::Workspace;
use std::path::{Path, PathBuf};

/// Regular files below `from`, sorted by path, at most `limit`; and whether there are more.
pub(super) fn files(workspace: &Workspace, from: &Path, limit: usize) -> (Vec<PathBuf>, bool) {
    let mut found = Vec::new();
    let mut open = vec![from.to_path_buf()];
    while let Some(path) = open.pop() {
        let Ok(kind) = path.symlink_metadata().map(|m| m.file_type()) else {
            continue;
        };
        if kind.is_file() {
            if found.len() == limit {
                return (found, true);
            }
            found.push(path);
        } else if kind.is_dir() && (path == workspace.root() || path.file_name().is_some_and(|n| n != ".git"))
        {
            let mut children: Vec<PathBuf> =
                std::fs::read_dir(&path).into_iter().flatten().flatten().map(|e| e.path()).collect();
            children.sort_by(|a, b| b.cmp(a));
            open.extend(children);
        }
    }
    (found, false)
}
