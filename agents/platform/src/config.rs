//! Command-line arguments and environment that services share; flatten them into a service's own `Args`.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use uuid::Uuid;

/// Where the stores are. URLs may hold passwords: they are not shown by `--help` and not by `Debug`.
#[derive(Clone, clap::Args)]
pub struct StoreArgs {
    /// Postgres, as the role golden_service.
    #[arg(long, env = "GOLDEN_DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
    /// NATS with JetStream.
    #[arg(long, env = "GOLDEN_NATS_URL", hide_env_values = true, default_value = "nats://golden-nats:4222")]
    pub nats_url: String,
}

impl fmt::Debug for StoreArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreArgs")
            .field("database_url", &without_password(&self.database_url))
            .field("nats_url", &without_password(&self.nats_url))
            .finish()
    }
}

/// The team a service works for.
#[derive(Clone, Debug, clap::Args)]
pub struct TeamArgs {
    #[arg(long, env = "GOLDEN_TEAM_UID")]
    pub team_uid: Uuid,
    #[arg(long, env = "GOLDEN_TEAM_NAME")]
    pub team_name: String,
    #[arg(long, env = "GOLDEN_TEAM_NAMESPACE")]
    pub team_namespace: String,
}

/// What every service has.
#[derive(Clone, Debug, clap::Args)]
pub struct CommonArgs {
    /// Golden's own namespace.
    #[arg(long, env = "GOLDEN_NAMESPACE", default_value = "golden-system")]
    pub namespace: String,
    /// Where HTTP is served: the service's routes, /healthz, /readyz and /metrics.
    #[arg(long, env = "GOLDEN_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// The projected service-account token with which this service names itself to others.
    #[arg(long, env = "GOLDEN_TOKEN_FILE", default_value = "/var/run/golden/token")]
    pub token_file: PathBuf,
}

/// A URL fit for logs: what stands between `//` and the last `@` of the authority is left out.
pub fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("//") else { return "(not a URL)".to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    match rest.get(..end).and_then(|authority| authority.rfind('@')) {
        Some(at) => format!("{scheme}//{}", rest.get(at + 1..).unwrap_or_default()),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logged_url_has_no_password() {
        assert_eq!(without_password("postgres://u:p@w@db:5432/x"), "postgres://db:5432/x");
        assert_eq!(without_password("nats://golden-nats:4222"), "nats://golden-nats:4222");
        assert_eq!(without_password("secret"), "(not a URL)");
        let args = StoreArgs {
            database_url: "postgres://golden:hush@db/golden_arch".into(),
            nats_url: "nats://u:hush@n:1".into(),
        };
        assert!(!format!("{args:?}").contains("hush"));
    }
}
