//! A layer of chosen files: same files, same bytes.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use crate::paths;

/// One file of a layer.
#[derive(Clone, Debug)]
pub struct File {
    /// Absolute path in the image.
    pub path: String,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub content: Content,
}

/// What is at a path.
#[derive(Clone, Debug)]
pub enum Content {
    Bytes(Vec<u8>),
    /// A file of this machine.
    Host(PathBuf),
    Folder,
    Link(String),
}

impl File {
    /// An executable of this machine, owned by root.
    pub fn program(path: &str, host: &Path) -> Self {
        Self::new(path, 0o755, Content::Host(host.to_owned()))
    }

    /// An executable script, owned by root.
    pub fn script(path: &str, text: &str) -> Self {
        Self::new(path, 0o755, Content::Bytes(text.into()))
    }

    /// A readable file, owned by root.
    pub fn text(path: &str, text: &str) -> Self {
        Self::new(path, 0o644, Content::Bytes(text.into()))
    }

    /// A copy of a readable file of this machine, owned by root.
    pub fn copy(path: &str, host: &Path) -> Self {
        Self::new(path, 0o644, Content::Host(host.to_owned()))
    }

    /// A folder that `uid` may write.
    pub fn folder(path: &str, uid: u32) -> Self {
        Self { uid, gid: uid, ..Self::new(path, 0o755, Content::Folder) }
    }

    /// A symbolic link.
    pub fn link(path: &str, target: &str) -> Self {
        Self::new(path, 0o777, Content::Link(target.to_owned()))
    }

    fn new(path: &str, mode: u32, content: Content) -> Self {
        Self { path: path.to_owned(), mode, uid: 0, gid: 0, content }
    }
}

/// The layer's tar, kept under its hash, and the hash.
pub(super) fn build(files: &[File]) -> Result<(PathBuf, String)> {
    let folder = paths::images()?.join("layers");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    // The content decides the name, so the draft cannot have it yet.
    let draft = tempname(&folder);
    let mut out = Hashing { inner: fs::File::create(&draft)?, hash: Sha256::new() };
    write(files, &mut out)?;
    let hash = hex::encode(out.hash.finalize())[..12].to_owned();
    let path = folder.join(format!("{hash}.tar"));
    fs::rename(&draft, &path).with_context(|| format!("cannot move {} into place", draft.display()))?;
    Ok((path, hash))
}

fn tempname(folder: &Path) -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    folder.join(format!("{}-{}.partial", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)))
}

/// The layer's tar at a path of the caller's choice.
pub(super) fn write_to(path: &Path, files: &[File]) -> Result<()> {
    let out = fs::File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    let mut out = io::BufWriter::with_capacity(1 << 20, out);
    write(files, &mut out)?;
    out.flush().with_context(|| format!("cannot write {}", path.display()))
}

fn write(files: &[File], out: &mut impl Write) -> Result<()> {
    let mut tar = Builder::new(out);
    for file in files {
        append(&mut tar, file).with_context(|| format!("cannot add {} to a layer", file.path))?;
    }
    tar.finish()?;
    Ok(())
}

fn append(tar: &mut Builder<&mut impl Write>, file: &File) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(file.mode);
    header.set_uid(file.uid.into());
    header.set_gid(file.gid.into());
    header.set_mtime(0);
    header.set_size(0);
    let path = file.path.trim_start_matches('/');
    match &file.content {
        Content::Bytes(bytes) => {
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, path, bytes.as_slice())?;
        }
        Content::Host(host) => {
            let source = fs::File::open(host).with_context(|| format!("cannot read {}", host.display()))?;
            header.set_size(source.metadata()?.len());
            tar.append_data(&mut header, path, source)?;
        }
        Content::Folder => {
            header.set_entry_type(EntryType::Directory);
            tar.append_data(&mut header, format!("{path}/"), io::empty())?;
        }
        Content::Link(target) => {
            header.set_entry_type(EntryType::Symlink);
            tar.append_link(&mut header, path, target)?;
        }
    }
    Ok(())
}

struct Hashing<W> {
    inner: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_make_the_same_bytes() {
        let files =
            [File::folder("/data", 7), File::script("/bin/run", "#!/bin/sh\n"), File::link("/sh", "bin/run")];
        let (mut first, mut second) = (Vec::new(), Vec::new());
        write(&files, &mut first).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(10));
        write(&files, &mut second).unwrap();
        assert_eq!(first, second);
        let mut archive = tar::Archive::new(first.as_slice());
        let seen: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap())
            })
            .collect();
        assert_eq!(seen, [("data/".into(), 0o755), ("bin/run".into(), 0o755), ("sh".into(), 0o777)]);
    }
}
