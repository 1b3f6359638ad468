//! Start-up and wiring of the service.

use crate::routes::{self, Sources};
use ::http::HeaderValue;
use ::http::header::AUTHORIZATION;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use golden_platform::artifacts::Store;
use golden_platform::auth::{self, Authenticator};
use golden_platform::config::{CommonArgs, StoreArgs};
use golden_platform::http::{self, Health};
use golden_platform::telemetry::Metrics;
use golden_platform::{db, nats, shutdown, telemetry};

/// The apiserver's proxy keeps `Authorization` for itself, so callers behind it show their token here.
const TOKEN_HEADER: &str = "x-golden-token";

/// Where it listens and what it reads from.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: CommonArgs,
    #[command(flatten)]
    stores: StoreArgs,
}

/// Serves until it is told to stop.
pub async fn run(args: Args) -> anyhow::Result<()> {
    telemetry::init("api");
    let stop = shutdown::on_signals()?;
    let pool = db::connect(&args.stores.database_url, db::POOL_SIZE)?;
    let connection = nats::connect(&args.stores.nats_url).await?;
    let authenticator = Authenticator::kubernetes(kube::Client::try_default().await?);
    let metrics = Metrics::new("api")?;
    let breakers = metrics.breakers().clone();
    let health = Health::new(metrics).postgres(pool.clone()).nats(connection.clone());
    let js = nats::jetstream(&connection);
    let artifacts = Store::new(js.clone(), pool.clone()).listed(&breakers);
    let golden_namespace = args.common.namespace.clone();
    let router = app(Sources { db: pool, js, artifacts, golden_namespace }, authenticator);
    http::serve(args.common.listen, router, health, stop).await?;
    Ok(())
}

/// The routes behind the authenticating layer.
pub fn app(sources: Sources, authenticator: Authenticator) -> Router {
    auth::protect(routes::router(sources), authenticator).layer(from_fn(take_token))
}

async fn take_token(mut request: Request, next: Next) -> Response {
    if let Some(token) = request.headers_mut().remove(TOKEN_HEADER)
        && let Ok(token) = token.to_str()
        && let Ok(mut bearer) = HeaderValue::from_str(&format!("Bearer {token}"))
    {
        bearer.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, bearer);
    }
    next.run(request).await
}
