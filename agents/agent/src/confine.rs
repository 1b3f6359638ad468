//! Paths that stay in the workspace, whatever the model writes and whatever symbolic links lie in the tree.

use std::path::{Component, Path, PathBuf};

/// Why a path is not used. The text is for the model.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathError {
    #[error("path {0:?} is not relative to the workspace; leave out the leading / and any ..")]
    Outside(String),
    #[error("path {0:?} leads outside the workspace through a symbolic link")]
    Escapes(String),
    #[error("path {0:?} belongs to version control, which is not yours to edit")]
    VersionControl(String),
    #[error("path {0:?}: {1}")]
    Io(String, String),
}

/// The root of the workspace, resolved once.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    pub(crate) fn open(root: &Path) -> std::io::Result<Self> {
        Ok(Self { root: root.canonicalize()? })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The real path of `path`, whose last parts need not exist yet. `.` and nothing are the root.
    pub(crate) fn resolve(&self, path: &str) -> Result<PathBuf, PathError> {
        let mut clean = PathBuf::new();
        for part in Path::new(path.strip_prefix("/workspace/").unwrap_or(path)).components() {
            match part {
                Component::Normal(name) => clean.push(name),
                Component::CurDir => {}
                _ => return Err(PathError::Outside(path.to_owned())),
            }
        }
        if clean.components().any(|c| c.as_os_str() == ".git") {
            return Err(PathError::VersionControl(path.to_owned()));
        }
        self.follow(&self.root.join(clean), path)
    }

    /// Resolves links of the part that exists and checks where it leads. The agent is the only process that
    /// writes here, so nothing changes between this check and the use.
    fn follow(&self, full: &Path, path: &str) -> Result<PathBuf, PathError> {
        let mut existing = full;
        let mut missing = Vec::new();
        while existing.symlink_metadata().is_err() {
            let (Some(parent), Some(name)) = (existing.parent(), existing.file_name()) else {
                return Err(PathError::Outside(path.to_owned()));
            };
            missing.push(name);
            existing = parent;
        }
        let real = existing.canonicalize().map_err(|e| PathError::Io(path.to_owned(), e.to_string()))?;
        if !real.starts_with(&self.root) {
            return Err(PathError::Escapes(path.to_owned()));
        }
        Ok(missing.into_iter().rev().fold(real, |at, name| at.join(name)))
    }

    /// How a real path is shown to the model.
    pub(crate) fn shown(&self, real: &Path) -> String {
        real.strip_prefix(&self.root).unwrap_or(real).display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn no_path_leads_out_of_the_workspace() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("work");
        std::fs::create_dir_all(root.join("src")).unwrap();
        std::fs::write(outer.path().join("secret"), "x").unwrap();
        symlink("../secret", root.join("link")).unwrap();
        symlink("..", root.join("up")).unwrap();
        symlink("nowhere/at/all", root.join("dangling")).unwrap();
        symlink("src", root.join("alias")).unwrap();
        let work = Workspace::open(&root).unwrap();
        for bad in
            ["/etc/passwd", "../secret", "src/../../secret", "..", "link", "up/secret", "up/new", "dangling"]
        {
            assert!(work.resolve(bad).is_err(), "{bad}");
        }
        assert!(matches!(work.resolve(".git/config"), Err(PathError::VersionControl(_))));
        for good in ["", ".", "src/new/file.py", "alias/a.py", "/workspace/src/a.py"] {
            assert!(work.resolve(good).unwrap().starts_with(work.root()), "{good}");
        }
    }
}
