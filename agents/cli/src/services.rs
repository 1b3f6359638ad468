//! The services, each run by a Deployment of its own.

use anyhow::Context as _;
use clap::Subcommand;

/// What a Deployment or a run pod starts.
#[derive(Subcommand)]
pub(crate) enum ServiceCommand {
    /// Make the cluster match what people and tasks ask for.
    #[command(hide = true)]
    Operator(Box<golden_operator::Args>),
    /// Keep the accounts that every call is paid from.
    #[command(hide = true)]
    Ledger(Box<golden_ledger_service::Args>),
    /// Let agents call models, within their budgets; outside a cluster with --config.
    Gateway(Box<golden_gateway::Args>),
    /// Drive a team's tasks.
    #[command(hide = true)]
    Orchestrator(Box<golden_orchestrator::Args>),
    /// Ask a team's reviewers and decide.
    #[command(hide = true)]
    PeerHub(Box<golden_peer_hub::Args>),
    /// Run a team's guards in isolation.
    #[command(hide = true)]
    Sandbox(Box<golden_sandbox::Args>),
    /// Own a team's escalations and dead letters.
    #[command(hide = true)]
    Supervisor(Box<golden_supervisor::Args>),
    /// Answer people who read.
    #[command(hide = true)]
    Api(Box<golden_api::Args>),
    /// Work on a task, inside its pod.
    #[command(hide = true)]
    Agent(Box<golden_agent::Args>),
    /// Serve the agent, inside its pod.
    #[command(hide = true)]
    Sidecar(golden_sidecar::Args),
    /// Fetch a task's source (in the image with git).
    #[command(hide = true)]
    Fetch(golden_sandbox::git::Args),
    /// Deliver a task's result (in the image with git).
    #[command(hide = true)]
    Deliver(golden_sandbox::git::Args),
    /// Stop the operator and take off what would hold up an uninstall (the chart's pre-delete hook).
    #[command(hide = true)]
    Release(golden_operator::ReleaseArgs),
    /// Bring the database to this version's shape.
    #[command(hide = true)]
    Migrate {
        /// Postgres, as the role that owns the schema.
        #[arg(long, env = "GOLDEN_DATABASE_OWNER_URL", hide_env_values = true)]
        database_owner_url: String,
    },
}

impl ServiceCommand {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Operator(args) => golden_operator::run(*args).await,
            Self::Ledger(args) => golden_ledger_service::run(*args).await,
            Self::Gateway(args) => golden_gateway::run(*args).await,
            Self::Orchestrator(args) => golden_orchestrator::run(*args).await,
            Self::PeerHub(args) => golden_peer_hub::run(*args).await,
            Self::Sandbox(args) => golden_sandbox::run(*args).await,
            Self::Supervisor(args) => Box::pin(golden_supervisor::run(*args)).await,
            Self::Sidecar(args) => golden_sidecar::run(args).await,
            Self::Api(args) => golden_api::run(*args).await,
            Self::Agent(args) => golden_agent::run(*args).await,
            Self::Fetch(args) => golden_sandbox::git::fetch(args).await,
            Self::Deliver(args) => golden_sandbox::git::deliver(args).await,
            Self::Release(args) => golden_operator::release(args).await,
            Self::Migrate { database_owner_url } => golden_platform::db::migrate(&database_owner_url)
                .await
                .context("the database could not be migrated"),
        }
    }
}
