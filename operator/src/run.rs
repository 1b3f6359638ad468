//! Start-up wiring: checks, migrations, caches, election, controllers; and the way down again.

use crate::backoff::Failures;
use crate::caches::caches;
use crate::context::Context;
use crate::controllers as c;
use crate::events::Events;
use crate::leader::{Election, Leadership};
use crate::metrics::Metrics;
use crate::queue::serve;
use crate::queues::{Ends, queues};
use crate::settings::{Args, Settings};
use crate::synced::Synced;
use crate::watch::{WATCHES, Wiring, pumps};
use crate::{notices, sweep, unreadable};
use anyhow::{Context as _, bail};
use futures::FutureExt;
use futures::future::BoxFuture;
use golden_platform::http::Health;
use golden_platform::telemetry;
use golden_platform::{CancellationToken, db, nats, shutdown};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Controllers end their reconciles within this time once the operator stops.
const DRAIN: Duration = Duration::from_secs(20);
/// The pause between tries to reach Postgres at the start.
const PAUSE: Duration = Duration::from_secs(2);

/// Runs the operator until it is told to stop.
pub async fn run(args: Args) -> anyhow::Result<()> {
    golden_platform::init_crypto();
    telemetry::init("golden-operator");
    let stop = shutdown::on_signals()?;
    let client = Client::try_default()
        .await
        .context("cannot find the cluster: no kubeconfig and no service account")?;
    run_until(args, client, stop).await
}

/// [`run`] with a client and an end of its own, for tests.
pub async fn run_until(args: Args, client: Client, stop: CancellationToken) -> anyhow::Result<()> {
    let settings = Settings::from(&args);
    let metrics = telemetry::Metrics::new("operator")?;
    let work_url = args.database_url.clone().unwrap_or_else(|| args.database_owner_url.clone());
    let pool = db::connect(&work_url, OPERATOR_POOL).context("GOLDEN_DATABASE_URL cannot be read")?;
    let messaging = nats::connect(&args.nats_url).await?;
    let (cached, writers) = caches();
    let (queues, ends) = queues();
    let (election, leadership) = Election::new(client.clone(), &settings.namespace, args.identity.clone());
    let synced = Synced::new(WATCHES);
    let gates = Gates { migrated: Arc::default(), synced: synced.clone() };
    let health = gates.health(telemetry_health(&metrics), &client, pool.clone(), messaging.clone());
    let http =
        tokio::spawn(golden_platform::http::serve(args.listen, axum::Router::new(), health, stop.clone()));
    let events = Events::new(client.clone(), &args.identity);
    let ctx = Arc::new(Context {
        client: client.clone(),
        settings: settings.clone(),
        caches: cached.clone(),
        queues: queues.clone(),
        synced: synced.clone(),
        pool,
        jetstream: nats::jetstream(&messaging),
        events: events.clone(),
        leadership: leadership.clone(),
        failures: Failures::default(),
        metrics: Metrics::new(&metrics)?,
        pacing: crate::pacing::Pacing::default(),
        teams_checked: crate::throttle::Throttle::default(),
        budgets_written: crate::throttle::Throttle::default(),
        spenders_read: crate::throttle::Throttle::default(),
    });
    let down = stop.clone();
    let work = async {
        crds_exist(&client, &stop).await?;
        migrate(&args.database_owner_url, &gates, &stop).await?;
        let wiring =
            Arc::new(Wiring { client, namespace: settings.namespace, caches: cached, queues, synced });
        operate(ctx, ends, pumps(&wiring, writers), work_url, election, &stop).await
    };
    let result = work.await;
    down.cancel();
    http.await.context("the health server failed")?.context("the health server failed")?;
    result
}

/// The operator reads and writes with many controllers at once; three connections would make them wait.
const OPERATOR_POOL: u32 = 5;

fn telemetry_health(metrics: &telemetry::Metrics) -> Health {
    Health::new(metrics.clone())
}

/// What has to be done before the operator is ready.
#[derive(Clone)]
struct Gates {
    migrated: Arc<AtomicBool>,
    synced: Synced,
}

impl Gates {
    fn health(
        &self,
        health: Health,
        client: &Client,
        pool: sqlx::PgPool,
        nats: async_nats::Client,
    ) -> Health {
        let gate =
            |open: bool, words: &str| std::future::ready(if open { Ok(()) } else { Err(words.to_owned()) });
        let (migrated, synced) = (Arc::clone(&self.migrated), self.synced.clone());
        let client = client.clone();
        health
            .gate("apiserver", move || {
                let client = client.clone();
                async move {
                    client
                        .apiserver_version()
                        .await
                        .map(drop)
                        .map_err(|e| format!("the apiserver does not answer: {e}"))
                }
            })
            .postgres(pool)
            .nats(nats)
            .gate("migrations", move || {
                gate(migrated.load(Ordering::Relaxed), "the database is not migrated yet")
            })
            .gate("caches", move || gate(synced.all(), "the caches are not filled yet"))
    }
}

