//! Artifacts: bytes by content, in NATS' object store, readable per namespace.
//!
//! An object is named `<namespace>/<digest>`, and a row of `artifacts` says that it may be read there: a digest
//! alone opens nothing. The bytes come first, then the row: a row without bytes means that the store lost them.
//! Bytes are checked against their digest on every read.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::object_store::{Config, InfoErrorKind, ObjectStore};
use async_nats::jetstream::stream::StorageType;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use bytes::Bytes;
use futures::StreamExt as _;
use http::HeaderValue;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use sqlx::PgPool;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::breaker::{Breakers, Called, Circuit, Settings};
use crate::tree::digest;
use crate::wire::ArtifactStored;

/// The bucket, install-wide.
pub const BUCKET: &str = "golden-artifacts";
/// Largest artifact.
pub const MAX_BYTES: usize = 64 << 20;
/// Transfers at once: each holds its bytes in memory.
const TRANSFERS: usize = 2;
/// Bodies of artifacts that one service holds for its callers at once, in KiB: two of the largest.
const BODIES_KIB: u32 = 2 * KIB_OF_ONE;
const KIB_OF_ONE: u32 = 64 << 10;
const _: () = assert!(KIB_OF_ONE as usize * 1024 == MAX_BYTES);
/// An answer is sent in parts of so many bytes.
const PART: usize = 256 << 10;
/// Longest transfer.
const TIMEOUT: Duration = Duration::from_mins(2);
/// Few transfers go at once and each may wait long, so that a store that is away would hold up everything behind them.
/// Tried again soon: whoever is refused waits for it.
const BREAKER: Settings = Settings { failure_threshold: 5, recovery: Duration::from_secs(5) };

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no artifact {digest} in namespace {namespace}")]
    NotFound { namespace: String, digest: String },
    #[error("{0:?} is not a digest; it looks like sha256:<64 hexadecimal digits>")]
    NotADigest(String),
    #[error("the artifact has {0} bytes, at most {MAX_BYTES} are kept")]
    TooLarge(usize),
    #[error(
        "artifact {digest} in namespace {namespace} is damaged in the store: its bytes have digest {found}"
    )]
    Corrupt { namespace: String, digest: String, found: String },
    #[error("artifact {digest} in namespace {namespace} is known, but the store has lost its bytes")]
    Lost { namespace: String, digest: String },
    #[error("the artifact store does not answer: {0}")]
    Store(String),
    #[error("the table of artifacts cannot be read or written: {0}")]
    Database(#[from] sqlx::Error),
}

impl crate::Classify for Error {
    fn class(&self) -> crate::Class {
        match self {
            Self::NotFound { .. } | Self::NotADigest(_) | Self::TooLarge(_) => crate::Class::Invalid,
            Self::Corrupt { .. } | Self::Lost { .. } => crate::Class::Bug,
            Self::Store(_) => crate::Class::Dependency,
            Self::Database(e) => e.class(),
        }
    }
}

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    js: Context,
    pool: PgPool,
    bucket: Arc<OnceCell<ObjectStore>>,
    transfers: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
    circuit: Arc<Circuit>,
}

impl Store {
    pub fn new(js: Context, pool: PgPool) -> Self {
        let (transfers, bodies) = (Semaphore::new(TRANSFERS), Semaphore::new(BODIES_KIB as usize));
        let circuit = Breakers::default().with("store/artifacts", BREAKER);
        let (transfers, bodies) = (Arc::new(transfers), Arc::new(bodies));
        Self { js, pool, bucket: Arc::default(), transfers, bodies, circuit }
    }

    /// The same store with its breaker among those of the service.
    #[must_use]
    pub fn listed(mut self, breakers: &Breakers) -> Self {
        self.circuit = breakers.with("store/artifacts", BREAKER);
        self
    }

    /// Keeps bytes for a namespace; again changes nothing.
    pub async fn put(
        &self,
        namespace: &str,
        team_uid: Uuid,
        task_uid: impl Into<Option<Uuid>>,
        bytes: impl Into<Bytes>,
    ) -> Result<ArtifactStored, Error> {
        let bytes = bytes.into();
        if bytes.len() > MAX_BYTES {
            return Err(Error::TooLarge(bytes.len()));
        }
        let stored =
            ArtifactStored { digest: digest(&bytes), bytes: i64::try_from(bytes.len()).unwrap_or(i64::MAX) };
        let name = object_name(namespace, &stored.digest);
        self.transfer(Box::pin(self.write(&name, bytes))).await?;
        sqlx::query(
            "INSERT INTO artifacts (namespace, digest, team_uid, task_uid, bytes)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (namespace, digest) DO NOTHING",
        )
        .bind(namespace)
        .bind(&stored.digest)
        .bind(team_uid)
        .bind(task_uid.into())
        .bind(stored.bytes)
        .execute(&self.pool)
        .await?;
        Ok(stored)
    }

