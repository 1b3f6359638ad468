//! NATS: connecting, and publishing with a receipt.

use std::time::Duration;

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, Context};
use bytes::Bytes;

use crate::wire::Envelope;

/// How long a publish or a management call may take.
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot use the NATS address: {0}; check GOLDEN_NATS_URL")]
    Connect(String),
    #[error("message {id} for {subject} has {bytes} bytes, the server takes {most}")]
    TooLarge { id: String, subject: String, bytes: usize, most: usize },
    #[error("message {id} cannot be written as JSON: {source}")]
    Encode { id: String, source: serde_json::Error },
    #[error("no stream takes {subject}; the operator creates a team's streams")]
    NoStream { subject: String },
    #[error(
        "message {id} for {subject} was not acknowledged: {message}; it may be published again with the same id"
    )]
    NotAcknowledged { id: String, subject: String, message: String },
}

impl crate::Classify for Error {
    fn class(&self) -> crate::Class {
        match self {
            Self::TooLarge { .. } | Self::Encode { .. } => crate::Class::Invalid,
            Self::Connect(_) | Self::NoStream { .. } | Self::NotAcknowledged { .. } => {
                crate::Class::Dependency
            }
        }
    }
}

/// Connects in the background and reconnects for ever; fails only if the address cannot be read.
pub async fn connect(url: &str) -> Result<async_nats::Client, Error> {
    let address: async_nats::ServerAddr =
        url.parse().map_err(|e: std::io::Error| Error::Connect(e.to_string()))?;
    let mut options = async_nats::ConnectOptions::new();
    // The client reads an address's credentials but does not use them.
    if let (Some(user), Some(password)) = (address.username(), address.password()) {
        options = options.user_and_password(user.to_owned(), password.to_owned());
    }
    options
        .name("golden")
        .retry_on_initial_connect()
        .connection_timeout(TIMEOUT)
        .request_timeout(Some(TIMEOUT))
        .ping_interval(Duration::from_secs(20))
        .reconnect_delay_callback(|attempts| {
            Duration::from_millis(100).saturating_mul(1 << attempts.min(6)).min(Duration::from_secs(5))
        })
        .event_callback(|event| async move { tracing::info!(%event, "NATS connection") })
        .connect(address)
        .await
        .map_err(|e| Error::Connect(e.to_string()))
}

/// JetStream over a connection, with bounded calls.
pub fn jetstream(client: &async_nats::Client) -> Context {
    let mut context = jetstream::new(client.clone());
    context.set_timeout(TIMEOUT);
    context
}

/// Whether NATS is connected, in words for a readiness gate.
pub fn ping(client: &async_nats::Client) -> Result<(), String> {
    match client.connection_state() {
        async_nats::connection::State::Connected => Ok(()),
        state => Err(format!("NATS is {state}")),
    }
}

/// Publishes an envelope under its id and waits until the stream has it. Again with the same id (within the
/// stream's window of ten minutes) changes nothing. True if the stream had not seen it.
pub async fn publish(js: &Context, envelope: &Envelope, subject: &str) -> Result<bool, Error> {
    let payload =
        serde_json::to_vec(envelope).map_err(|source| Error::Encode { id: envelope.id.clone(), source })?;
    publish_bytes(js, subject, &envelope.id, payload.into()).await
}

/// [`publish`] for a payload that is bytes already, such as an outbox row.
pub async fn publish_bytes(js: &Context, subject: &str, id: &str, payload: Bytes) -> Result<bool, Error> {
    let (most, bytes) = (js.client().server_info().max_payload, payload.len());
    if most > 0 && bytes > most {
        return Err(Error::TooLarge { id: id.to_owned(), subject: subject.to_owned(), bytes, most });
    }
    let lost =
        |message: String| Error::NotAcknowledged { id: id.to_owned(), subject: subject.to_owned(), message };
    let message = PublishMessage::build().message_id(id).payload(payload);
    let sending = async { js.send_publish(subject.to_owned(), message).await?.await };
    match tokio::time::timeout(TIMEOUT * 2, sending).await {
        Ok(Ok(receipt)) => Ok(!receipt.duplicate),
        Ok(Err(e)) if e.kind() == PublishErrorKind::StreamNotFound => {
            Err(Error::NoStream { subject: subject.to_owned() })
        }
        Ok(Err(e)) => Err(lost(e.to_string())),
        Err(_) => Err(lost("no answer in time".to_owned())),
    }
}
