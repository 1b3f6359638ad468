//! Outputs: paths under the workspace, read after every process of the command is gone.
//!
//! The workspace is hostile: no link is followed at any depth, nothing but files and folders is read, and sizes are
//! known before bytes are.

use golden_platform::tree::pack;
use std::fs::{self, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

/// Why an output is not kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("output {0} is not there")]
    Missing(String),
    #[error("output {0} leads through a symbolic link; links are not followed")]
    Link(String),
    #[error("output {0} is not a plain path under the workspace")]
    Path(String),
    #[error("output {path} is larger than the {most} bytes that are kept")]
    TooLarge { path: String, most: u64 },
    #[error("output {path} cannot be read: {message}")]
    Unreadable { path: String, message: String },
}

/// The bytes of a file, or the canonical tar of a folder; at most `most` bytes.
pub(super) fn collect(workspace: &Path, path: &str, most: u64) -> Result<Vec<u8>, Fault> {
    let place = resolve(workspace, path)?;
    let unreadable =
        |e: &dyn std::fmt::Display| Fault::Unreadable { path: path.into(), message: e.to_string() };
    let too_large = || Fault::TooLarge { path: path.into(), most };
    let kind = fs::symlink_metadata(&place).map_err(|e| unreadable(&e))?;
    if kind.is_dir() {
        if folder_bytes(&place, most).map_err(|e| unreadable(&e))? > most {
            return Err(too_large());
        }
        return pack(&place).map_err(|e| unreadable(&e));
    }
    if !kind.is_file() {
        return Err(unreadable(&"it is neither a file nor a folder"));
    }
    let nofollow = nix::fcntl::OFlag::O_NOFOLLOW.bits();
    let file =
        OpenOptions::new().read(true).custom_flags(nofollow).open(&place).map_err(|e| unreadable(&e))?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(|e| unreadable(&e))?;
    if bytes.len() as u64 > most { Err(too_large()) } else { Ok(bytes) }
}

/// The place of a path, with no link on the way.
fn resolve(workspace: &Path, path: &str) -> Result<PathBuf, Fault> {
    let mut place = workspace.to_owned();
    for part in Path::new(path).components() {
        let Component::Normal(name) = part else { return Err(Fault::Path(path.into())) };
        place.push(name);
        match fs::symlink_metadata(&place) {
            Ok(found) if found.is_symlink() => return Err(Fault::Link(path.into())),
            Ok(_) => {}
            Err(_) => return Err(Fault::Missing(path.into())),
        }
    }
    if place == workspace { Err(Fault::Path(path.into())) } else { Ok(place) }
}

/// Bytes of the files in a folder; stops counting above `most`. Each entry counts for its header in a tar as well.
fn folder_bytes(dir: &Path, most: u64) -> std::io::Result<u64> {
    let (mut sum, mut folders) = (0, vec![dir.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let meta = fs::symlink_metadata(entry.path())?;
            sum += 1024 + if meta.is_file() { meta.len() } else { 0 };
            if meta.is_dir() {
                folders.push(entry.path());
            }
            if sum > most {
                return Ok(sum);
            }
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn files_and_folders_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("d/e")).unwrap();
        fs::write(dir.path().join("d/e/f"), "x").unwrap();
        assert_eq!(collect(dir.path(), "d/e/f", 10).unwrap(), b"x");
        assert!(!collect(dir.path(), "d", 1 << 20).unwrap().is_empty());
    }

    #[test]
    fn no_output_leaves_the_workspace() {
        let dir = tempfile::tempdir().unwrap();
        let secret = tempfile::tempdir().unwrap();
        fs::write(secret.path().join("s"), "secret").unwrap();
        symlink(secret.path().join("s"), dir.path().join("file")).unwrap();
        symlink(secret.path(), dir.path().join("folder")).unwrap();
        fs::create_dir(dir.path().join("d")).unwrap();
        symlink("/etc/passwd", dir.path().join("d/passwd")).unwrap();
        assert!(matches!(collect(dir.path(), "file", 100), Err(Fault::Link(_))));
        assert!(matches!(collect(dir.path(), "folder/s", 100), Err(Fault::Link(_))));
        assert!(matches!(collect(dir.path(), "d", 1 << 20), Err(Fault::Unreadable { .. })));
        for path in ["../s", "/etc/passwd", "", "."] {
            assert!(
                matches!(collect(dir.path(), path, 100), Err(Fault::Path(_) | Fault::Missing(_))),
                "{path}"
            );
        }
    }

    #[test]
    fn what_is_too_large_is_known_before_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("d")).unwrap();
        fs::write(dir.path().join("d/big"), vec![0; 9000]).unwrap();
        assert!(matches!(collect(dir.path(), "d/big", 8999), Err(Fault::TooLarge { .. })));
        assert!(matches!(collect(dir.path(), "d", 8999), Err(Fault::TooLarge { .. })));
        assert!(matches!(collect(dir.path(), "none", 1), Err(Fault::Missing(_))));
        nix::unistd::mkfifo(&dir.path().join("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert!(matches!(collect(dir.path(), "pipe", 1), Err(Fault::Unreadable { .. })));
    }
}
