//! Credentials of git: a Secret is used only for what its owner annotated it for, and sent only there.

use crate::machine::Why;
use futures::future::BoxFuture;
use golden_crds::conditions::agent_task as reasons;
use golden_crds::labels::{SECRET_HOSTS, SECRET_USE};
use golden_platform::wire::Credential;
use k8s_openapi::api::core::v1::Secret;
use std::time::Duration;

/// Longest user name or password, in bytes.
const MAX_BYTES: usize = 8192;
/// How long the apiserver may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where Secrets are read.
pub trait Secrets: Send + Sync {
    /// The Secret, or none; an error in words if that cannot be told now.
    fn get<'a>(&'a self, namespace: &'a str, name: &'a str) -> BoxFuture<'a, Result<Option<Secret>, String>>;
}

/// The cluster's.
pub struct KubeSecrets(pub kube::Client);

impl Secrets for KubeSecrets {
    fn get<'a>(&'a self, namespace: &'a str, name: &'a str) -> BoxFuture<'a, Result<Option<Secret>, String>> {
        Box::pin(async move {
            let api: kube::Api<Secret> = kube::Api::namespaced(self.0.clone(), namespace);
            let asked = tokio::time::timeout(TIMEOUT, api.get_opt(name)).await;
            asked.map_err(|_| "the apiserver did not answer in time".to_owned())?.map_err(|e| e.to_string())
        })
    }
}

/// The credential in a Secret, if its owner allows this use at this URL's host. The credential names that host
/// alone, whatever else the Secret allows.
pub fn credential(name: &str, secret: Option<&Secret>, purpose: &str, url: &str) -> Result<Credential, Why> {
    let Some(secret) = secret else {
        return Err(Why::new(
            reasons::SECRET_NOT_FOUND,
            format!("Secret {name} does not exist in the task's namespace"),
        ));
    };
    let note = |key: &str| secret.metadata.annotations.as_ref().and_then(|a| a.get(key)).map(String::as_str);
    if !listed(note(SECRET_USE)).any(|u| u == purpose) {
        let message =
            format!("Secret {name} is not annotated for this: add {purpose} to its annotation {SECRET_USE}");
        return Err(Why::new(reasons::SECRET_NOT_ANNOTATED, message));
    }
    let host = host_of(url).ok_or_else(|| {
        let message =
            format!("Secret {name} holds a user name and a password, which are sent by http and https only");
        Why::new(reasons::SECRET_HOST_NOT_ALLOWED, message)
    })?;
    if !listed(note(SECRET_HOSTS)).any(|allowed| same_host(allowed, &host)) {
        let message = format!(
            "Secret {name} may not be sent to {}: add it to its annotation {SECRET_HOSTS}",
            host.shown()
        );
        return Err(Why::new(reasons::SECRET_HOST_NOT_ALLOWED, message));
    }
    let field = |key: &str| {
        let bytes = secret.data.as_ref().and_then(|d| d.get(key)).map(|b| b.0.as_slice());
        let text = bytes.and_then(|b| std::str::from_utf8(b).ok()).map(|t| t.trim_end_matches(['\r', '\n']));
        text.filter(|t| !t.is_empty() && t.len() <= MAX_BYTES && !t.contains(char::is_control))
            .map(str::to_owned)
            .ok_or_else(|| {
                Why::new(
                    reasons::SECRET_MALFORMED,
                    format!("Secret {name} has no usable key {key}: one line of text is needed"),
                )
            })
    };
    Ok(Credential { username: field("username")?, password: field("password")?, hosts: vec![host.shown()] })
}

/// The parts of a comma separated annotation.
fn listed(annotation: Option<&str>) -> impl Iterator<Item = &str> {
    annotation.unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// Host and port of a URL, in lower case.
#[derive(Debug, PartialEq, Eq)]
struct Host {
    name: String,
    port: u16,
    is_default: bool,
}

impl Host {
    /// As in the URL: the port only where it is not the scheme's own.
    fn shown(&self) -> String {
        if self.is_default { self.name.clone() } else { format!("{}:{}", self.name, self.port) }
    }
}

fn host_of(url: &str) -> Option<Host> {
    let (scheme, rest) = url.split_once("://")?;
    let default = match scheme.to_ascii_lowercase().as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (name, port) = split_port(authority)?;
    let port = port.unwrap_or(default);
    Some(Host { name, port, is_default: port == default })
}

/// `host`, `host:port` or `[v6]:port`.
fn split_port(authority: &str) -> Option<(String, Option<u16>)> {
    let lower = authority.to_ascii_lowercase();
    let (name, port) = match lower.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port.parse().ok()?)),
        _ => (lower.as_str(), None),
    };
    let name = name.trim_end_matches('.');
    (!name.is_empty()).then(|| (name.to_owned(), port))
}

/// An entry without a port means the scheme's own: another service of the same host is another place.
fn same_host(allowed: &str, host: &Host) -> bool {
    split_port(allowed).is_some_and(|(name, port)| {
        name == host.name && port.map_or(host.is_default, |port| port == host.port)
    })
}

#[cfg(test)]
mod tests;
