//! The client's side of a call: what is sent to it, piece by piece, and whether it is still there.

use crate::error::CallError;
use crate::protocol::Protocol;
use crate::underway::Underway;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use tokio::sync::mpsc;

/// Pieces that may wait for a slow client before the provider's stream is held back too.
const QUEUE: usize = 32;

enum Piece {
    Head(StatusCode, HeaderMap),
    Data(Bytes),
    /// The answer cannot be completed: the connection is broken off, so that nobody takes it for whole.
    Broken(String),
}

/// The sending end.
pub(crate) struct Client {
    protocol: Protocol,
    pieces: mpsc::Sender<Piece>,
    begun: bool,
}

/// The receiving end, to be turned into the response.
pub(crate) struct Answer {
    protocol: Protocol,
    queue: mpsc::Receiver<Piece>,
}

/// A client and its answer.
pub(crate) fn channel(protocol: Protocol) -> (Client, Answer) {
    let (pieces, queue) = mpsc::channel(QUEUE);
    (Client { protocol, pieces, begun: false }, Answer { protocol, queue })
}

impl Client {
    /// Resolves when the client has hung up.
    pub(crate) async fn gone(&self) {
        self.pieces.closed().await;
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.pieces.is_closed()
    }

    /// Whether status and headers are sent already.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Begins the answer, once.
    pub(crate) async fn begin(&mut self, status: StatusCode, headers: HeaderMap) {
        if !std::mem::replace(&mut self.begun, true) {
            let _ = self.pieces.send(Piece::Head(status, headers)).await;
        }
    }

    /// Begins a stream of events before the provider has answered: for a client that waits for money.
    pub(crate) async fn begin_events(&mut self) {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        self.begin(StatusCode::OK, headers).await;
    }

    pub(crate) async fn send(&mut self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        if !bytes.is_empty() {
            let _ = self.pieces.send(Piece::Data(bytes)).await;
        }
    }

    /// Ends with an error: as the response where none has begun, else as an event of the stream.
    pub(crate) async fn fail(&mut self, error: &CallError) {
        if self.begun {
            self.send(self.protocol.error_events(error)).await;
            return;
        }
        let (parts, _) = error.response(self.protocol).into_parts();
        self.begin(parts.status, parts.headers).await;
        self.send(self.protocol.error(error).to_string()).await;
    }

    /// Tells a client that waits for money that its connection lives.
    pub(crate) async fn ping(&mut self) {
        self.send(self.protocol.ping()).await;
    }

    /// Breaks off.
    pub(crate) async fn break_off(&mut self, why: &str) {
        let _ = self.pieces.send(Piece::Broken(why.to_owned())).await;
    }
}

impl Answer {
    /// The response, as soon as its head is known. Dropping it, or its body, is hanging up. The call runs here until then,
    /// and by itself from there on.
    pub(crate) async fn response(mut self, mut call: Underway) -> Response {
        let head = tokio::select! {
            biased;
            () = &mut call => self.queue.recv().await,
            piece = self.queue.recv() => piece,
        };
        let Some(Piece::Head(status, mut headers)) = head else {
            let why = "the call ended without an answer".to_owned();
            return CallError::Unavailable(why).response(self.protocol);
        };
        headers.remove(header::CONTENT_LENGTH);
        (status, headers, self.body()).into_response()
    }

    /// All that is there already goes out at once and with its length, where nothing follows; else as it comes.
    fn body(mut self) -> Body {
        match self.queue.try_recv().ok() {
            Some(Piece::Data(whole)) if self.queue.is_closed() && self.queue.is_empty() => Body::from(whole),
            first => Body::from_stream(stream::unfold((first, self.queue), async |(first, mut queue)| {
                let piece = match first {
                    Some(piece) => piece,
                    None => queue.recv().await?,
                };
                Some((piece.read().await, (None, queue)))
            })),
        }
    }
}

impl Piece {
    /// As the body has it.
    async fn read(self) -> std::io::Result<Bytes> {
        match self {
            Self::Data(bytes) => Ok(bytes),
            Self::Broken(why) => {
                // What came before is written first: a body that fails takes with it what is not yet.
                tokio::task::yield_now().await;
                Err(std::io::Error::other(why))
            }
            Self::Head(..) => Ok(Bytes::new()),
        }
    }
}
