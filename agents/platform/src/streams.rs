//! A team's streams and consumers: created, repaired when they drift, never deleted.

use std::collections::BTreeSet;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::context::{ConsumerInfoErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use async_nats::jetstream::{Context, ErrorCode};
use futures::StreamExt as _;
use jiff::Timestamp;
use uuid::Uuid;

use crate::subjects;

/// A publish repeated within this window is one message.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(10);
/// How often a message is delivered before it is a dead letter.
pub const MAX_DELIVER: i64 = 5;
/// How long a consumer may be silent about a message. No `backoff` beside it: the server would measure the pauses
/// that our consumers ask for (a negative acknowledgement with a delay) by that list and make them minutes.
const ACK_WAIT: Duration = Duration::from_mins(1);
/// Metadata: whose stream it is, for a person who finds one.
const TEAM: &str = "goldenarch.dev/team-uid";
/// Metadata of a stream that outlived its team because it holds messages: until when it is kept (RFC 3339).
/// Golden removes no message by itself; from then on a person may.
pub const RETAIN_UNTIL: &str = "goldenarch.dev/retain-until";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read or change stream {stream}: {message}")]
    Stream { stream: String, message: String },
    #[error(
        "stream {stream} differs from what Golden needs and the server will not change it: {message}; \
             drain it and remove it by hand, it is then created anew"
    )]
    Drift { stream: String, message: String },
    #[error("cannot make consumer {consumer} of stream {stream}: {message}")]
    Consumer { stream: String, consumer: String, message: String },
}

impl crate::Classify for Error {
    fn class(&self) -> crate::Class {
        match self {
            Self::Stream { .. } | Self::Consumer { .. } => crate::Class::Dependency,
            Self::Drift { .. } => crate::Class::Invalid,
        }
    }
}

/// One consumer of a stream.
struct Durable {
    name: &'static str,
    subject: String,
}

/// Makes a team's streams and consumers as they must be, with one replica. Returns what was changed, in words.
pub async fn ensure(js: &Context, team_uid: Uuid) -> Result<Vec<String>, Error> {
    ensure_replicated(js, team_uid, 1).await
}

/// [`ensure`] with a number of replicas (1, 3 or 5; a single server knows 1 only).
pub async fn ensure_replicated(js: &Context, team_uid: Uuid, replicas: usize) -> Result<Vec<String>, Error> {
    let mut changes = Vec::new();
    for (name, subjects, durables) in plan(team_uid) {
        let stream = stream(js, wanted(team_uid, &name, subjects, replicas), &mut changes).await?;
        for durable in durables {
            consumer(&stream, &name, &durable, &mut changes).await?;
        }
    }
    Ok(changes)
}

fn plan(team_uid: Uuid) -> Vec<(String, Vec<String>, Vec<Durable>)> {
    let (review, sandbox) = (subjects::review(team_uid), subjects::sandbox(team_uid));
    let (escalation, dead) = (subjects::escalation(team_uid), subjects::dead_letters(team_uid));
    vec![
        (
            subjects::prc_stream(team_uid),
            vec![review.clone(), sandbox.clone()],
            vec![
                Durable { name: subjects::PEER_HUB, subject: review },
                Durable { name: subjects::SANDBOX, subject: sandbox },
            ],
        ),
        (
            subjects::escalations_stream(team_uid),
            vec![escalation.clone()],
            vec![Durable { name: subjects::SUPERVISOR, subject: escalation }],
        ),
        (
            subjects::dlq_stream(team_uid),
            vec![dead.clone()],
            vec![Durable { name: subjects::DLQ, subject: dead }],
        ),
    ]
}

fn wanted(team_uid: Uuid, name: &str, subjects: Vec<String>, replicas: usize) -> Config {
    Config {
        name: name.to_owned(),
        subjects,
        retention: RetentionPolicy::WorkQueue,
        storage: StorageType::File,
        // A full stream refuses the publisher, who repeats; it must not forget what it acknowledged.
        discard: DiscardPolicy::New,
        duplicate_window: DUPLICATE_WINDOW,
        num_replicas: replicas,
        metadata: [(TEAM.to_owned(), team_uid.to_string())].into(),
        ..Config::default()
    }
}

