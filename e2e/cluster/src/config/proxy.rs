//! kube-proxy's configuration.

use std::path::Path;

use serde_json::json;

use super::containerd::POD_RANGE;

pub(crate) fn config(kubeconfig: &Path) -> String {
    let config = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": { "kubeconfig": kubeconfig },
        "mode": "nftables",
        "clusterCIDR": POD_RANGE,
        "oomScoreAdj": 0,
        // The sysctls behind these are read-only in containers and nested machines.
        "conntrack": { "maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s" }
    });
    format!("{config:#}\n")
}
