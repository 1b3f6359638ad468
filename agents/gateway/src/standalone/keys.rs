//! Providers' keys from the environment, in the place of Secrets: read once, at the start.

use super::config::NAMESPACE;
use super::provider::Provider;
use crate::providers::{API_KEY, SecretData, Secrets};
use crate::secret::{MODEL, host};
use futures::future::BoxFuture;
use golden_crds::labels::{SECRET_HOSTS, SECRET_USE};
use std::collections::HashMap;

/// The keys by their providers' names. Each is for its provider's own host alone, like a Secret that says so.
pub(super) struct Keys(HashMap<String, SecretData>);

impl Keys {
    pub(super) fn of(providers: &[Provider]) -> Self {
        let secret = |provider: &Provider| {
            let host = host(&provider.object.spec.base_url)?;
            let key = provider.key.clone()?.into_bytes();
            let data = SecretData {
                annotations: [(SECRET_USE.to_owned(), MODEL.to_owned()), (SECRET_HOSTS.to_owned(), host)]
                    .into(),
                data: [(API_KEY.to_owned(), key)].into(),
            };
            Some((provider.object.metadata.name.clone()?, data))
        };
        Self(providers.iter().filter_map(secret).collect())
    }
}

impl Secrets for Keys {
    fn read<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<SecretData>, String>> {
        let found = if namespace == NAMESPACE { self.0.get(name).cloned() } else { None };
        Box::pin(std::future::ready(Ok(found)))
    }
}
