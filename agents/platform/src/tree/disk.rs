//! Trees from and to folders.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::pack::{Item, Kind};
use super::{Entry, Error, MAX_ENTRIES, Tree, path};

fn fault(what: &'static str, path: &Path) -> impl Fn(std::io::Error) -> Error {
    move |source| Error::Disk { what, path: path.to_owned(), source }
}

/// All that a folder has, links with their targets. No file is read.
pub(super) fn list(dir: &Path) -> Result<Vec<Item>, Error> {
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
            path::check(&path)?;
            let kind = if about.is_symlink() {
                let target = fs::read_link(&at).map_err(fault("read", &at))?;
                Kind::Link { target: path::link(&path, target.as_os_str().as_bytes())? }
            } else {
                // One that cannot be read is a fault of the folder, and known before anything is packed.
                let about = open(&at).and_then(|file| file.metadata()).map_err(fault("open", &at))?;
                let executable = about.permissions().mode() & 0o111 != 0;
                Kind::File { at, executable, bytes: about.len() }
            };
            found.push(Item { path, kind });
        }
    }
    Ok(found)
}

/// `O_NOFOLLOW`: what was a file when it was listed must not have become a link since.
pub(super) fn open(path: &Path) -> std::io::Result<File> {
    let nofollow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default();
    OpenOptions::new().read(true).custom_flags(nofollow).open(path)
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
