//! The service accounts of a team's namespace. None has any rights and no token is mounted by itself.

use super::parts::labels;
use golden_crds::labels::COMPONENT;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::ObjectMeta;

/// One of them.
pub(crate) fn service_account(namespace: &str, name: &str) -> ServiceAccount {
    ServiceAccount {
        metadata: ObjectMeta {
            name: Some(name.into()),
            namespace: Some(namespace.into()),
            labels: Some(labels([(COMPONENT, name)])),
            ..ObjectMeta::default()
        },
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}
