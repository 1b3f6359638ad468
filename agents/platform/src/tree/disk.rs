//! Trees from and to folders.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::{Entry, Error, MAX_BYTES, Tree, path};

fn fault(what: &'static str, path: &Path) -> impl Fn(std::io::Error) -> Error {
    move |source| Error::Disk { what, path: path.to_owned(), source }
}

/// Reads a folder whose owner may be hostile, though not while it is read.
pub(super) fn read(dir: &Path) -> Result<Tree, Error> {
    let mut tree = Tree::default();
    let mut folders = vec![(dir.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for item in fs::read_dir(&folder).map_err(fault("list", &folder))? {
            let item = item.map_err(fault("list", &folder))?;
            let name = item.file_name();
            if name.eq_ignore_ascii_case(".git") {
                continue;
            }
            let Some(name) = name.to_str() else {
                let shown = item.path().to_string_lossy().into_owned();
                return Err(Error::Path { path: shown, why: "it is not UTF-8; rename the file" });
            };
            let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
            let kind = item.file_type().map_err(fault("look at", &item.path()))?;
            if kind.is_dir() {
                path::check(&path)?;
                folders.push((item.path(), path));
            } else if kind.is_symlink() {
                let target = fs::read_link(item.path()).map_err(fault("read", &item.path()))?;
                let entry = path::link(&path, std::os::unix::ffi::OsStrExt::as_bytes(target.as_os_str()))?;
                tree.insert(path, entry)?;
            } else if kind.is_file() {
                let entry = file(&item.path(), MAX_BYTES - tree.bytes)?;
                tree.insert(path, entry)?;
            } else {
                return Err(Error::Kind { path });
            }
        }
    }
    Ok(tree)
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
