//! A team's stores and one replica of peer-hub at work, with a model that somebody else serves.

use anyhow::{Context as _, Result, ensure};
use golden_cluster::services::{Nats, Postgres};
use golden_consensus::Ballot;
use golden_peer_hub::{Gateway, Hub, Metrics};
use golden_platform::consumer::Consumer;
use golden_platform::http::{ServiceClient, TokenFile, client};
use golden_platform::tree::Tree;
use golden_platform::wire::{Envelope, Message, ModelBinding, ReviewRequest};
use golden_platform::{CancellationToken, artifacts, db, nats, streams, subjects, telemetry};
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::types::Json;
use std::time::{Duration, Instant};
use tokio_util::sync::DropGuard;
use uuid::Uuid;

/// How often it is looked whether a review is decided.
pub(crate) const LOOK: Duration = Duration::from_millis(5);

const NAMESPACE: &str = "bench";
/// Reviews that a replica takes at once.
const CONCURRENCY: usize = 4;

/// What is asked, and of whom.
pub(crate) struct Asked {
    /// Roles of the voters.
    pub(crate) voters: &'static [&'static str],
    pub(crate) goal: &'static str,
    /// Tokens of their model's window.
    pub(crate) window: u64,
    /// How long a review may take before it is given up.
    pub(crate) patience: Duration,
}

/// A voter's ballot, with the answer it was read from.
pub(crate) struct Kept {
    pub(crate) ballot: Ballot,
    pub(crate) raw: String,
}

pub(crate) struct Ground {
    pool: PgPool,
    js: async_nats::jetstream::Context,
    artifacts: artifacts::Store,
    team: Uuid,
    asked: Asked,
    digests: Digests,
    _hub: DropGuard,
    _token: tempfile::NamedTempFile,
    _stores: (Postgres, Nats),
}

#[derive(Default)]
struct Digests {
    base: String,
    tree: String,
    patch: String,
}

impl Ground {
    /// `url`: where the model is asked, in the gateway's place; `files`: what the judged change adds.
    pub(crate) async fn new(url: &str, asked: Asked, files: Vec<(String, String)>) -> Result<Self> {
        let stores = tokio::task::spawn_blocking(|| anyhow::Ok((Postgres::start_durable()?, Nats::start()?)))
            .await??;
        let database = stores.0.create_database()?;
        db::migrate_with(&database, None).await?;
        let pool = db::connect(&database, db::POOL_SIZE)?;
        let js = nats::jetstream(&nats::connect(&stores.1.url()).await?);
        let team = Uuid::new_v4();
        streams::ensure(&js, team).await?;
        let token = tempfile::NamedTempFile::new()?;
        std::fs::write(token.path(), "t")?;
        let artifacts = artifacts::Store::new(js.clone(), pool.clone());
        let registry = telemetry::Metrics::new("peer-hub")?;
        let hub = Hub {
            pool: pool.clone(),
            artifacts: artifacts.clone(),
            gateway: Gateway::new(ServiceClient::new(client()?, url, TokenFile::new(token.path()))),
            metrics: Metrics::new(&registry)?,
        };
        let mut ground = Self {
            _hub: replica(hub, &js, &pool, team),
            pool,
            js,
            artifacts,
            team,
            asked,
            digests: Digests::default(),
            _token: token,
            _stores: stores,
        };
        ground.digests = ground.change(files).await?;
        Ok(ground)
    }

    /// The change that every review judges.
    async fn change(&self, files: Vec<(String, String)>) -> Result<Digests> {
        let (base, tree) = (Tree::default(), Tree::from_files(files)?);
        Ok(Digests {
            base: self.put(base.to_tar()?).await?,
            patch: self.put(base.diff(&tree)?.into_bytes()).await?,
            tree: self.put(tree.to_tar()?).await?,
        })
    }