async fn stream(js: &Context, wanted: Config, changes: &mut Vec<String>) -> Result<Stream, Error> {
    let name = wanted.name.clone();
    let failed = |message: String| Error::Stream { stream: name.clone(), message };
    let found = match js.get_stream(&name).await {
        Ok(found) => found,
        Err(e) if missing(&e.kind()) => {
            let made = js.get_or_create_stream(wanted).await.map_err(|e| failed(e.to_string()))?;
            changes.push(format!("created stream {name}"));
            return Ok(made);
        }
        Err(e) => return Err(failed(e.to_string())),
    };
    let repaired = repaired(&found.cached_info().config, &wanted);
    if repaired != found.cached_info().config {
        js.update_stream(&repaired)
            .await
            .map_err(|e| Error::Drift { stream: name.clone(), message: e.to_string() })?;
        changes.push(format!("repaired stream {name}"));
    }
    Ok(found)
}

/// What came of a stream when its team ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retired {
    /// It is not there (any more).
    Gone,
    /// It holds so many messages, and carries [`RETAIN_UNTIL`].
    Kept(u64),
}

/// Ends a stream with its team: an empty one is deleted, any other is kept and marked. Again changes nothing.
pub async fn retire(js: &Context, name: &str, until: Timestamp) -> Result<Retired, Error> {
    let failed = |message: String| Error::Stream { stream: name.to_owned(), message };
    let found = match js.get_stream(name).await {
        Ok(found) => found,
        Err(e) if missing(&e.kind()) => return Ok(Retired::Gone),
        Err(e) => return Err(failed(e.to_string())),
    };
    let info = found.cached_info();
    if info.state.messages == 0 {
        js.delete_stream(name).await.map_err(|e| failed(e.to_string()))?;
        return Ok(Retired::Gone);
    }
    if !info.config.metadata.contains_key(RETAIN_UNTIL) {
        let mut marked = info.config.clone();
        marked.metadata.insert(RETAIN_UNTIL.to_owned(), until.to_string());
        js.update_stream(&marked).await.map_err(|e| failed(e.to_string()))?;
    }
    Ok(Retired::Kept(info.state.messages))
}

/// The teams that have a stream which nobody has ended yet: all that are there, and those whose end was missed.
pub async fn owners(js: &Context) -> Result<BTreeSet<Uuid>, Error> {
    let mut streams = js.streams();
    let mut found = BTreeSet::new();
    while let Some(info) = streams.next().await {
        let info = info.map_err(|e| Error::Stream { stream: "(all)".to_owned(), message: e.to_string() })?;
        let metadata = &info.config.metadata;
        let owner = metadata.get(TEAM).and_then(|uid| uid.parse::<Uuid>().ok());
        found.extend(owner.filter(|_| !metadata.contains_key(RETAIN_UNTIL)));
    }
    Ok(found)
}

fn missing(kind: &GetStreamErrorKind) -> bool {
    matches!(kind, GetStreamErrorKind::JetStream(e) if e.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

/// The found configuration with what Golden relies on put right; what others tuned (limits, placement) stays.
fn repaired(found: &Config, wanted: &Config) -> Config {
    let mut repaired = found.clone();
    repaired.subjects.clone_from(&wanted.subjects);
    repaired.retention = wanted.retention;
    repaired.storage = wanted.storage;
    repaired.discard = wanted.discard;
    repaired.duplicate_window = wanted.duplicate_window;
    repaired.num_replicas = wanted.num_replicas;
    repaired.max_age = Duration::ZERO;
    repaired.metadata.extend(wanted.metadata.clone());
    repaired
}

async fn consumer(
    stream: &Stream,
    stream_name: &str,
    durable: &Durable,
    changes: &mut Vec<String>,
) -> Result<(), Error> {
    let failed = |message: String| Error::Consumer {
        stream: stream_name.to_owned(),
        consumer: durable.name.to_owned(),
        message,
    };
    let wanted = pull::Config {
        durable_name: Some(durable.name.to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_deliver: MAX_DELIVER,
        filter_subject: durable.subject.clone(),
        ..pull::Config::default()
    };
    let change = match stream.consumer_info(durable.name).await {
        Ok(info)
            if info.config.filter_subject == wanted.filter_subject
                && info.config.max_deliver == wanted.max_deliver
                && info.config.ack_wait == wanted.ack_wait
                && info.config.backoff == wanted.backoff
                && info.config.ack_policy == wanted.ack_policy =>
        {
            return Ok(());
        }
        Ok(_) => "repaired",
        Err(e) if matches!(e.kind(), ConsumerInfoErrorKind::NotFound) => "created",
        Err(e) => return Err(failed(e.to_string())),
    };
    stream.create_consumer(wanted).await.map_err(|e| failed(e.to_string()))?;
    changes.push(format!("{change} consumer {} of stream {stream_name}", durable.name));
    Ok(())
}
