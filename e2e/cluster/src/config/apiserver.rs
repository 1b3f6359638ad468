//! The apiserver's arguments and its audit policy.

use std::net::IpAddr;
use std::path::Path;

use crate::pki::Pki;

/// Services get their addresses from here; the first is the apiserver's own.
pub(crate) const SERVICE_RANGE: &str = "10.96.0.0/16";
pub(crate) const SERVICE_ADDRESS: &str = "10.96.0.1";

/// What differs between a full cluster and an apiserver alone.
pub(crate) struct Settings<'a> {
    pub(crate) pki: &'a Pki,
    pub(crate) etcd: String,
    pub(crate) port: u16,
    pub(crate) node: IpAddr,
    pub(crate) audit_policy: &'a Path,
    pub(crate) audit_log: &'a Path,
    /// Without kubelet and controllers nothing makes the default service
    /// account, which pods would wait for, and nobody needs the endpoint.
    pub(crate) alone: bool,
}

/// Who writes our objects and pods. Reads are left out: informers would fill the log.
pub(crate) const AUDIT_POLICY: &str = r#"apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  verbs: [create, update, patch, delete, deletecollection]
  resources:
  - group: goldenarch.dev
  - group: ""
    resources: [pods, pods/exec, pods/attach, pods/eviction]
  - group: batch
    resources: [jobs]
  - group: ""
    resources: [events]
  - group: events.k8s.io
- level: None
"#;

pub(crate) fn args(settings: &Settings<'_>) -> Vec<String> {
    let Settings { pki, etcd, port, node, .. } = settings;
    let file = |name: &str| pki.path(name).display().to_string();
    let mut args = vec![
        format!("--etcd-servers={etcd}"),
        format!("--secure-port={port}"),
        format!("--bind-address={}", if settings.alone { "127.0.0.1" } else { "0.0.0.0" }),
        format!("--advertise-address={node}"),
        format!("--service-cluster-ip-range={SERVICE_RANGE}"),
        format!("--client-ca-file={}", file("ca.crt")),
        format!("--tls-cert-file={}", file("apiserver.crt")),
        format!("--tls-private-key-file={}", file("apiserver.key")),
        "--authorization-mode=Node,RBAC".to_owned(),
        "--enable-admission-plugins=NodeRestriction".to_owned(),
        "--allow-privileged=true".to_owned(),
        "--profiling=false".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
        format!("--service-account-key-file={}", file("service-accounts.pub")),
        format!("--service-account-signing-key-file={}", file("service-accounts.key")),
        format!("--audit-policy-file={}", settings.audit_policy.display()),
        format!("--audit-log-path={}", settings.audit_log.display()),
        "--audit-log-maxsize=100".to_owned(),
        "--audit-log-maxbackup=1".to_owned(),
    ];
    if settings.alone {
        args.push("--disable-admission-plugins=ServiceAccount".to_owned());
        args.push("--endpoint-reconciler-type=none".to_owned());
    } else {
        args.extend(kubelet_access(&file));
        args.extend(aggregation(&file));
    }
    args
}

/// Logs and exec: the apiserver calls the kubelet, each checking the other.
fn kubelet_access(file: &impl Fn(&str) -> String) -> [String; 4] {
    [
        format!("--kubelet-certificate-authority={}", file("ca.crt")),
        format!("--kubelet-client-certificate={}", file("apiserver-to-kubelet.crt")),
        format!("--kubelet-client-key={}", file("apiserver-to-kubelet.key")),
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
    ]
}

/// Serving other APIs, such as custom metrics, through this one.
fn aggregation(file: &impl Fn(&str) -> String) -> [String; 7] {
    [
        format!("--requestheader-client-ca-file={}", file("front-proxy-ca.crt")),
        "--requestheader-allowed-names=front-proxy".to_owned(),
        "--requestheader-username-headers=X-Remote-User".to_owned(),
        "--requestheader-group-headers=X-Remote-Group".to_owned(),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-".to_owned(),
        format!("--proxy-client-cert-file={}", file("front-proxy.crt")),
        format!("--proxy-client-key-file={}", file("front-proxy.key")),
    ]
}

/// The names the apiserver is reached by.
pub(crate) fn hosts(node: IpAddr) -> Vec<String> {
    [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ]
    .iter()
    .map(|name| format!("DNS:{name}"))
    .chain(["IP:127.0.0.1".to_owned(), format!("IP:{SERVICE_ADDRESS}"), format!("IP:{node}")])
    .collect()
}
