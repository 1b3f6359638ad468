//! Trees: files of a workspace as one canonical tar, so that equal trees have equal bytes and one digest.
//!
//! Canonical: entries sorted by path, files and symbolic links only (folders follow from paths; empty ones are
//! not kept, as in git), mode 0644 or 0755, owner 0, time 0, nothing named `.git`.
//!
//! A tar is hostile until [`Tree::parse`] took it: paths are relative and without `..`, no entry lies beneath
//! another, links stay inside and nothing else is accepted; entries and bytes are bounded.

mod diff;
mod disk;
mod legible;
mod pack;
mod path;
mod restore;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use self::legible::legible;
pub use self::pack::Packing;
use self::pack::Same;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tar::{Archive, EntryType};

/// Most entries of a tree.
pub const MAX_ENTRIES: usize = 20_000;
/// Most bytes of all files of a tree together.
pub const MAX_BYTES: u64 = 256 << 20;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("path {path:?} is not acceptable: {why}")]
    Path { path: String, why: &'static str },
    #[error(
        "{path} links to {target:?}, which is not a plain relative path inside the tree; remove the link"
    )]
    Link { path: String, target: String },
    #[error("{path} is neither a file, a folder nor a symbolic link; remove it")]
    Kind { path: String },
    #[error("{path} lies beneath {above}, which is not a folder")]
    Beneath { path: String, above: String },
    #[error("{0} is in the tree twice")]
    Twice(String),
    #[error("the tree has more than {MAX_ENTRIES} entries")]
    TooMany,
    #[error("the tree has more than {MAX_BYTES} bytes")]
    TooLarge,
    #[error("its files have {bytes} bytes, at most {most} can be taken; remove what was built")]
    Larger { bytes: u64, most: u64 },
    #[error("{path} was changed and has more than {most} lines, which cannot be shown as a patch; split it")]
    TooManyLines { path: String, most: usize },
    #[error("the patch is longer than {} bytes; make the change smaller", crate::artifacts::MAX_BYTES)]
    PatchTooLarge,
    #[error("this is no readable tar: {0}")]
    Tar(#[source] std::io::Error),
    #[error("cannot {what} {}: {source}", path.display())]
    Disk { what: &'static str, path: PathBuf, source: std::io::Error },
}

impl crate::Classify for Error {
    fn class(&self) -> crate::Class {
        match self {
            Self::Disk { .. } => crate::Class::Transient,
            _ => crate::Class::Invalid,
        }
    }
}

/// One entry of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Its bytes may be a part of the tar they came in, which then lives as long as they do.
    File { executable: bool, bytes: Bytes },
    /// A symbolic link and its target as written.
    Link { target: String },
}

/// A tree in memory. Every value of this type is valid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    entries: BTreeMap<String, Entry>,
    bytes: u64,
}

impl Tree {
    /// A tree of plain files, such as the inline sources of a task.
    pub fn from_files<P: Into<String>, B: Into<Vec<u8>>>(
        files: impl IntoIterator<Item = (P, B)>,
    ) -> Result<Self, Error> {
        let mut tree = Self::default();
        for (path, bytes) in files {
            tree.insert(path.into(), Entry::File { executable: false, bytes: bytes.into().into() })?;
        }
        tree.check()?;
        Ok(tree)
    }

    /// Reads a tar, canonical or not, that anybody may have made.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        Self::from_tar(&Bytes::copy_from_slice(bytes))
    }

    /// [`Tree::parse`] without a copy: the tree's files are parts of these bytes.
    pub fn from_tar(tar: &Bytes) -> Result<Self, Error> {
        let mut tree = Self::default();
        let mut archive = Archive::new(tar.as_ref());
        for entry in archive.entries().map_err(Error::Tar)? {
            let entry = entry.map_err(Error::Tar)?;
            let raw = entry.path_bytes().into_owned();
            let kind = entry.header().entry_type();
            match kind {
                EntryType::Directory | EntryType::XGlobalHeader => continue,
                EntryType::Regular | EntryType::Symlink => {}
                _ => return Err(Error::Kind { path: String::from_utf8_lossy(&raw).into_owned() }),
            }
            let path = path::from_tar(&raw)?;
            let value = if kind == EntryType::Symlink {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                Entry::Link { target: path::link(&path, &target)? }
            } else {
                let executable = entry.header().mode().map_err(Error::Tar)? & 0o111 != 0;
                Entry::File { executable, bytes: content(tar, &entry)? }
            };
            tree.insert(path, value)?;
        }
        tree.check()?;
        Ok(tree)
    }

    /// Writes the tree into an empty folder, which is made if it is not there. Links come last, so that no file
    /// is ever written through one.
    pub fn write(&self, dir: &Path) -> Result<(), Error> {
        disk::write(self, dir)
    }

    /// The canonical tar.
    pub fn to_tar(&self) -> Result<Vec<u8>, Error> {
        // Header and padding of each entry, and the end: a buffer that grew would be up to twice its size.
        let room = usize::try_from(self.bytes).unwrap_or(0) + (self.entries.len() + 2) * 1024;
        self.write_tar(Vec::with_capacity(room)).map_err(Error::Tar)
    }

    /// Path and entry, in order of paths.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn insert(&mut self, path: String, entry: Entry) -> Result<(), Error> {
        path::check(&path)?;
        if let Entry::Link { target } = &entry {
            path::link(&path, target.as_bytes())?;
        }
        if let Entry::File { bytes, .. } = &entry {
            self.bytes += bytes.len() as u64;
        }
        if self.bytes > MAX_BYTES {
            return Err(Error::TooLarge);
        }
        if self.entries.len() >= MAX_ENTRIES {
            return Err(Error::TooMany);
        }
        if self.entries.contains_key(&path) {
            return Err(Error::Twice(path));
        }
        self.entries.insert(path, entry);
        Ok(())
    }

    /// No entry beneath another: such a tar would be written through a link, or over a file.
    fn check(&self) -> Result<(), Error> {
        for path in self.entries.keys() {
            if let Some(above) = path::above(path).find(|above| self.entries.contains_key(*above)) {
                return Err(Error::Beneath { path: path.clone(), above: above.to_owned() });
            }
        }
        Ok(())
    }
}

