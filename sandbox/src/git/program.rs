//! The git program, shut off from every configuration but ours.

use super::fault::Fault;
use base64::Engine as _;
use golden_platform::wire::Credential;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// One call of git; a slow server is a fault, not a hang.
const LIMIT: Duration = Duration::from_mins(3);

/// A bare repository of our own, and the one remote it may speak to.
pub(super) struct Git {
    folder: PathBuf,
    config: Vec<(String, String)>,
}

impl Git {
    /// An empty repository below `folder`, for `url`.
    pub(super) async fn init(
        folder: &Path,
        url: &str,
        credential: Option<&Credential>,
    ) -> Result<Self, Fault> {
        let mut config: Vec<(String, String)> = [
            ("core.hooksPath", "/dev/null"),
            ("core.attributesFile", "/dev/null"),
            ("core.fsmonitor", "false"),
            ("credential.helper", ""),
            ("fetch.recurseSubmodules", "false"),
            ("gc.auto", "0"),
            ("http.followRedirects", "false"),
            ("http.lowSpeedLimit", "1"),
            ("http.lowSpeedTime", "60"),
            ("protocol.version", "2"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        if let Some(credential) = credential {
            config.push(authorization(url, credential)?);
        }
        let git = Self { folder: folder.join("repository.git"), config };
        git.run_in(folder, &["init", "--quiet", "--bare", "repository.git"], None).await?;
        Ok(git)
    }

    /// Runs git in the repository and returns what it printed.
    pub(super) async fn run(&self, args: &[&str]) -> Result<Vec<u8>, Fault> {
        self.run_in(&self.folder, args, None).await
    }

    /// The same with standard input.
    pub(super) async fn feed(&self, args: &[&str], input: Vec<u8>) -> Result<Vec<u8>, Fault> {
        self.run_in(&self.folder, args, Some(input)).await
    }

    async fn run_in(&self, folder: &Path, args: &[&str], input: Option<Vec<u8>>) -> Result<Vec<u8>, Fault> {
        let mut command = Command::new("git");
        command.args(args).current_dir(folder).env_clear();
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", "/nonexistent").env("LC_ALL", "C");
        command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0");
        command.env("GIT_ALLOW_PROTOCOL", "http:https:git:ssh").env("GIT_ATTR_NOSYSTEM", "1");
        // By environment, so that a credential is not in the process list.
        command.env("GIT_CONFIG_COUNT", self.config.len().to_string());
        for (index, (key, value)) in self.config.iter().enumerate() {
            command
                .env(format!("GIT_CONFIG_KEY_{index}"), key)
                .env(format!("GIT_CONFIG_VALUE_{index}"), value);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|e| Fault::of_git(&format!("git cannot be started: {e}")))?;
        let mut stdin = child.stdin.take();
        let writing = async {
            if let (Some(stdin), Some(input)) = (stdin.as_mut(), input) {
                // A git that refuses early closes its input; its own words tell more than the broken pipe.
                let _ = stdin.write_all(&input).await;
            }
            drop(stdin);
        };
        let both = async { tokio::join!(writing, child.wait_with_output()).1 };
        let output = tokio::time::timeout(LIMIT, both)
            .await
            .map_err(|_| {
                Fault::of_git(&format!("git {} did not end within {LIMIT:?}", args.first().unwrap_or(&"")))
            })?
            .map_err(|e| Fault::of_git(&e.to_string()))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(Fault::of_git(&String::from_utf8_lossy(&output.stderr)))
    }
}

/// The header that carries a credential, for its own server only.
fn authorization(url: &str, credential: &Credential) -> Result<(String, String), Fault> {
    let parsed = reqwest::Url::parse(url).map_err(|e| Fault::of_git(&format!("{url} is no URL: {e}")))?;
    let host = parsed.host_str().unwrap_or_default();
    let with_port = parsed.port().map(|p| format!("{host}:{p}"));
    if !credential.hosts.iter().any(|h| h == host || Some(h) == with_port.as_ref()) {
        let message = format!("the Secret is not for {host}: it names {}", credential.hosts.join(", "));
        return Err(Fault::new(golden_crds::conditions::agent_task::GIT_DENIED, message, false));
    }
    let pair = format!("{}:{}", credential.username, credential.password);
    let value = format!("Authorization: Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
    let origin = parsed.origin().ascii_serialization();
    Ok((format!("http.{origin}/.extraHeader"), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential() -> Credential {
        Credential { username: "u".into(), password: "p".into(), hosts: vec!["git.example".into()] }
    }

    #[test]
    fn a_credential_goes_to_its_own_server_only() {
        let (key, value) = authorization("http://git.example/shop.git", &credential()).unwrap();
        assert_eq!(key, "http.http://git.example/.extraHeader");
        assert_eq!(value, "Authorization: Basic dTpw");
        assert!(authorization("http://evil.example/shop.git", &credential()).is_err());
        assert!(authorization("http://git.example.evil.example/shop.git", &credential()).is_err());
    }
}