    async fn put(&self, bytes: Vec<u8>) -> Result<String> {
        Ok(self.artifacts.put(NAMESPACE, self.team, None, bytes).await?.digest)
    }

    /// Asks for a review, and says how long its decision took and what the voters said, by their names.
    pub(crate) async fn review(&self) -> Result<(Duration, Vec<Kept>)> {
        let task = Uuid::new_v4();
        let request = self.request();
        sqlx::query(
            "INSERT INTO reviews (task_uid, attempt, round, team_uid, digest, request, closes_at)
             VALUES ($1, 1, 1, $2, $3, $4, $5::timestamptz)",
        )
        .bind(task)
        .bind(self.team)
        .bind(&request.digest)
        .bind(Json(&request))
        .bind(&request.closes_at)
        .execute(&self.pool)
        .await?;
        let envelope = Envelope {
            v: 1,
            id: format!("{task}/1/review/1"),
            team: self.team,
            task,
            attempt: 1,
            r#try: 1,
            message: Message::ReviewRequested(Box::new(request)),
        };
        let begun = Instant::now();
        nats::publish(&self.js, &envelope, &subjects::review(self.team)).await?;
        while !self.is_decided(task).await? {
            let patience = self.asked.patience;
            ensure!(begun.elapsed() < patience, "a review was not decided within {patience:?}");
            tokio::time::sleep(LOOK).await;
        }
        let took = begun.elapsed();
        let rows: Vec<(Json<Ballot>, String)> =
            sqlx::query_as("SELECT ballot, raw FROM ballots WHERE task_uid = $1 ORDER BY voter")
                .bind(task)
                .fetch_all(&self.pool)
                .await?;
        let (voters, kept) = (self.asked.voters.len(), rows.len());
        ensure!(kept == voters, "{kept} of {voters} voters have a ballot");
        Ok((took, rows.into_iter().map(|(ballot, raw)| Kept { ballot: ballot.0, raw }).collect()))
    }

    async fn is_decided(&self, task: Uuid) -> Result<bool> {
        sqlx::query_scalar("SELECT decision IS NOT NULL FROM reviews WHERE task_uid = $1")
            .bind(task)
            .fetch_one(&self.pool)
            .await
            .context("cannot look for the decision")
    }

    fn request(&self) -> ReviewRequest {
        let voters: Vec<Value> = self.asked.voters.iter().map(|role| json!({"role": role})).collect();
        let model = ModelBinding {
            namespace: NAMESPACE.into(),
            provider: "bench".into(),
            model: "bench".into(),
            context_window: Some(self.asked.window),
        };
        let models = self.asked.voters.iter().map(|role| (format!("voter:{role}"), model.clone()));
        let closes_at = jiff::Timestamp::now()
            .saturating_add(jiff::SignedDuration::try_from(self.asked.patience).unwrap_or_default())
            .unwrap_or(jiff::Timestamp::MAX);
        ReviewRequest {
            namespace: NAMESPACE.into(),
            task_name: "bench".into(),
            round: 1,
            hears: None,
            beside: None,
            goal: self.asked.goal.into(),
            digest: self.digests.tree.clone(),
            base: self.digests.base.clone(),
            patch: self.digests.patch.clone(),
            rules: json!({"voters": voters, "timeoutSeconds": 60}),
            weights: Value::Null,
            guards: vec![],
            models: models.collect(),
            author: None,
            closes_at: closes_at.to_string(),
        }
    }
}

fn replica(hub: Hub, js: &async_nats::jetstream::Context, pool: &PgPool, team: Uuid) -> DropGuard {
    let stop = CancellationToken::new();
    let consumer =
        Consumer::new(js.clone(), pool.clone(), team, subjects::prc_stream(team), subjects::PEER_HUB)
            .concurrency(CONCURRENCY);
    tokio::spawn(consumer.run(stop.clone(), move |delivery| {
        let hub = hub.clone();
        async move { hub.handle(delivery).await }
    }));
    stop.drop_guard()
}