/// The bytes of an entry within its tar.
fn content<R: std::io::Read>(tar: &Bytes, entry: &tar::Entry<'_, R>) -> Result<Bytes, Error> {
    let place = |n: u64| usize::try_from(n).ok();
    let from = place(entry.raw_file_position());
    let to = entry.raw_file_position().checked_add(entry.size()).and_then(place);
    match (from, to) {
        (Some(from), Some(to)) if from <= to && to <= tar.len() => Ok(tar.slice(from..to)),
        _ => Err(Error::Tar(std::io::ErrorKind::UnexpectedEof.into())),
    }
}

/// The digest of bytes: `sha256:` and 64 hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// The canonical tar of a folder, in memory ([`Packing`] writes it piece by piece).
pub fn pack(dir: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Disk { what: "read", path: dir.to_owned(), source };
    let packing = Packing::of(dir, MAX_BYTES)?;
    // A buffer that grew would be up to twice its size.
    let room = usize::try_from(packing.tar_bytes()).unwrap_or(0);
    packing.write(Vec::with_capacity(room)).map_err(failed)
}

/// Lays a tar that anybody may have made into an empty folder. Nothing is written unless all of it is acceptable.
pub fn unpack(bytes: &[u8], dir: &Path) -> Result<(), Error> {
    Tree::parse(bytes)?.write(dir)
}

/// Any acceptable tar in canonical form.
pub fn canonical(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    Tree::parse(bytes)?.to_tar()
}

/// [`canonical`] of bytes that are kept if they are canonical already, as those of a runner are: no second copy is made.
pub fn canonical_form(tar: &Bytes) -> Result<Bytes, Error> {
    let tree = Tree::from_tar(tar)?;
    let same = tree.write_tar(Same::as_in(tar)).map_err(Error::Tar)?;
    if same.is_all() { Ok(tar.clone()) } else { tree.to_tar().map(Bytes::from) }
}

/// What changed from `base` to `new` (two tars) as one patch in git's form; binary files are noted, not shown.
/// A function of the two trees alone.
pub fn diff(base: &[u8], new: &[u8]) -> Result<String, Error> {
    Tree::parse(base)?.diff(&Tree::parse(new)?)
}

/// The paths added, removed or changed from `base` to `new`, sorted.
pub fn changed_paths(base: &[u8], new: &[u8]) -> Result<Vec<String>, Error> {
    Ok(Tree::parse(base)?.changed_paths(&Tree::parse(new)?))
}

/// `new` with every path that a glob matches reset to what `base` has there, also to nothing; canonical.
pub fn restore<G: AsRef<str>>(base: &[u8], new: &[u8], globs: &[G]) -> Result<Vec<u8>, Error> {
    Tree::parse(new)?.restored(&Tree::parse(base)?, globs)?.to_tar()
}

impl Tree {
    /// [`diff`] from this tree to `new`.
    pub fn diff(&self, new: &Self) -> Result<String, Error> {
        diff::patch(self, new)
    }

    /// [`changed_paths`] from this tree to `new`.
    pub fn changed_paths(&self, new: &Self) -> Vec<String> {
        diff::changed(self, new).map(|(path, ..)| path.to_owned()).collect()
    }

    /// [`restore`] of this tree: matching paths as `base` has them. Shares the files of both.
    pub fn restored<G: AsRef<str>>(&self, base: &Self, globs: &[G]) -> Result<Self, Error> {
        let matches = |path: &str| globs.iter().any(|g| golden_governance::glob_matches(g.as_ref(), path));
        restore::restore(base, self, matches)
    }
}
