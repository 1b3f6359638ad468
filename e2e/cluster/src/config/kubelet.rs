//! The kubelet's configuration.

use std::path::Path;

use serde_json::json;

use crate::pki::Pki;

/// Pods' control groups live under this one, so that `down` can tell ours.
pub(crate) const CGROUP: &str = "/golden";
pub(crate) const DNS_ADDRESS: &str = "10.96.0.10";
pub(crate) const DOMAIN: &str = "cluster.local";
pub(crate) const PORT: u16 = 10_250;

pub(crate) fn config(pki: &Pki, containerd: &Path, pod_logs: &Path, resolver: &Path) -> String {
    let config = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true },
            "x509": { "clientCAFile": pki.path("ca.crt") }
        },
        "authorization": { "mode": "Webhook" },
        // Signed by the cluster's authority, so that the apiserver trusts it for logs and exec.
        "tlsCertFile": pki.path("kubelet.crt"),
        "tlsPrivateKeyFile": pki.path("kubelet.key"),
        "port": PORT,
        "containerRuntimeEndpoint": format!("unix://{}/containerd.sock", containerd.display()),
        "podLogsDir": pod_logs,
        "clusterDNS": [DNS_ADDRESS],
        "clusterDomain": DOMAIN,
        "resolvConf": resolver,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": CGROUP,
        "failCgroupV1": false,
        "failSwapOn": false,
        // Lowering it needs a capability that nested machines lack.
        "oomScoreAdj": 0,
        "podPidsLimit": 4096,
        // A development machine runs nearly full; the defaults would evict everything.
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%"
        },
        // There is no registry to pull a collected image from again.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99
    });
    format!("{config:#}\n")
}
