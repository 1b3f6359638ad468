//! A provider that misbehaves: a TCP server that does what HTTP servers should not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What it does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    /// Answers with this status and these lines of headers.
    Answers(u16, String),
    /// Reads the request and says nothing.
    Hangs,
    /// Reads the request and closes the connection.
    Resets,
    /// Begins a stream of events and then says nothing more.
    StreamsAndHangs,
    /// Begins a stream of events and then closes the connection.
    StreamsAndResets,
    /// Answers 200 with this content type and body, and closes the connection.
    Says(&'static str, String),
    /// Gives a whole answer with a usage of 7 and 3 tokens.
    Works,
}

/// The server.
#[derive(Clone)]
pub(crate) struct Faulty {
    /// Its `…/v1`.
    pub(crate) url: String,
    does: Arc<Mutex<Does>>,
    asked: Arc<AtomicUsize>,
}

impl Faulty {
    pub(crate) async fn start(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let faulty = Self {
            url: format!("http://{}/v1", listener.local_addr().unwrap()),
            does: Arc::new(Mutex::new(does)),
            asked: Arc::default(),
        };
        let serving = faulty.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(connection));
            }
        });
        faulty
    }

    /// From now on.
    pub(crate) fn does(&self, does: Does) {
        *self.does.lock().unwrap() = does;
    }

    /// Requests so far.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn serve(self, mut connection: TcpStream) {
        if !read_request(&mut connection).await {
            return;
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        let does = self.does.lock().unwrap().clone();
        let event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"half\"}}]}\n\n";
        let stream = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{event}\r\n",
            event.len()
        );
        let whole =
            r#"{"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}}"#;
        let text = match &does {
            Does::Answers(status, headers) => {
                format!("HTTP/1.1 {status} Said\r\n{headers}content-length: 0\r\nconnection: close\r\n\r\n")
            }
            Does::Says(kind, body) => said(kind, body),
            Does::Works => said("application/json", whole),
            Does::StreamsAndHangs | Does::StreamsAndResets => stream,
            Does::Hangs | Does::Resets => String::new(),
        };
        connection.write_all(text.as_bytes()).await.unwrap();
        if matches!(does, Does::Hangs | Does::StreamsAndHangs) {
            // Until the other side has had enough.
            let _ = connection.read(&mut [0]).await;
        }
    }
}

fn said(kind: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Reads head and body.
async fn read_request(connection: &mut TcpStream) -> bool {
    let mut got = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&got);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
            });
            if body.len() >= length.unwrap_or(0) {
                return true;
            }
        }
        let mut bytes = [0; 4096];
        match connection.read(&mut bytes).await {
            Ok(0) | Err(_) => return false,
            Ok(n) => got.extend_from_slice(&bytes[..n]),
        }
    }
}
