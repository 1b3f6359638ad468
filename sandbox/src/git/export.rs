//! A commit's tree as a canonical artifact, read from objects: no checkout, so no filter and no attribute applies.

use super::fault::Fault;
use super::program::Git;
use golden_platform::tree;
use std::fmt::Write as _;

/// What stands at a path of a commit.
pub(super) struct Listed {
    pub(super) mode: String,
    pub(super) object: String,
    pub(super) path: String,
}

/// Every entry of a commit, submodules' links included.
pub(super) async fn list(git: &Git, commit: &str) -> Result<Vec<Listed>, Fault> {
    let text = git.run(&["ls-tree", "-r", "-z", "--full-tree", commit]).await?;
    text.split(|b| *b == 0).filter(|line| !line.is_empty()).map(listed).collect()
}

/// The canonical tar of a commit's tree. Submodules are left out: their content is not the repository's.
pub(super) async fn canonical(git: &Git, commit: &str) -> Result<Vec<u8>, Fault> {
    let entries: Vec<Listed> = list(git, commit).await?.into_iter().filter(|e| e.mode != "160000").collect();
    let mut asked = String::new();
    for entry in &entries {
        let _ = writeln!(asked, "{}", entry.object);
    }
    let told = git.feed(&["cat-file", "--batch"], asked.into_bytes()).await?;
    let mut archive = tar::Builder::new(Vec::new());
    let mut rest = told.as_slice();
    for entry in &entries {
        let (content, after) = next_object(rest)?;
        rest = after;
        append(&mut archive, entry, content).map_err(|e| unusable(&e))?;
    }
    let bytes = archive.into_inner().map_err(|e| unusable(&e))?;
    tree::canonical(&bytes).map_err(|e| unusable(&e))
}

fn append(archive: &mut tar::Builder<Vec<u8>>, entry: &Listed, content: &[u8]) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mtime(0);
    if entry.mode == "120000" {
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        header.set_mode(0o777);
        let target = String::from_utf8_lossy(content).into_owned();
        return archive.append_link(&mut header, &entry.path, target);
    }
    header.set_size(content.len() as u64);
    header.set_mode(if entry.mode == "100755" { 0o755 } else { 0o644 });
    archive.append_data(&mut header, &entry.path, content)
}

/// `<mode> SP <type> SP <object> TAB <path>`
fn listed(line: &[u8]) -> Result<Listed, Fault> {
    let parse = || {
        let text = std::str::from_utf8(line).ok()?;
        let (head, path) = text.split_once('\t')?;
        let mut words = head.split(' ');
        let (mode, _, object) = (words.next()?, words.next()?, words.next()?);
        Some(Listed { mode: mode.into(), object: object.into(), path: path.into() })
    };
    parse().ok_or_else(|| unusable(&"a path is not UTF-8"))
}

/// `<object> SP <type> SP <size> LF <content> LF`
fn next_object(told: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    let parse = || {
        let end = told.iter().position(|b| *b == b'\n')?;
        let size: usize = std::str::from_utf8(told.get(..end)?).ok()?.rsplit(' ').next()?.parse().ok()?;
        let content = told.get(end + 1..)?.get(..size)?;
        Some((content, told.get(end + 2 + size..)?))
    };
    parse().ok_or_else(|| unusable(&"git sent an object that cannot be read"))
}

fn unusable(why: &dyn std::fmt::Display) -> Fault {
    Fault::new("SourceUnusable", format!("the repository's tree cannot be taken: {why}"), false)
}