/// The kinds must be there: without them every watch would fail for ever with less clear words.
async fn crds_exist(client: &Client, stop: &CancellationToken) -> anyhow::Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut missing = Vec::new();
    for plural in KINDS {
        let name = format!("{plural}.{}", golden_crds::GROUP);
        let action = format!("read crd {name}");
        let found = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            found = crate::effects::bounded(&action, api.get_metadata_opt(&name)) => found?,
        };
        if found.is_none() {
            missing.push(name);
        }
    }
    if !missing.is_empty() {
        bail!("the cluster lacks {}; install the chart golden-crds first", missing.join(", "));
    }
    Ok(())
}

/// The kinds every installation serves, by their plural names.
pub const KINDS: [&str; 8] = [
    "agenttasks",
    "agentteams",
    "budgets",
    "decisions",
    "governancepolicies",
    "modelproviders",
    "promptrevisions",
    "sandboxruns",
];

/// Migrates; while Postgres is away the readiness gate says so and nothing else runs. A migration that fails for
/// another reason ends the operator: it would fail again.
async fn migrate(url: &str, gates: &Gates, stop: &CancellationToken) -> anyhow::Result<()> {
    loop {
        match db::migrate(url).await {
            Ok(()) => break,
            Err(error @ db::MigrateError::Connect(_)) => {
                tracing::warn!(%error, "waiting for Postgres");
            }
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    gates.migrated.store(true, Ordering::Relaxed);
    Ok(())
}

/// Everything that runs at once, until `stop` or a lost lease.
async fn operate(
    ctx: Arc<Context>,
    ends: Ends,
    pumps: Vec<BoxFuture<'static, ()>>,
    database_url: String,
    election: Election,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    if stop.is_cancelled() {
        return Ok(());
    }
    let mut background = tokio::spawn(futures::future::join_all(pumps).map(drop));
    let leading = tokio::spawn(leading(Arc::clone(&ctx), ctx.leadership.clone()));
    let notices = tokio::spawn(notices::run(Arc::clone(&ctx), database_url, stop.clone()));
    let mut controllers = tokio::spawn(controllers(&ctx, ends, stop));
    // The lease is released last: while reconciles run nobody else may act.
    let (finish, finished) = tokio::sync::oneshot::channel::<()>();
    let mut election = tokio::spawn(election.run(finished.map(drop)));
    let ended = tokio::select! {
        () = stop.cancelled() => None,
        lost = &mut election => Some(lost.context("the leader election failed")?),
        // A defect: half an operator would look alive and do nothing.
        _ = &mut background => bail!("a watch ended by itself; please report it"),
        _ = &mut controllers => bail!("a controller ended by itself; please report it"),
    };
    ctx.queues.close();
    stop.cancel();
    if tokio::time::timeout(DRAIN, controllers).await.is_err() {
        tracing::warn!("reconciles did not end in time; they are repeated by the next leader");
    }
    for task in [background, leading, notices] {
        task.abort();
    }
    if let Some(lost) = ended {
        return lost.context("another operator may lead now, so this one ends");
    }
    drop(finish);
    election.await.context("the leader election failed")?.context("the leader election failed")
}

/// On becoming the leader: look at everything once.
async fn leading(ctx: Arc<Context>, mut leadership: Leadership) {
    ctx.metrics.leads(false);
    ctx.synced.wait().await;
    tracing::info!("the caches are filled");
    leadership.acquired().await;
    ctx.metrics.leads(true);
    ctx.queues.everything(&ctx.caches);
}

/// The sweep and every controller, until their queues are closed.
fn controllers(ctx: &Arc<Context>, ends: Ends, stop: &CancellationToken) -> BoxFuture<'static, ()> {
    let x = || Arc::clone(ctx);
    let caches = &ctx.caches;
    let (vanished, token, sweeping) = (ends.vanished, stop.clone(), x());
    let sweeper = async move {
        // A sweep over empty caches would ask the apiserver for everything.
        sweeping.synced.wait().await;
        sweep::run(sweeping, vanished, token).await;
    };
    let teller = unreadable::run(x(), stop.clone());
    let all = [
        serve("modelprovider", x(), caches.providers.clone(), ends.providers, c::model_provider::reconcile)
            .boxed(),
        serve("budget", x(), caches.budgets.clone(), ends.budgets, c::budget::reconcile).boxed(),
        serve(
            "governancepolicy",
            x(),
            caches.policies.clone(),
            ends.policies,
            c::governance_policy::reconcile,
        )
        .boxed(),
        serve("agentteam", x(), caches.teams.clone(), ends.teams, c::agent_team::reconcile).boxed(),
        serve("agenttask", x(), caches.tasks.clone(), ends.tasks, c::agent_task::reconcile).boxed(),
        serve("sandboxrun", x(), caches.runs.clone(), ends.runs, c::sandbox_run::reconcile).boxed(),
        serve("decision", x(), caches.decisions.clone(), ends.decisions, c::decision::reconcile).boxed(),
        serve("promptrevision", x(), caches.revisions.clone(), ends.revisions, c::prompt_revision::reconcile)
            .boxed(),
    ];
    async move {
        tokio::join!(sweeper, teller, futures::future::join_all(all));
    }
    .boxed()
}
