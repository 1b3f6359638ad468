//! What the agent left: its tree, its last words, its transcript. Read in the agent's own container, which holds no
//! token: a link it planted leads to nothing it could not read itself.

use crate::transcript;
use golden_platform::artifacts;
use golden_platform::tree::Packing;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Bound on the last words, in bytes.
const SUMMARY: u64 = 4096;
/// Bound on a transcript: the built-in agent's own is far below.
const TRANSCRIPT: u64 = transcript::MAX_BYTES as u64;

/// The workspace, to be read when it is sent, or why it cannot be taken, in words for whoever works on the task next.
pub(crate) fn workspace(dir: &Path) -> Result<Packing, String> {
    let most = artifacts::MAX_BYTES as u64;
    let packing = Packing::of(dir, most).map_err(|e| format!("the workspace cannot be taken: {e}"))?;
    let bytes = packing.tar_bytes();
    if bytes > most {
        return Err(format!(
            "the workspace has {bytes} bytes as a tar, at most {most} can be taken; remove what was built"
        ));
    }
    Ok(packing)
}

/// `out/summary.md`, if there is one that says something.
pub(crate) fn summary(golden: &Path) -> Option<String> {
    let bytes = file(&golden.join("out/summary.md"), SUMMARY)?;
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// `out/transcript.jsonl`, its first bytes if it is too long.
pub(crate) fn transcript(golden: &Path) -> Option<Vec<u8>> {
    file(&golden.join("out/transcript.jsonl"), TRANSCRIPT).filter(|bytes| !bytes.is_empty())
}

/// A plain file's first bytes: a pipe or device would never end.
fn file(path: &Path, most: u64) -> Option<Vec<u8>> {
    let plain = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
    let mut bytes = Vec::new();
    plain.then(|| File::open(path).ok()?.take(most).read_to_end(&mut bytes).ok()).flatten()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_no_plain_file_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("out")).unwrap();
        assert_eq!(summary(dir.path()), None);
        fs::write(dir.path().join("out/summary.md"), "done\n").unwrap();
        assert_eq!(summary(dir.path()).as_deref(), Some("done"));
        let fifo = std::process::Command::new("mkfifo").arg(dir.path().join("out/transcript.jsonl")).status();
        assert!(fifo.unwrap().success());
        assert_eq!(transcript(dir.path()), None);
        fs::remove_file(dir.path().join("out/transcript.jsonl")).unwrap();
        fs::write(dir.path().join("out/transcript.jsonl"), vec![b'x'; 17 << 20]).unwrap();
        assert_eq!(transcript(dir.path()).unwrap().len(), 16 << 20);
    }

    #[test]
    fn a_workspace_that_cannot_be_taken_says_why() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("out")).unwrap();
        assert!(workspace(dir.path()).unwrap_err().contains("/etc/passwd"));
    }

    #[test]
    fn a_workspace_that_is_too_large_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "x").unwrap();
        let built = File::create(dir.path().join("built")).unwrap();
        // A hole: a terabyte that is read would not come to an end.
        built.set_len(1 << 40).unwrap();
        let why = workspace(dir.path()).unwrap_err();
        assert!(why.contains("1099511627777 bytes, at most 67108864"), "{why}");
        built.set_len((64 << 20) - 1).unwrap();
        let why = workspace(dir.path()).unwrap_err();
        assert!(why.contains("bytes as a tar, at most 67108864"), "{why}");
        built.set_len(63 << 20).unwrap();
        assert!(workspace(dir.path()).is_ok());
    }
}
