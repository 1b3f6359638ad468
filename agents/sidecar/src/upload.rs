//! A workspace on its way to the sidecar, read from disk piece by piece. The runner shares its container's memory with an
//! agent that, in a pause, still needs it.

use axum::body::Bytes;
use futures::Stream;
use futures::stream::poll_fn;
use golden_platform::tree::Packing;
use std::io::{self, BufWriter, Write};
use tokio::sync::mpsc;

/// Bytes of one piece.
const PIECE: usize = 64 << 10;
/// Pieces that are read before they can be sent.
const AHEAD: usize = 4;

/// The body of a request: the tar. What goes wrong while it is read breaks the request off.
pub(crate) fn body(packing: Packing) -> reqwest::Body {
    reqwest::Body::wrap_stream(pieces(packing))
}

/// The tar. Reading ends with the stream.
fn pieces(packing: Packing) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let (pieces, mut read) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        let out = BufWriter::with_capacity(PIECE, Pieces(pieces.clone()));
        if let Err(error) = packing.write(out).and_then(|mut out| out.flush()) {
            // Where nobody takes it any more, that was the error.
            let _ = pieces.blocking_send(Err(error));
        }
    });
    poll_fn(move |context| read.poll_recv(context))
}

struct Pieces(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes))).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt as _;
    use golden_platform::tree;

    #[tokio::test]
    async fn the_pieces_are_the_tar_and_a_read_that_fails_is_their_last() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), vec![b'a'; 3 * PIECE]).unwrap();
        std::fs::write(dir.path().join("b"), "b").unwrap();
        let packing = || Packing::of(dir.path(), 1 << 20).unwrap();
        let read: Vec<Bytes> = pieces(packing()).map(Result::unwrap).collect().await;
        assert!(read.len() >= 4 && read.iter().all(|piece| piece.len() <= PIECE));
        assert_eq!(read.concat(), tree::pack(dir.path()).unwrap());

        let packing = packing();
        std::fs::write(dir.path().join("b"), "").unwrap();
        let mut read: Vec<_> = pieces(packing).collect().await;
        assert!(read.pop().unwrap().unwrap_err().to_string().contains("became shorter"));
        assert!(read.iter().all(Result::is_ok));
    }

    #[tokio::test]
    async fn nothing_is_read_far_ahead_and_nothing_once_nobody_takes_it() {
        let dir = tempfile::tempdir().unwrap();
        // A hole: to read all of it takes minutes.
        std::fs::File::create(dir.path().join("a")).unwrap().set_len(1 << 40).unwrap();
        let mut read = Box::pin(pieces(Packing::of(dir.path(), 1 << 41).unwrap()));
        assert!(read.next().await.unwrap().is_ok());
        // The runtime's end waits for the reading thread.
        drop(read);
    }
}
