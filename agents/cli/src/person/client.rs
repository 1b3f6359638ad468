//! How commands reach the cluster and, through the apiserver's proxy, golden-api.

use anyhow::{Context as _, bail};
use golden_crds::labels::{AUDITOR_ACCOUNT as AUDITOR, READER_ACCOUNT as READER, STEWARD_ACCOUNT as STEWARD};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::OnceCell;

/// Where the cluster is and which namespace is meant.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Connection {
    /// Namespace to look in; the context's own when absent.
    #[arg(short, long)]
    namespace: Option<String>,
    /// Context of the kubeconfig; the current one when absent.
    #[arg(long)]
    context: Option<String>,
    /// User to act as, as with kubectl; needs the right to impersonate.
    #[arg(long = "as", value_name = "USER")]
    impersonate: Option<String>,
    /// Namespace Golden is installed in.
    #[arg(long, env = "GOLDEN_NAMESPACE", default_value = "golden-system")]
    golden_namespace: String,
}

/// A connection made.
pub(crate) struct Cluster {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    pub(crate) golden_namespace: String,
    reader: OnceCell<String>,
}

impl Connection {
    /// Reads the kubeconfig and makes a client.
    pub(crate) async fn connect(&self) -> anyhow::Result<Cluster> {
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let mut config = match Kubeconfig::read() {
            Ok(kubeconfig) => Config::from_custom_kubeconfig(kubeconfig, &options)
                .await
                .context("the kubeconfig cannot be used: check KUBECONFIG and --context")?,
            Err(_) if self.context.is_none() => {
                Config::incluster().context("no kubeconfig found: set KUBECONFIG")?
            }
            Err(error) => return Err(error).context("the kubeconfig cannot be read: check KUBECONFIG"),
        };
        config.auth_info.impersonate.clone_from(&self.impersonate);
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        Ok(Cluster {
            client: Client::try_from(config)?,
            namespace,
            golden_namespace: self.golden_namespace.clone(),
            reader: OnceCell::new(),
        })
    }
}

impl Cluster {
    /// A kind's interface in the namespace that is meant.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Reads JSON from golden-api, below the namespace that is meant.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let text = self.text(path).await?;
        serde_json::from_str(&text)
            .context("golden-api answered something else than expected: its version may differ")
    }

    /// Reads text from golden-api, below the namespace that is meant.
    pub(crate) async fn text(&self, path: &str) -> anyhow::Result<String> {
        let token = self.reader.get_or_try_init(|| self.draw_token(READER)).await?;
        self.send(http::Method::GET, path, token).await
    }

    /// Asks golden-api to do something, as somebody who may change the namespace.
    pub(crate) async fn act<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let token = self.draw_token(STEWARD).await?;
        let text = self.send(http::Method::POST, path, &token).await?;
        serde_json::from_str(&text)
            .context("golden-api answered something else than expected: its version may differ")
    }

    async fn send(&self, method: http::Method, path: &str, token: &str) -> anyhow::Result<String> {
        let uri = format!(
            "/api/v1/namespaces/{}/services/http:golden-api:8080/proxy/v1/namespaces/{}/{path}",
            self.golden_namespace, self.namespace
        );
        let request = http::Request::builder()
            .method(method)
            .uri(uri)
            .header("x-golden-token", token)
            .body(kube::client::Body::empty())?;
        let response = self.client.send(request).await.context("the apiserver did not answer")?;
        let status = response.status();
        let body = response.into_body().collect_bytes().await?;
        let text = String::from_utf8_lossy(&body).into_owned();
        if status.is_success() {
            return Ok(text);
        }
        bail!("{}", message(&text).unwrap_or(format!("golden-api answered {status}: {text}")))
    }

    /// A short-lived token of one of the accounts that stand for the namespace.
    async fn draw_token(&self, account: &str) -> anyhow::Result<String> {
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: vec!["golden".into()],
                expiration_seconds: Some(600),
                bound_object_ref: None,
            },
            ..TokenRequest::default()
        };
        let params = PostParams::default();
        let accounts: Api<ServiceAccount> = self.api();
        let mut answer = accounts.create_token_request(account, &params, &request).await;
        if account == READER && matches!(&answer, Err(kube::Error::Api(status)) if status.is_not_found()) {
            // The namespace is gone, or never had a team; its records may be there.
            let auditors: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &self.golden_namespace);
            answer = auditors.create_token_request(AUDITOR, &params, &request).await;
        }
        let answer = answer.with_context(|| {
            let (home, golden) = (&self.namespace, &self.golden_namespace);
            if account == READER {
                format!(
                    "no token of {account} in {home}: is there an AgentTeam, and are you bound to `view` there? What is left of a deleted namespace is read by who is bound to golden:auditor in {golden}"
                )
            } else {
                format!("no token of {account} in {home}: is there an AgentTeam, and are you bound to `edit` there?")
            }
        })?;
        answer.status.map(|s| s.token).context("the apiserver made no token")
    }
}

/// The message of an error answer, golden-api's or the apiserver's.
fn message(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    let found = value.pointer("/error/message").or_else(|| value.get("message"))?;
    found.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_error_shapes_are_read() {
        assert_eq!(
            message(r#"{"error":{"reason":"NotFound","message":"no task"}}"#).as_deref(),
            Some("no task")
        );
        assert_eq!(message(r#"{"kind":"Status","message":"forbidden"}"#).as_deref(), Some("forbidden"));
        assert_eq!(message("<html>"), None);
    }
}
