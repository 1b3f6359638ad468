//! Whether a Secret may be used as asked: its owner names the use and the hosts on it. Pure, but for the one read.
//!
//! Secrets are read by name when needed and never listed or watched: the operator keeps no credentials in memory.
//! A mended Secret is therefore noticed by the half-minute look and not at once.

use crate::effects::bounded;
use crate::error::Error;
use golden_crds::conditions::shared as reason;
use golden_crds::labels::{SECRET_HOSTS, SECRET_USE};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};

/// What a Secret is wanted for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) name: &'a str,
    /// `model`, `git-read` or `git-write`.
    pub(crate) r#use: &'a str,
    /// The URL it would be sent to.
    pub(crate) url: &'a str,
    /// Keys that must be there, UTF-8 and not empty.
    pub(crate) keys: &'a [&'a str],
}

/// Why it may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

/// Reads the Secret and checks it.
pub(crate) async fn check(
    client: &Client,
    namespace: &str,
    wanted: Wanted<'_>,
) -> Result<Option<Fault>, Error> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let secret = bounded(&format!("read secret {}", wanted.name), api.get_opt(wanted.name)).await?;
    Ok(fault(secret.as_ref(), wanted))
}

/// The first thing wrong.
pub(crate) fn fault(secret: Option<&Secret>, wanted: Wanted<'_>) -> Option<Fault> {
    let found = |reason, message| Some(Fault { reason, message });
    let name = wanted.name;
    let Some(secret) = secret else {
        return found(
            reason::SECRET_NOT_FOUND,
            format!("Secret {name} does not exist; create it with {}", wanted.keys.join(", ")),
        );
    };
    if !listed(secret, SECRET_USE, |word| word == wanted.r#use) {
        let wish = wanted.r#use;
        return found(
            reason::SECRET_NOT_ANNOTATED,
            format!(
                "Secret {name} does not allow this use; its owner can annotate it with {SECRET_USE}: {wish}"
            ),
        );
    }
    let Some(host) = Host::of(wanted.url) else {
        return found(
            reason::SECRET_HOST_NOT_ALLOWED,
            format!("{} has no host that Secret {name} could be sent to", wanted.url),
        );
    };
    if !listed(secret, SECRET_HOSTS, |word| host.is(word)) {
        return found(
            reason::SECRET_HOST_NOT_ALLOWED,
            format!(
                "Secret {name} may not be sent to {}; its owner can add it to the annotation {SECRET_HOSTS}",
                host.with_port
            ),
        );
    }
    let missing = wanted.keys.iter().find(|key| !has(secret, key))?;
    found(reason::SECRET_MALFORMED, format!("key {missing} of Secret {name} is missing, empty or not UTF-8"))
}

fn has(secret: &Secret, key: &str) -> bool {
    let value = secret.data.as_ref().and_then(|d| d.get(key));
    value.and_then(|v| std::str::from_utf8(&v.0).ok()).is_some_and(|text| !text.trim().is_empty())
}

fn listed(secret: &Secret, annotation: &str, fits: impl Fn(&str) -> bool) -> bool {
    let value = secret.metadata.annotations.as_ref().and_then(|a| a.get(annotation));
    value.is_some_and(|v| v.split(',').map(str::trim).any(|word| !word.is_empty() && fits(word)))
}

/// The host of a URL, with and without its port.
struct Host<'a> {
    name: &'a str,
    with_port: &'a str,
}

impl<'a> Host<'a> {
    fn of(url: &'a str) -> Option<Self> {
        let (_, rest) = url.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let with_port = authority.rsplit('@').next()?;
        let name = match with_port.rsplit_once(':') {
            Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => with_port,
        };
        (!name.is_empty()).then_some(Self { name, with_port })
    }

    fn is(&self, word: &str) -> bool {
        word.eq_ignore_ascii_case(self.name) || word.eq_ignore_ascii_case(self.with_port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn secret(annotations: &Value, data: &Value) -> Secret {
        serde_json::from_value(json!({"metadata": {"name": "s", "annotations": annotations}, "data": data}))
            .unwrap()
    }

    #[test]
    fn a_secret_is_used_only_as_its_owner_says() {
        let key = json!({"apiKey": "a2V5"});
        let all = json!({"goldenarch.dev/use": "git-read, model", "goldenarch.dev/hosts": "models.example,other:8443"});
        let wanted = |url: &'static str| Wanted { name: "s", r#use: "model", url, keys: &["apiKey"] };
        let got = |secret: Option<&Secret>, url| fault(secret, wanted(url)).map(|f| f.reason);
        let good = secret(&all, &key);
        for (secret, url, want) in [
            (None, "https://models.example/v1", Some("SecretNotFound")),
            (Some(&good), "https://models.example/v1", None),
            (Some(&good), "https://MODELS.example:443/v1", None),
            (Some(&good), "https://other:8443", None),
            (Some(&good), "https://other:8444", Some("SecretHostNotAllowed")),
            (Some(&good), "https://other", Some("SecretHostNotAllowed")),
            (Some(&good), "https://models.example@evil/", Some("SecretHostNotAllowed")),
            (Some(&good), "https://evil/?models.example", Some("SecretHostNotAllowed")),
        ] {
            assert_eq!(got(secret, url), want, "{url}");
        }
        for (annotations, data, want) in [
            (json!({}), key.clone(), "SecretNotAnnotated"),
            (json!({"goldenarch.dev/use": "models"}), key.clone(), "SecretNotAnnotated"),
            (json!({"goldenarch.dev/use": "model"}), key, "SecretHostNotAllowed"),
            (all.clone(), json!({}), "SecretMalformed"),
            (all.clone(), json!({"apiKey": ""}), "SecretMalformed"),
            (all, json!({"apiKey": "//8="}), "SecretMalformed"),
        ] {
            assert_eq!(got(Some(&secret(&annotations, &data)), "https://models.example"), Some(want));
        }
    }
}
