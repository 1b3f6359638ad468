//! Trees from and to folders.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::{Entry, Error, MAX_ENTRIES, Tree, path};

fn fault(what: &'static str, path: &Path) -> impl Fn(std::io::Error) -> Error {
    move |source| Error::Disk { what, path: path.to_owned(), source }
}

/// What a folder has, before any of its files is read.
struct Found {
    at: PathBuf,
    path: String,
    is_link: bool,
    /// Of a file; a link has none.
    bytes: u64,
}

/// Reads a folder whose owner may be hostile, though not while it is read. One with more than `most` bytes of files is
/// refused before any of them is: whatever made it may still need the memory.
pub(super) fn read(dir: &Path, most: u64) -> Result<Tree, Error> {
    let found = list(dir)?;
    let bytes = found.iter().fold(0_u64, |sum, item| sum.saturating_add(item.bytes));
    if bytes > most {
        return Err(Error::Larger { bytes, most });
    }
    let mut tree = Tree::default();
    for Found { at, path, is_link, .. } in found {
        let entry = if is_link {
            let target = fs::read_link(&at).map_err(fault("read", &at))?;
            path::link(&path, std::os::unix::ffi::OsStrExt::as_bytes(target.as_os_str()))?
        } else {
            file(&at, most - tree.bytes)?
        };
        tree.insert(path, entry)?;
        // It grew since it was listed.
        if tree.bytes > most {
            return Err(Error::Larger { bytes: tree.bytes, most });
        }
    }
    Ok(tree)
}

fn list(dir: &Path) -> Result<Vec<Found>, Error> {
    let mut found = Vec::new();
    let mut folders = vec![(dir.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for item in fs::read_dir(&folder).map_err(fault("list", &folder))? {
            let item = item.map_err(fault("list", &folder))?;
            let (name, at) = (item.file_name(), item.path());
            if name.eq_ignore_ascii_case(".git") {
                continue;
            }
            let Some(name) = name.to_str() else {
                let shown = at.to_string_lossy().into_owned();
                return Err(Error::Path { path: shown, why: "it is not UTF-8; rename the file" });
            };
            let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
            // Of the item itself: links are not followed.
            let about = item.metadata().map_err(fault("look at", &at))?;
            if about.is_dir() {
                path::check(&path)?;
                folders.push((at, path));
                continue;
            }
            if !about.is_symlink() && !about.is_file() {
                return Err(Error::Kind { path });
            }
            if found.len() >= MAX_ENTRIES {
                return Err(Error::TooMany);
            }
            let bytes = if about.is_file() { about.len() } else { 0 };
            found.push(Found { at, path, is_link: about.is_symlink(), bytes });
        }
    }
    Ok(found)
}

/// O_NOFOLLOW: what was a file when it was listed must not have become a link since.
fn file(path: &Path, left: u64) -> Result<Entry, Error> {
    let nofollow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let file: File =
        OpenOptions::new().read(true).custom_flags(nofollow).open(path).map_err(fault("open", path))?;
    let mode = file.metadata().map_err(fault("look at", path))?.permissions().mode();
    let mut bytes = Vec::new();
    file.take(left + 1).read_to_end(&mut bytes).map_err(fault("read", path))?;
    Ok(Entry::File { executable: mode & 0o111 != 0, bytes: bytes.into() })
}

pub(super) fn write(tree: &Tree, dir: &Path) -> Result<(), Error> {
    fs::create_dir_all(dir).map_err(fault("make", dir))?;
    if fs::read_dir(dir).map_err(fault("list", dir))?.next().is_some() {
        let source = std::io::Error::new(std::io::ErrorKind::DirectoryNotEmpty, "the folder is not empty");
        return Err(fault("write into", dir)(source));
    }
    for (path, entry) in &tree.entries {
        let to = place(dir, path)?;
        if let Entry::File { executable, bytes } = entry {
            let mode = if *executable { 0o755 } else { 0o644 };
            // create_new follows no link and overwrites nothing.
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(mode)
                .open(&to)
                .map_err(fault("make", &to))?;
            file.write_all(bytes).map_err(fault("write", &to))?;
        }
    }
    for (path, entry) in &tree.entries {
        if let Entry::Link { target } = entry {
            let to = place(dir, path)?;
            symlink(target, &to).map_err(fault("make", &to))?;
        }
    }
    Ok(())
}

fn place(dir: &Path, path: &str) -> Result<PathBuf, Error> {
    let to = dir.join(path);
    if let Some(parent) = to.parent() {
        DirBuilder::new().recursive(true).mode(0o755).create(parent).map_err(fault("make", parent))?;
    }
    Ok(to)
}
