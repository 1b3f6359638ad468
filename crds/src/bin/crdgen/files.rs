//! Folders of generated files: written, or compared with what is committed, so that nobody installs kinds that
//! differ from the code, or reads about others.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A folder that holds generated files.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    /// Name and content of each.
    pub(crate) files: Vec<(String, String)>,
    /// Nothing else is in it, so that any other file is of a kind that is no more.
    pub(crate) alone: bool,
}

/// What was found or done.
pub(crate) enum Outcome {
    /// This many files are as committed.
    Same(usize),
    /// These were written, and these removed.
    Changed(Vec<PathBuf>, Vec<PathBuf>),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same(count) => writeln!(f, "{count} generated files are as committed"),
            Self::Changed(written, removed) => {
                for path in written {
                    writeln!(f, "wrote {}", path.display())?;
                }
                for path in removed {
                    writeln!(f, "removed {}", path.display())?;
                }
                writeln!(f, "{} files changed", written.len() + removed.len())
            }
        }
    }
}

/// Why the files could not be written, or are not as they should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Crdgen(#[from] golden_crds::crdgen::CrdgenError),
    #[error("generated files differ from crds/src: {}. Run `cargo xtask crdgen` and commit", names(.0))]
    Different(Vec<PathBuf>),
    #[error("cannot {what} {}: {source}", path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
}

fn names(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Changes nothing; an error if a committed file differs, is missing, or is not generated any more.
pub(crate) fn check(folders: &[Folder]) -> Result<Outcome, Error> {
    let mut wrong = Vec::new();
    for folder in folders {
        wrong.extend(folder.different().map(|(path, _)| path));
        wrong.extend(folder.stale()?);
    }
    if wrong.is_empty() {
        Ok(Outcome::Same(folders.iter().map(|folder| folder.files.len()).sum()))
    } else {
        Err(Error::Different(wrong))
    }
}

/// Writes what differs and removes what is not generated any more.
pub(crate) fn write(folders: &[Folder]) -> Result<Outcome, Error> {
    let (mut written, mut removed) = (Vec::new(), Vec::new());
    for folder in folders {
        fs::create_dir_all(&folder.path).map_err(|e| io("create", &folder.path, e))?;
        for (path, content) in folder.different() {
            fs::write(&path, content).map_err(|e| io("write", &path, e))?;
            written.push(path);
        }
        for path in folder.stale()? {
            fs::remove_file(&path).map_err(|e| io("remove", &path, e))?;
            removed.push(path);
        }
    }
    Ok(Outcome::Changed(written, removed))
}

impl Folder {
    fn different(&self) -> impl Iterator<Item = (PathBuf, &String)> {
        let files = self.files.iter().map(|(name, content)| (self.path.join(name), content));
        files.filter(|(path, content)| fs::read_to_string(path).ok().as_ref() != Some(content))
    }

    /// Files of kinds that are no more.
    fn stale(&self) -> Result<Vec<PathBuf>, Error> {
        if !self.alone {
            return Ok(Vec::new());
        }
        let known: BTreeSet<&str> = self.files.iter().map(|(name, _)| name.as_str()).collect();
        let mut stale = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(|e| io("read", &self.path, e))? {
            let entry = entry.map_err(|e| io("read", &self.path, e))?;
            if !known.contains(entry.file_name().to_string_lossy().as_ref()) {
                stale.push(entry.path());
            }
        }
        stale.sort();
        Ok(stale)
    }
}

fn io(what: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Io { what, path: path.to_owned(), source }
}
