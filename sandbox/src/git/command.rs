//! The two programs: ask the orchestrator what to do, do it, tell it what came of it.
//!
//! They end with 0 once the orchestrator has the result, whatever it is: a failed job is a fact, and it is the
//! orchestrator that decides about another try. They end with 1 when it could not be told.

use super::deliver::Delivery;
use super::work::{self, Source};
use super::{Fault, fetch::Fetched};
use anyhow::{Context as _, bail};
use golden_crds::conditions::agent_task as reason;
use golden_platform::http::{CallError, ServiceClient, TokenFile};
use golden_platform::wire::{ArtifactStored, JobContext, JobResult};
use golden_platform::{Class, Classify as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long an orchestrator that does not answer is waited for.
const PATIENCE: Duration = Duration::from_mins(10);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The team's orchestrator.
    #[arg(long, env = "GOLDEN_ORCHESTRATOR_URL")]
    pub orchestrator_url: String,
    #[arg(long, env = "GOLDEN_TOKEN_FILE", default_value = "/var/run/golden/token")]
    pub token_file: PathBuf,
    /// Room for a repository.
    #[arg(long, env = "GOLDEN_SCRATCH", default_value = "/tmp")]
    pub scratch: PathBuf,
}

/// Fetches a task's source.
pub async fn fetch(args: Args) -> anyhow::Result<()> {
    let orchestrator = client(&args)?;
    let JobContext::Fetch { url, git_ref, credential } = job(&orchestrator).await? else {
        bail!("the orchestrator wants a delivery from this pod, which fetches");
    };
    let source = Source { url, git_ref, credential };
    let scratch = args.scratch;
    let fetched = tokio::task::spawn_blocking(move || work::fetch(&scratch, source)).await?;
    let result = match fetched {
        Ok(Fetched { commit, tar }) => {
            let tree = keep(&orchestrator, tar).await?;
            JobResult::Fetched { commit, tree }
        }
        Err(fault) => fault.into_result(),
    };
    tell(&orchestrator, &result).await
}

/// Delivers a task's approved tree.
pub async fn deliver(args: Args) -> anyhow::Result<()> {
    let orchestrator = client(&args)?;
    let JobContext::Deliver {
        url,
        branch,
        base_commit,
        base_tree,
        tree,
        message,
        author,
        author_date,
        credential,
    } = job(&orchestrator).await?
    else {
        bail!("the orchestrator wants a fetch from this pod, which delivers");
    };
    let delivery = Delivery {
        url,
        branch: branch.clone(),
        base_commit,
        base_tree,
        tree,
        message,
        author,
        author_date,
        credential,
    };
    let path = format!("/v1/artifacts/{}", delivery.tree);
    let tar = again(|| orchestrator.get_bytes(&path)).await;
    let result = match tar {
        Ok(tar) => {
            let scratch = args.scratch;
            tokio::task::spawn_blocking(move || work::deliver(&scratch, &delivery, &tar)).await?
        }
        Err(e) => Err(Fault::passing(reason::ARTIFACT_STORE_UNREACHABLE, e.to_string())),
    };
    let result = result.map_or_else(Fault::into_result, |commit| JobResult::Delivered { branch, commit });
    tell(&orchestrator, &result).await
}

fn client(args: &Args) -> anyhow::Result<ServiceClient> {
    let http = golden_platform::http::client()?;
    Ok(ServiceClient::new(http, &args.orchestrator_url, TokenFile::new(&args.token_file)))
}

async fn job(orchestrator: &ServiceClient) -> anyhow::Result<JobContext> {
    again(|| orchestrator.get("/v1/job")).await.context("cannot learn what to do")
}

async fn keep(orchestrator: &ServiceClient, tar: Vec<u8>) -> anyhow::Result<String> {
    let bytes = bytes::Bytes::from(tar);
    let stored: ArtifactStored = again(|| orchestrator.put_bytes("/v1/artifacts", bytes.clone()))
        .await
        .context("cannot keep the source")?;
    Ok(stored.digest)
}

async fn tell(orchestrator: &ServiceClient, result: &JobResult) -> anyhow::Result<()> {
    match result {
        JobResult::Failed { reason, message, .. } => tracing::warn!(reason, message, "the job failed"),
        done => tracing::info!(?done, "the job is done"),
    }
    let told = || async {
        let request = orchestrator.request(reqwest::Method::POST, "/v1/job/result").await?;
        orchestrator.send(request.json(result)).await
    };
    again(told).await.context("cannot tell the orchestrator the result")?;
    Ok(())
}

/// Calls until an answer comes that a repetition would not change. Every call here may be repeated.
async fn again<T, F: Future<Output = Result<T, CallError>>>(call: impl Fn() -> F) -> Result<T, CallError> {
    let (until, mut pause) = (Instant::now() + PATIENCE, Duration::from_millis(200));
    loop {
        let error = match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let lasting = !matches!(error.class(), Class::Dependency | Class::Transient);
        if lasting || Instant::now() + pause > until {
            return Err(error);
        }
        tracing::info!(%error, "trying again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(10));
    }
}
