//! Golden's gateway and ledger as they run in a cluster, but for what stands in the apiserver: providers, their key, and
//! whose token is whose are given.

use super::calls::{INPUT_PRICE, OUTPUT_PRICE, token};
use super::scrape::fine;
use super::serve::{Stores, as_service};
use crate::reservations::{self, CLIENTS};
use anyhow::{Context as _, Result};
use futures::future::BoxFuture;
use golden_crds::ModelProvider;
use golden_crds::common::LocalRef;
use golden_crds::model_provider::{ModelProviderSpec, ModelSpec, Protocol};
use golden_gateway::{Gateway, Memory, Metrics, Providers, SecretData, Secrets, SharedLimits};
use golden_ledger_service::{CALLER, Leases, keep_expiring};
use golden_platform::auth::{Authenticator, Caller, Fixed};
use golden_platform::cache::Cache;
use golden_platform::http::{Health, ServiceClient, TokenFile, client};
use golden_platform::{CancellationToken, db, telemetry};
use kube::runtime::{reflector, watcher};
use std::collections::HashMap;
use std::io::Write as _;
use std::sync::Arc;
use uuid::Uuid;

pub(crate) const GOLDEN: &str = "golden-system";
/// The namespace of the tasks.
pub(crate) const NAMESPACE: &str = "bench";
/// Of one provider the gateway runs 64 calls at once; an install has several.
pub(crate) const PROVIDERS: usize = 8;
/// Of each reserve and of each settlement, as the gateway sees them.
pub(crate) const RESERVE: &str = "golden_bench_reserve_seconds";
pub(crate) const SETTLE: &str = "golden_bench_settle_seconds";

pub(crate) fn provider(number: usize) -> String {
    format!("models-{}", number % PROVIDERS)
}

pub(crate) async fn ledger(stores: &Stores, stop: CancellationToken) -> Result<()> {
    telemetry::init("ledger");
    let pool = db::connect(&stores.database_url, db::POOL_SIZE)?;
    let metrics = telemetry::Metrics::new("ledger")?;
    let cache = Cache::of_service(stores.redis_url.as_deref(), &metrics)?;
    let ledger = golden_ledger_service::Ledger::new(pool.clone(), Leases::default());
    let ledger = ledger.remembering(cache.as_ref(), &metrics)?;
    let ending = tokio::spawn(keep_expiring(ledger.clone(), stop.clone()));
    let gateway = Caller::service(GOLDEN, CALLER);
    let known = [(token(Uuid::nil()), gateway)].into();
    let routes = golden_ledger_service::router(ledger, GOLDEN, Authenticator::new(Fixed(known)));
    as_service(routes, Health::new(metrics).postgres(pool), stop).await?;
    ending.await.context("the task that ends leases")
}

pub(crate) async fn gateway(
    stores: &Stores,
    ledger_url: &str,
    upstream: &str,
    pods: &[Uuid],
    stop: CancellationToken,
) -> Result<()> {
    telemetry::init("gateway");
    let mut own = tempfile::NamedTempFile::new()?;
    own.write_all(token(Uuid::nil()).as_bytes())?;
    let (providers, mut writer) = reflector::store();
    for number in 0..PROVIDERS {
        writer.apply_watcher_event(&watcher::Event::Apply(model_provider(number, upstream)));
    }
    for client in CLIENTS {
        let made = provider_of(client.provider(), client.protocol(), reservations::model(), upstream);
        writer.apply_watcher_event(&watcher::Event::Apply(made));
    }
    let registry = telemetry::Metrics::new("gateway")?;
    let mut metrics = Metrics::new(&registry)?;
    metrics.reserve_seconds = fine(RESERVE, "Time of one reserve.")?;
    metrics.settle_seconds = fine(SETTLE, "Time of one settlement.")?;
    for seconds in [&metrics.reserve_seconds, &metrics.settle_seconds] {
        registry.registry().register(Box::new(seconds.clone()))?;
    }
    let pool = db::connect(&stores.database_url, db::POOL_SIZE)?;
    let cache = Cache::of_service(stores.redis_url.as_deref(), &registry)?;
    let known: HashMap<String, Caller> = pods
        .iter()
        .map(|pod| (token(*pod), Caller::service(NAMESPACE, "golden-run").in_pod("pod", *pod)))
        .collect();
    let gateway = Arc::new(Gateway {
        pool: pool.clone(),
        ledger: golden_gateway::Ledger::new(ServiceClient::new(
            client()?,
            ledger_url,
            TokenFile::new(own.path()),
        )),
        providers: Providers::new(providers, Box::new(Key(upstream.to_owned())), GOLDEN)
            .with_breakers(registry.breakers())
            .with_shared_limits(cache.map(SharedLimits::start)),
        authenticator: Authenticator::new(Fixed(known)),
        standalone: None,
        metrics,
        namespace: GOLDEN.into(),
        upstream: golden_gateway::upstream_client()?,
        memory: Memory::default(),
        money: tokio::sync::broadcast::Sender::new(golden_gateway::NOTICES_KEPT),
        stop: stop.clone(),
        calls: tokio_util::task::TaskTracker::new(),
    });
    let (url, money) = (stores.database_url.clone(), gateway.money.clone());
    tokio::spawn(async move { golden_gateway::hear(&url, money).await });
    let routes = golden_gateway::router(Arc::clone(&gateway));
    as_service(routes, Health::new(registry).postgres(pool), stop).await?;
    golden_gateway::finish(&gateway).await;
    // The store of providers lives in its writer.
    drop(writer);
    Ok(())
}

fn model_provider(number: usize, upstream: &str) -> ModelProvider {
    let model = ModelSpec {
        name: "standard".into(),
        context_window: 128_000,
        max_output_tokens: 4096,
        input_micro_usd_per_mtoken: Some(INPUT_PRICE * 1_000_000),
        output_micro_usd_per_mtoken: Some(OUTPUT_PRICE * 1_000_000),
        ..ModelSpec::default()
    };
    provider_of(&provider(number), Protocol::OpenAI, model, upstream)
}

fn provider_of(name: &str, protocol: Protocol, model: ModelSpec, upstream: &str) -> ModelProvider {
    let spec = ModelProviderSpec {
        output_cap_field: None,
        protocol,
        base_url: format!("{upstream}/v1"),
        secret_ref: Some(LocalRef { name: "model-key".into() }),
        models: vec![model],
        allowed_namespaces: vec!["*".into()],
        fallbacks: Vec::new(),
        limits: None,
        timeouts: None,
        breaker: None,
    };
    let mut made = ModelProvider::new(name, spec);
    made.metadata.namespace = Some(GOLDEN.into());
    // By which all replicas count its calls.
    made.metadata.uid = Some(Uuid::new_v4().to_string());
    made
}

/// The providers' key, for the upstream's host.
struct Key(String);

impl Secrets for Key {
    fn read<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<Option<SecretData>, String>> {
        let host = self.0.trim_start_matches("http://").to_owned();
        let annotations = [
            ("goldenarch.dev/use".to_owned(), "model".to_owned()),
            ("goldenarch.dev/hosts".to_owned(), host),
        ];
        let data = [("apiKey".to_owned(), b"the-providers-key".to_vec())];
        let secret = SecretData { annotations: annotations.into(), data: data.into() };
        Box::pin(std::future::ready(Ok(Some(secret))))
    }
}
