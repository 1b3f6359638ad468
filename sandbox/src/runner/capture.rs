//! The end of a stream of unknown length, kept in a file without a name: memory stays small however much is written,
//! and the command, which has the same user, has no path to it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// The last `most` bytes of what was pushed.
#[derive(Debug)]
pub(super) struct Tail {
    file: File,
    most: u64,
    total: u64,
}

impl Tail {
    /// Makes the file in `dir` and takes its name away.
    pub(super) fn new(dir: &Path, name: &str, most: u64) -> io::Result<Self> {
        let path = dir.join(format!(".golden-{name}-{}", std::process::id()));
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        std::fs::remove_file(&path)?;
        Ok(Self { file, most: most.max(1), total: 0 })
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        let skipped = bytes.len().saturating_sub(usize::try_from(self.most).unwrap_or(usize::MAX));
        let (mut at, mut rest) = (self.total + skipped as u64, &bytes[skipped..]);
        while !rest.is_empty() {
            let place = at % self.most;
            let room = usize::try_from(self.most - place).unwrap_or(usize::MAX).min(rest.len());
            self.file.write_all_at(&rest[..room], place)?;
            rest = &rest[room..];
            at += room as u64;
        }
        self.total += bytes.len() as u64;
        Ok(())
    }

    /// What is kept, in order.
    pub(super) fn read(&self) -> io::Result<Vec<u8>> {
        if self.total <= self.most {
            let mut all = vec![0; usize::try_from(self.total).unwrap_or_default()];
            self.file.read_exact_at(&mut all, 0)?;
            return Ok(all);
        }
        let mut all = vec![0; usize::try_from(self.most).unwrap_or_default()];
        self.file.read_exact_at(&mut all, 0)?;
        all.rotate_left(usize::try_from(self.total % self.most).unwrap_or_default());
        Ok(all)
    }

    /// Whether more was pushed than is kept.
    pub(super) fn truncated(&self) -> bool {
        self.total > self.most
    }

    /// Bytes pushed.
    pub(super) fn total(&self) -> u64 {
        self.total
    }
}

/// A stream being captured by a thread.
pub(super) struct Capture {
    tail: Arc<Mutex<Tail>>,
    thread: JoinHandle<()>,
}

impl Capture {
    /// Reads `stream` to its end. A write that fails (a full volume) ends the keeping, not the reading: a command
    /// must not hang on a pipe.
    pub(super) fn start(mut stream: impl Read + Send + 'static, tail: Tail) -> Self {
        let tail = Arc::new(Mutex::new(tail));
        let shared = Arc::clone(&tail);
        let thread = std::thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            let mut keeping = true;
            loop {
                match stream.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(n) if keeping => {
                        let mut tail = shared.lock().unwrap_or_else(PoisonError::into_inner);
                        keeping = tail.push(&buffer[..n]).is_ok();
                    }
                    Ok(_) => {}
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => return,
                }
            }
        });
        Self { tail, thread }
    }

    /// Whether the stream has ended.
    pub(super) fn ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// What was kept and whether it is all.
    pub(super) fn take(&self) -> (Vec<u8>, bool) {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = tail.read().unwrap_or_default();
        let whole = !tail.truncated() && bytes.len() as u64 == tail.total();
        (bytes, whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bytes_are_kept_in_order_whatever_the_pieces() {
        let dir = tempfile::tempdir().unwrap();
        let all: Vec<u8> = (0..1000_u32).flat_map(|i| i.to_string().into_bytes()).collect();
        for (most, piece) in [(7, 3), (64, 64), (100, 999), (5000, 11), (1, 2)] {
            let mut tail = Tail::new(dir.path(), "t", most).unwrap();
            for chunk in all.chunks(piece) {
                tail.push(chunk).unwrap();
            }
            let kept = all.len().min(usize::try_from(most).unwrap());
            assert_eq!(tail.read().unwrap(), all[all.len() - kept..], "{most} {piece}");
            assert_eq!(tail.truncated(), kept < all.len());
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the file has no name");
    }
}
