//! The service accounts of a team's namespace. Neither has any rights and neither token is mounted by itself.

use super::parts::labels;
use golden_crds::labels::COMPONENT;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::ObjectMeta;

/// What task and run pods run as.
pub(crate) const RUN: &str = "golden-run";
/// Whose token people read run data with (docs/decisions/0004).
pub(crate) const READER: &str = "golden-reader";

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
