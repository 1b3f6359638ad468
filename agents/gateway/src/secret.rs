//! Whether a Secret may be used for a provider. Pure.

use golden_crds::labels::{SECRET_HOSTS, SECRET_USE};
use std::collections::BTreeMap;

/// The use that a Secret with a model's key is annotated with.
pub(crate) const MODEL: &str = "model";

/// Why a Secret is not used. The text names what to correct.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretFault {
    #[error("baseURL {0:?} is not a URL with a host")]
    NoHost(String),
    #[error("Secret {0} is not annotated {SECRET_USE}: {MODEL}; it is not used for models")]
    OtherUse(String),
    #[error("Secret {secret} is not annotated for host {host} ({SECRET_HOSTS}); its key is not sent there")]
    OtherHost { secret: String, host: String },
}

/// Checks use and host. A host is `host:port`, or `host` where the port is the scheme's own.
pub fn may_use(
    secret: &str,
    annotations: &BTreeMap<String, String>,
    base_url: &str,
) -> Result<(), SecretFault> {
    let host = host(base_url).ok_or_else(|| SecretFault::NoHost(base_url.to_owned()))?;
    if !lists(annotations.get(SECRET_USE), MODEL) {
        return Err(SecretFault::OtherUse(secret.to_owned()));
    }
    if !lists(annotations.get(SECRET_HOSTS), &host) {
        return Err(SecretFault::OtherHost { secret: secret.to_owned(), host });
    }
    Ok(())
}

fn lists(annotation: Option<&String>, wanted: &str) -> bool {
    annotation.is_some_and(|list| list.split(',').any(|item| item.trim().eq_ignore_ascii_case(wanted)))
}

/// `host` or `host:port` of a URL, the port only where it is written and not the scheme's own.
pub(crate) fn host(url: &str) -> Option<String> {
    let url = reqwest::Url::parse(url).ok().filter(|u| matches!(u.scheme(), "http" | "https"))?;
    // Whoever reads `http://good@evil/` takes it for another host; nobody needs it.
    if !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let host = url.host_str()?;
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotations(usage: &str, hosts: &str) -> BTreeMap<String, String> {
        [(SECRET_USE.to_owned(), usage.to_owned()), (SECRET_HOSTS.to_owned(), hosts.to_owned())].into()
    }

    #[test]
    fn a_key_goes_only_where_its_secret_says() {
        let cases = [
            ("model", "api.example", "https://api.example/v1", true),
            ("git-read, model", "a, api.example:8080 ", "http://api.example:8080/v1", true),
            ("model", "API.example", "https://api.example:443/v1", true),
            ("git-read", "api.example", "https://api.example/v1", false),
            ("model", "api.example", "https://api.example.evil/v1", false),
            ("model", "api.example", "https://api.example:8443/v1", false),
            ("model", "api.example", "https://api.example@evil/v1", false),
            ("model", "api.example", "ftp://api.example/", false),
            ("model", "", "https://api.example/v1", false),
        ];
        for (usage, hosts, url, want) in cases {
            assert_eq!(
                may_use("key", &annotations(usage, hosts), url).is_ok(),
                want,
                "{usage} {hosts} {url}"
            );
        }
        assert!(may_use("key", &BTreeMap::new(), "https://api.example").is_err());
    }
}
