//! The programs: ask the orchestrator what to do, do it, tell it what came of it.

use super::deliver::Delivery;
use super::fault::Fault;
use anyhow::{Context as _, bail};
use golden_platform::http::{ServiceClient, TokenFile, client};
use golden_platform::tree;
use golden_platform::wire::{ArtifactStored, JobContext, JobResult};
use golden_platform::{Class, Classify as _};
use std::path::PathBuf;
use std::time::Duration;

/// Where the orchestrator is.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The team's orchestrator.
    #[arg(long, env = "GOLDEN_ORCHESTRATOR_URL")]
    orchestrator_url: String,
    /// The pod's own token.
    #[arg(long, env = "GOLDEN_TOKEN_FILE", default_value = "/var/run/golden/token")]
    token_file: PathBuf,
    /// A folder for the repository, emptied with the pod.
    #[arg(long, env = "GOLDEN_WORK", default_value = "/tmp")]
    work: PathBuf,
}

/// How often a store that is away is asked again: two minutes in all, within the pod's own deadline.
const TRIES: u32 = 24;
const PAUSE: Duration = Duration::from_secs(5);

/// `golden fetch`
pub async fn fetch(args: Args) -> anyhow::Result<()> {
    let orchestrator = connect(&args)?;
    let JobContext::Fetch { url, git_ref, credential } = job(&orchestrator).await? else {
        bail!("this pod is to deliver, not to fetch");
    };
    let result = match super::fetch::fetch(&args.work, &url, &git_ref, credential.as_ref()).await {
        Ok((commit, bytes)) => {
            let stored: ArtifactStored =
                again(|| orchestrator.put_bytes("/v1/artifacts", bytes.clone().into())).await?;
            JobResult::Fetched { commit, tree: stored.digest }
        }
        Err(fault) => fault.result(),
    };
    tell(&orchestrator, &result).await
}

/// `golden deliver`
pub async fn deliver(args: Args) -> anyhow::Result<()> {
    let orchestrator = connect(&args)?;
    let job = job(&orchestrator).await?;
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
    } = job
    else {
        bail!("this pod is to fetch, not to deliver");
    };
    let approved = again(|| orchestrator.get_bytes_of(&tree)).await?;
    if tree::digest(&approved) != tree {
        let fault = Fault::new(
            super::fault::TREE_MISMATCH,
            format!("the store sent something else than {tree}"),
            true,
        );
        return tell(&orchestrator, &fault.result()).await;
    }
    let delivery = Delivery {
        url: &url,
        branch: &branch,
        base_commit: &base_commit,
        base_tree: &base_tree,
        tree: &approved,
        message: &message,
        author: &author,
        author_date: &author_date,
        credential: credential.as_ref(),
    };
    let result = match super::deliver::deliver(&args.work, &delivery).await {
        Ok(commit) => JobResult::Delivered { branch, commit },
        Err(fault) => fault.result(),
    };
    tell(&orchestrator, &result).await
}

/// The orchestrator, as these programs speak to it.
struct Orchestrator(ServiceClient);

impl Orchestrator {
    async fn get_bytes_of(&self, digest: &str) -> Result<bytes::Bytes, golden_platform::http::CallError> {
        self.0.get_bytes(&format!("/v1/artifacts/{digest}")).await
    }

    async fn put_bytes(
        &self,
        path: &str,
        bytes: bytes::Bytes,
    ) -> Result<ArtifactStored, golden_platform::http::CallError> {
        self.0.put_bytes(path, bytes).await
    }
}

fn connect(args: &Args) -> anyhow::Result<Orchestrator> {
    let token = TokenFile::new(&args.token_file);
    Ok(Orchestrator(ServiceClient::new(client()?, &args.orchestrator_url, token)))
}

async fn job(orchestrator: &Orchestrator) -> anyhow::Result<JobContext> {
    again(|| orchestrator.0.get("/v1/job")).await.context("the orchestrator gives this pod no work")
}

async fn tell(orchestrator: &Orchestrator, result: &JobResult) -> anyhow::Result<()> {
    if let JobResult::Failed { reason, message, .. } = result {
        tracing::warn!(reason, message, "failed");
    }
    let _: serde_json::Value = again(|| orchestrator.0.post("/v1/job/result", result))
        .await
        .context("the orchestrator did not take the result")?;
    Ok(())
}

/// Repeats what failed for want of another service; a refusal is final.
async fn again<T, F, R>(mut call: F) -> Result<T, golden_platform::http::CallError>
where
    F: FnMut() -> R,
    R: Future<Output = Result<T, golden_platform::http::CallError>>,
{
    let mut left = TRIES;
    loop {
        match call().await {
            Err(error) if left > 0 && matches!(error.class(), Class::Dependency | Class::Transient) => {
                tracing::warn!(%error, left, "asking again");
                left -= 1;
                tokio::time::sleep(PAUSE).await;
            }
            other => return other,
        }
    }
}