    /// The bytes of a digest that this namespace may read.
    pub async fn get(&self, namespace: &str, wanted: &str) -> Result<Bytes, Error> {
        if !is_digest(wanted) {
            return Err(Error::NotADigest(wanted.chars().take(80).collect()));
        }
        let known = self.size(namespace, wanted).await?;
        let names = || (namespace.to_owned(), wanted.to_owned());
        if known.is_none() {
            let (namespace, digest) = names();
            return Err(Error::NotFound { namespace, digest });
        }
        let name = object_name(namespace, wanted);
        let Some(bytes) = self.transfer(Box::pin(self.read(&name))).await? else {
            let (namespace, digest) = names();
            return Err(Error::Lost { namespace, digest });
        };
        let found = digest(&bytes);
        if found != wanted {
            let (namespace, digest) = names();
            return Err(Error::Corrupt { namespace, digest, found });
        }
        Ok(bytes)
    }

    /// The size of an artifact that this namespace may read.
    async fn size(&self, namespace: &str, wanted: &str) -> Result<Option<i64>, Error> {
        let known = sqlx::query_scalar("SELECT bytes FROM artifacts WHERE namespace = $1 AND digest = $2");
        Ok(known.bind(namespace).bind(wanted).fetch_optional(&self.pool).await?)
    }

    /// Room for the body of a request or answer, so that many callers with large ones take turns. Given back when
    /// dropped.
    async fn room(&self, bytes: u64) -> Result<OwnedSemaphorePermit, Error> {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(KIB_OF_ONE).clamp(1, KIB_OF_ONE);
        let waiting = Arc::clone(&self.bodies).acquire_many_owned(kib);
        bounded(async { waiting.await.map_err(|e| Error::Store(e.to_string())) }).await
    }

    /// One transfer, behind the breaker.
    async fn transfer<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let away = |error: &Error| matches!(error, Error::Store(_));
        self.circuit.call(away, bounded(work)).await.map_err(|error| match error {
            Called::Failed(error) => error,
            refused @ Called::Refused { .. } => Error::Store(refused.to_string()),
        })
    }

    async fn bucket(&self) -> Result<&ObjectStore, Error> {
        let open = || async {
            if let Ok(found) = self.js.get_object_store(BUCKET).await {
                return Ok(found);
            }
            let config =
                Config { bucket: BUCKET.to_owned(), storage: StorageType::File, ..Config::default() };
            self.js.create_object_store(config).await.map_err(|e| Error::Store(e.to_string()))
        };
        self.bucket.get_or_try_init(open).await
    }

    /// An object that is there is not written again: replacing one removes the chunks that others are reading.
    /// One of another size is damaged, and is replaced.
    async fn write(&self, name: &str, bytes: Bytes) -> Result<(), Error> {
        let bucket = self.bucket().await?;
        match bucket.info(name).await {
            Ok(info) if !info.deleted && info.size == bytes.len() => return Ok(()),
            Ok(_) => {}
            Err(e) if matches!(e.kind(), InfoErrorKind::NotFound) => {}
            Err(e) => return Err(Error::Store(e.to_string())),
        }
        let _transfer = self.transfers.acquire().await.map_err(|e| Error::Store(e.to_string()))?;
        bucket.put(name, &mut bytes.as_ref()).await.map(drop).map_err(|e| Error::Store(e.to_string()))
    }

    /// Chunk by chunk with direct gets. The client's own reader leaves a consumer behind for minutes each time, and a
    /// stream has 1000 of them at most: a busy install would read no more.
    async fn read(&self, name: &str) -> Result<Option<Bytes>, Error> {
        let bucket = self.bucket().await?;
        let _transfer = self.transfers.acquire().await.map_err(|e| Error::Store(e.to_string()))?;
        let info = match bucket.info(name).await {
            Ok(info) if info.deleted => return Ok(None),
            Ok(info) => info,
            Err(e) if matches!(e.kind(), InfoErrorKind::NotFound) => return Ok(None),
            Err(e) => return Err(Error::Store(e.to_string())),
        };
        if info.size > MAX_BYTES {
            return Err(Error::TooLarge(info.size));
        }
        let stream = self.js.get_stream_no_info(format!("OBJ_{BUCKET}")).await;
        let stream = stream.map_err(|e| Error::Store(e.to_string()))?;
        let chunks = format!("$O.{BUCKET}.C.{}", info.nuid);
        let (mut bytes, mut from) = (Vec::with_capacity(info.size), None);
        while bytes.len() < info.size {
            // A chunk that is not there may not have reached this replica yet; the caller asks again.
            let chunk = stream.direct_get_next_for_subject(chunks.clone(), from).await;
            let chunk = chunk.map_err(|e| Error::Store(format!("a part of {name}: {e}")))?;
            from = Some(chunk.sequence.saturating_add(1));
            bytes.extend_from_slice(&chunk.payload);
        }
        // Its digest is checked by whoever asked: it names the damage.
        Ok(Some(bytes.into()))
    }
}

