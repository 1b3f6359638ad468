//! Canonical tars, written piece by piece: of a tree in memory, and of a folder whose files are read only as they are
//! written. In a pause whoever made that folder still needs the memory.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

use super::{Entry, Error, Tree, disk};

/// A folder that can be packed. Nothing of its files is read yet, and every fault of the folder itself is known.
#[derive(Debug)]
pub struct Packing {
    /// In order of paths.
    items: Vec<Item>,
}

/// One entry to be.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) path: String,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    File {
        at: PathBuf,
        executable: bool,
        /// As it was listed; so much of it is taken.
        bytes: u64,
    },
    Link {
        target: String,
    },
}

impl Packing {
    /// Lists a folder whose owner may be hostile, though not while it is packed. `.git` is left out wherever it is; links are
    /// kept as links and never followed. More than `most` bytes of files are [`Error::Larger`].
    pub fn of(dir: &Path, most: u64) -> Result<Self, Error> {
        let mut items = disk::list(dir)?;
        let sizes = items.iter().map(|item| match &item.kind {
            Kind::File { bytes, .. } => *bytes,
            Kind::Link { .. } => 0,
        });
        let bytes = sizes.fold(0, u64::saturating_add);
        if bytes > most {
            return Err(Error::Larger { bytes, most });
        }
        items.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Self { items })
    }

    /// The size of its tar, in bytes. No file is read for it.
    pub fn tar_bytes(&self) -> u64 {
        let counted = self.write_with(Count(0), |_, bytes| Ok(io::repeat(0).take(bytes)));
        // Neither side can fail.
        counted.map_or(u64::MAX, |Count(bytes)| bytes)
    }

    /// Writes the canonical tar. A file that has become shorter since it was listed is an error, and of one that has grown
    /// its first part is taken.
    pub fn write<W: Write>(&self, to: W) -> io::Result<W> {
        self.write_with(to, |at, bytes| Ok(Whole { file: disk::open(at)?, left: bytes }))
    }

    fn write_with<W: Write, R: Read>(
        &self,
        to: W,
        content: impl Fn(&Path, u64) -> io::Result<R>,
    ) -> io::Result<W> {
        let mut tar = Canonical::to(to);
        for Item { path, kind } in &self.items {
            match kind {
                Kind::File { at, executable, bytes } => {
                    let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", at.display()));
                    let content = content(at, *bytes).map_err(named)?;
                    tar.file(path, *executable, *bytes, content).map_err(named)?;
                }
                Kind::Link { target } => tar.link(path, target)?,
            }
        }
        tar.end()
    }
}

impl Tree {
    /// Writes the canonical tar.
    pub(super) fn write_tar<W: Write>(&self, to: W) -> io::Result<W> {
        let mut tar = Canonical::to(to);
        for (path, entry) in self.entries() {
            match entry {
                Entry::File { executable, bytes } => {
                    tar.file(path, *executable, bytes.len() as u64, bytes.as_ref())?;
                }
                Entry::Link { target } => tar.link(path, target)?,
            }
        }
        tar.end()
    }
}

/// A tar in its one form: of equal trees the same bytes. Entries come in order of paths.
struct Canonical<W: Write>(Builder<W>);

impl<W: Write> Canonical<W> {
    fn to(to: W) -> Self {
        Self(Builder::new(to))
    }

    fn file(&mut self, path: &str, executable: bool, bytes: u64, content: impl Read) -> io::Result<()> {
        let mut header = header(EntryType::Regular, if executable { 0o755 } else { 0o644 }, bytes);
        self.0.append_data(&mut header, path, content)
    }

    fn link(&mut self, path: &str, target: &str) -> io::Result<()> {
        self.0.append_link(&mut header(EntryType::Symlink, 0o777, 0), path, target)
    }

    fn end(self) -> io::Result<W> {
        self.0.into_inner()
    }
}

fn header(kind: EntryType, mode: u32, bytes: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(bytes);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

/// So many bytes of a file, no more and no fewer: the header before them says how many there are.
struct Whole {
    file: File,
    left: u64,
}

impl Read for Whole {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = (&self.file).take(self.left).read(to)?;
        if read == 0 && self.left > 0 && !to.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was read"));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

struct Count(u64);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether what is written is what these bytes are.
pub(super) struct Same<'a> {
    left: &'a [u8],
    so_far: bool,
}

impl<'a> Same<'a> {
    pub(super) fn as_in(bytes: &'a [u8]) -> Self {
        Self { left: bytes, so_far: true }
    }

    /// Whether all of it was the same.
    pub(super) fn is_all(&self) -> bool {
        self.so_far && self.left.is_empty()
    }
}

impl Write for Same<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.left.strip_prefix(bytes) {
            Some(left) => self.left = left,
            None => self.so_far = false,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
