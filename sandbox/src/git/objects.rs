//! Trees as git objects, and back: no checkout, so no file of a hostile tree is ever made on disk.

use super::fault::Fault;
use super::program::Workshop;
use golden_crds::conditions::agent_task::{RESULT_REFUSED, SOURCE_TOO_LARGE};
use golden_platform::tree::{self, Entry, Tree};
use std::io::Write as _;

/// A commit's content.
pub(super) struct Content {
    /// The canonical tar.
    pub(super) tar: Vec<u8>,
    /// Submodules, path and commit: they are in no tree of Golden's, but must survive a delivery.
    pub(super) submodules: Vec<(String, String)>,
}

struct Listed {
    mode: String,
    object: String,
    path: String,
}

/// Reads the tree of a commit.
pub(super) fn read(shop: &Workshop, commit: &str) -> Result<Content, Fault> {
    let listing = shop.local(&["ls-tree", "-r", "-z", "-l", "--full-tree", commit])?;
    let (mut files, mut submodules, mut sum) = (Vec::new(), Vec::new(), 0_u64);
    for line in listing.split(|b| *b == 0).filter(|line| !line.is_empty()) {
        let (listed, size) = listed(line)?;
        if listed.mode == "160000" {
            submodules.push((listed.path, listed.object));
            continue;
        }
        sum += size;
        files.push(listed);
    }
    if sum > tree::MAX_BYTES || files.len() > tree::MAX_ENTRIES {
        let message = format!(
            "the source has {} files and {sum} bytes; {} files and {} bytes can be worked on",
            files.len(),
            tree::MAX_ENTRIES,
            tree::MAX_BYTES
        );
        return Err(Fault::lasting(SOURCE_TOO_LARGE, message));
    }
    let tar = tar(shop, &files)?;
    if tar.len() > golden_platform::artifacts::MAX_BYTES {
        let most = golden_platform::artifacts::MAX_BYTES;
        let message = format!("the source has {} bytes as a tar; at most {most} are kept", tar.len());
        return Err(Fault::lasting(SOURCE_TOO_LARGE, message));
    }
    Ok(Content { tar, submodules })
}

/// `‹mode› ‹type› ‹object› ‹size›\t‹path›`; submodules have the size `-`.
fn listed(line: &[u8]) -> Result<(Listed, u64), Fault> {
    let text = std::str::from_utf8(line).map_err(|_| {
        let shown = String::from_utf8_lossy(line).into_owned();
        Fault::lasting(RESULT_REFUSED, format!("a path of the source is not UTF-8: {shown}"))
    })?;
    let odd = || Fault::internal(format!("git ls-tree said {text:?}"));
    let (head, path) = text.split_once('\t').ok_or_else(odd)?;
    let mut words = head.split_ascii_whitespace();
    let (Some(mode), Some(_), Some(object), Some(size)) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(odd());
    };
    let listed = Listed { mode: mode.into(), object: object.into(), path: path.into() };
    Ok((listed, size.parse().unwrap_or(0)))
}

fn tar(shop: &Workshop, files: &[Listed]) -> Result<Vec<u8>, Fault> {
    let wanted: String = files.iter().flat_map(|f| [f.object.as_str(), "\n"]).collect();
    let answer = shop.local_with(&["cat-file", "--batch"], wanted.as_bytes())?;
    let mut rest = answer.as_slice();
    let mut builder = tar::Builder::new(Vec::new());
    for file in files {
        let content =
            next_object(&mut rest).ok_or_else(|| Fault::internal("git cat-file ended too early"))?;
        append(&mut builder, file, content).map_err(Fault::internal)?;
    }
    let raw = builder.into_inner().map_err(Fault::internal)?;
    tree::canonical(&raw)
        .map_err(|e| Fault::lasting(RESULT_REFUSED, format!("the source cannot be worked on: {e}")))
}

/// `‹object› ‹type› ‹size›\n‹bytes›\n`.
fn next_object<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|b| *b == b'\n')?;
    let size: usize = std::str::from_utf8(&rest[..end]).ok()?.rsplit_once(' ')?.1.parse().ok()?;
    let (content, tail) = rest[end + 1..].split_at_checked(size)?;
    *rest = tail.strip_prefix(b"\n")?;
    Some(content)
}

fn append(builder: &mut tar::Builder<Vec<u8>>, file: &Listed, content: &[u8]) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mtime(0);
    if file.mode == "120000" {
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        header.set_mode(0o777);
        let target = std::str::from_utf8(content).map_err(std::io::Error::other)?;
        return builder.append_link(&mut header, &file.path, target);
    }
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(content.len() as u64);
    header.set_mode(if file.mode == "100755" { 0o755 } else { 0o644 });
    builder.append_data(&mut header, &file.path, content)
}

/// What a new commit is made of.
pub(super) struct NewCommit<'a> {
    pub(super) parent: &'a str,
    /// `Name <mail>`.
    pub(super) author: &'a str,
    /// Seconds since 1970.
    pub(super) seconds: i64,
    pub(super) message: &'a str,
    pub(super) tree: &'a Tree,
    pub(super) submodules: &'a [(String, String)],
}

/// Where the commit is kept in the workshop.
const REF: &str = "refs/heads/golden-delivery";

/// Makes a commit by git fast-import, which takes bytes as they are. The same input gives the same commit.
pub(super) fn write(shop: &Workshop, new: &NewCommit<'_>) -> Result<String, Fault> {
    let script = script(new).map_err(Fault::internal)?;
    shop.local_with(&["fast-import", "--quiet", "--done", "--date-format=raw"], &script)?;
    let name = shop.local(&["rev-parse", "--verify", REF])?;
    Ok(String::from_utf8_lossy(&name).trim().to_owned())
}

fn script(new: &NewCommit<'_>) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let (author, seconds) = (new.author, new.seconds);
    writeln!(out, "commit {REF}")?;
    writeln!(out, "author {author} {seconds} +0000")?;
    writeln!(out, "committer {author} {seconds} +0000")?;
    data(&mut out, new.message.as_bytes())?;
    writeln!(out, "from {}\ndeleteall", new.parent)?;
    for (path, commit) in new.submodules.iter().filter(|(path, _)| !taken(new.tree, path)) {
        writeln!(out, "M 160000 {commit} {}", quoted(path))?;
    }
    for (path, entry) in new.tree.entries() {
        let (mode, bytes) = match entry {
            Entry::File { executable: true, bytes } => ("100755", bytes.as_ref()),
            Entry::File { executable: false, bytes } => ("100644", bytes.as_ref()),
            Entry::Link { target } => ("120000", target.as_bytes()),
        };
        writeln!(out, "M {mode} inline {}", quoted(path))?;
        data(&mut out, bytes)?;
    }
    writeln!(out, "done")?;
    Ok(out)
}

fn data(out: &mut Vec<u8>, bytes: &[u8]) -> std::io::Result<()> {
    writeln!(out, "data {}", bytes.len())?;
    out.extend_from_slice(bytes);
    out.push(b'\n');
    Ok(())
}

/// Whether the new tree has something at, above or beneath a submodule's place: then that is what counts.
fn taken(tree: &Tree, path: &str) -> bool {
    let beneath = format!("{path}/");
    tree.entries().any(|(p, _)| p == path || p.starts_with(&beneath) || path.starts_with(&format!("{p}/")))
}

/// Git's C-style quotes. Paths of a tree hold no control characters.
fn quoted(path: &str) -> String {
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\""))
}