async fn bounded<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(TIMEOUT, work)
        .await
        .map_err(|_| Error::Store("no end of a transfer in time".into()))?
}

fn object_name(namespace: &str, digest: &str) -> String {
    format!("{namespace}/{digest}")
}

/// Whether a text has the form of a digest.
pub fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

/// Whose artifacts a request may touch: put into the request by the service that authenticated it.
#[derive(Clone, Debug)]
pub struct Scope {
    pub namespace: String,
    pub team_uid: Uuid,
    pub task_uid: Option<Uuid>,
}

/// `GET /v1/artifacts/{digest}` and `PUT /v1/artifacts`, both within the request's [`Scope`] extension.
pub fn router(store: Store) -> Router {
    Router::new()
        .route("/v1/artifacts/{digest}", get(read))
        .route("/v1/artifacts", axum::routing::put(write))
        .layer(DefaultBodyLimit::max(MAX_BYTES))
        .with_state(store)
}

async fn read(
    State(store): State<Store>,
    Extension(scope): Extension<Scope>,
    Path(digest): Path<String>,
) -> Result<Response, crate::http::Error> {
    let size = store.size(&scope.namespace, &digest).await?.unwrap_or(0);
    let room = store.room(size.unsigned_abs()).await?;
    let bytes = store.get(&scope.namespace, &digest).await?;
    let length = bytes.len();
    // In parts, so that the room is held until a slow caller has the last one.
    let parts = (0..length).step_by(PART).map(move |from| {
        let _held = &room;
        Ok::<_, std::convert::Infallible>(bytes.slice(from..length.min(from + PART)))
    });
    // Bounded: a caller that takes nothing would keep the others out.
    let parts = futures::stream::iter(parts).take_until(tokio::time::sleep(TIMEOUT));
    let mut response = Body::from_stream(parts).into_response();
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    Ok(response)
}

/// Waits for room before it takes in the body. A body without a length may be as large as any.
async fn write(
    State(store): State<Store>,
    Extension(scope): Extension<Scope>,
    request: Request,
) -> Result<Json<ArtifactStored>, crate::http::Error> {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    let most = MAX_BYTES as u64;
    if length.is_some_and(|length| length > most) {
        let length = usize::try_from(length.unwrap_or(most)).unwrap_or(usize::MAX);
        return Err(Error::TooLarge(length).into());
    }
    let _room = store.room(length.unwrap_or(most)).await?;
    let taken = tokio::time::timeout(TIMEOUT, axum::body::to_bytes(request.into_body(), MAX_BYTES)).await;
    let body = taken
        .map_err(|_| crate::http::Error::bad_request("the body did not come in time; send it again"))?
        .map_err(|e| {
            crate::http::Error::too_large(format!(
                "the body cannot be taken (at most {MAX_BYTES} bytes): {e}"
            ))
        })?;
    Ok(Json(store.put(&scope.namespace, scope.team_uid, scope.task_uid, body).await?))
}

impl From<Error> for crate::http::Error {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::NotFound { .. } => Self::not_found(message),
            Error::NotADigest(_) => Self::bad_request(message),
            Error::TooLarge(_) => Self::too_large(message),
            Error::Corrupt { .. } | Error::Lost { .. } => Self::internal(message),
            Error::Store(_) => Self::unavailable(message),
            Error::Database(e) => e.into(),
        }
    }
}
