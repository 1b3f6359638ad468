//! What the operator was started with.

use crate::build::service::Service;
use golden_crds::agent_team::ModelRef;
use golden_crds::labels::service_name;

/// Arguments of `golden operator`.
#[derive(Clone, clap::Args)]
pub struct Args {
    /// Golden's own namespace.
    #[arg(long, env = "GOLDEN_NAMESPACE", default_value = "golden-system")]
    pub namespace: String,
    /// Where health and metrics are served.
    #[arg(long, env = "GOLDEN_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: std::net::SocketAddr,
    /// Postgres as the owner of the schema: migrations.
    #[arg(long, env = "GOLDEN_DATABASE_OWNER_URL", hide_env_values = true)]
    pub database_owner_url: String,
    /// Postgres for work; the owner's when absent.
    #[arg(long, env = "GOLDEN_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// NATS.
    #[arg(long, env = "GOLDEN_NATS_URL", hide_env_values = true)]
    pub nats_url: String,
    /// Image of the teams' services and of task pods.
    #[arg(long, env = "GOLDEN_IMAGE", default_value = "golden:dev")]
    pub image: String,
    /// Image with git, for fetch and delivery pods.
    #[arg(long, env = "GOLDEN_GIT_IMAGE", default_value = "golden-git:dev")]
    pub git_image: String,
    /// Pull policy of both, and of the images of agents and guards.
    #[arg(long, env = "GOLDEN_IMAGE_PULL_POLICY", default_value = "IfNotPresent",
        value_parser = ["Always", "IfNotPresent", "Never"])]
    pub image_pull_policy: String,
    /// Secrets in Golden's namespace for pulling its images there, comma separated.
    #[arg(long, env = "GOLDEN_IMAGE_PULL_SECRETS", value_delimiter = ',')]
    pub image_pull_secrets: Vec<String>,
    /// The gateway; in Golden's namespace when absent.
    #[arg(long, env = "GOLDEN_GATEWAY_URL")]
    pub gateway_url: Option<String>,
    /// The ledger; in Golden's namespace when absent.
    #[arg(long, env = "GOLDEN_LEDGER_URL")]
    pub ledger_url: Option<String>,
    /// ModelProvider in Golden's namespace of voters that name none.
    #[arg(long, env = "GOLDEN_DEFAULT_PROVIDER", default_value = "default")]
    pub default_provider: String,
    /// Its model.
    #[arg(long, env = "GOLDEN_DEFAULT_MODEL", default_value = "default")]
    pub default_model: String,
    /// Secret with the stores' addresses, for the teams' services.
    #[arg(long, env = "GOLDEN_STORES_SECRET", default_value = "golden-stores")]
    pub stores_secret: String,
    /// This process among its replicas: the pod's name.
    #[arg(long, env = "POD_NAME", default_value_t = host())]
    pub identity: String,
}

fn host() -> String {
    std::env::var("HOSTNAME").unwrap_or_else(|_| format!("golden-operator-{}", std::process::id()))
}

/// What builders need to know of the install.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) namespace: String,
    pub(crate) image: String,
    pub(crate) git_image: String,
    pub(crate) image_pull_policy: String,
    /// For pods in Golden's own namespace; those of a team's namespace have their team's.
    pub(crate) image_pull_secrets: Vec<String>,
    pub(crate) gateway_url: String,
    pub(crate) ledger_url: String,
    pub(crate) stores_secret: String,
    pub(crate) default_model: ModelRef,
}

impl From<&Args> for Settings {
    fn from(args: &Args) -> Self {
        let own = |service: &str| format!("http://golden-{service}.{}:8080", args.namespace);
        Self {
            namespace: args.namespace.clone(),
            image: args.image.clone(),
            git_image: args.git_image.clone(),
            image_pull_policy: args.image_pull_policy.clone(),
            image_pull_secrets: args.image_pull_secrets.iter().filter(|s| !s.is_empty()).cloned().collect(),
            gateway_url: args.gateway_url.clone().unwrap_or_else(|| own("gateway")),
            ledger_url: args.ledger_url.clone().unwrap_or_else(|| own("ledger")),
            stores_secret: args.stores_secret.clone(),
            default_model: ModelRef {
                provider: args.default_provider.clone(),
                model: args.default_model.clone(),
            },
        }
    }
}

impl Settings {
    /// Where one of a team's services answers.
    pub(crate) fn team_url(&self, service: Service, team: &str, team_uid: &str) -> String {
        format!("http://{}.{}:8080", service_name(service.name(), team, team_uid), self.namespace)
    }
}
