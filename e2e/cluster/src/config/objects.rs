//! The objects every cluster starts with: gVisor's runtime class, storage and DNS.

use std::path::Path;

use serde_json::{Value, json};

use super::kubelet::{DNS_ADDRESS, DOMAIN};
use crate::processes::NODE;

/// Volumes for the chart's databases: Postgres, Redis, NATS and room for more.
pub(crate) const VOLUMES: usize = 12;

/// One `List` to apply.
pub(crate) fn base(volumes: &Path, dns_image: &str, forward: bool) -> Value {
    let mut items = vec![runtime_class(), storage_class()];
    items.extend((0..VOLUMES).map(|number| volume(volumes, number)));
    items.extend(dns(dns_image, forward));
    json!({ "apiVersion": "v1", "kind": "List", "items": items })
}

fn runtime_class() -> Value {
    json!({
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": { "name": "gvisor" },
        "handler": "runsc"
    })
}

fn storage_class() -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": "local",
            "annotations": { "storageclass.kubernetes.io/is-default-class": "true" }
        },
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
        "reclaimPolicy": "Retain"
    })
}

pub(crate) fn volume_name(number: usize) -> String {
    format!("local-{number}")
}

/// `local`, not `hostPath`: only the former follows a pod's `fsGroup`, as
/// volumes of real clusters do, and those too belong to root without it.
fn volume(folder: &Path, number: usize) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": { "name": volume_name(number), "labels": { "golden.local/volume": "true" } },
        "spec": {
            "storageClassName": "local",
            "capacity": { "storage": "5Gi" },
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "local": { "path": folder.join(volume_name(number)) },
            "nodeAffinity": { "required": { "nodeSelectorTerms": [{ "matchExpressions": [
                { "key": "kubernetes.io/hostname", "operator": "In", "values": [NODE] }
            ] }] } }
        }
    })
}

fn dns(image: &str, forward: bool) -> Vec<Value> {
    let meta = json!({ "name": "coredns", "namespace": "kube-system", "labels": { "k8s-app": "kube-dns" } });
    vec![
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": { "name": "system:coredns" },
            "rules": [
                { "apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"] },
                { "apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"] }
            ]
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": { "name": "system:coredns" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns" },
            "subjects": [{ "kind": "ServiceAccount", "name": "coredns", "namespace": "kube-system" }]
        }),
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": { "Corefile": corefile(forward) } }),
        dns_deployment(&meta, image),
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": { "name": "kube-dns", "namespace": "kube-system", "labels": { "k8s-app": "kube-dns" } },
            "spec": {
                "clusterIP": DNS_ADDRESS,
                "selector": { "k8s-app": "kube-dns" },
                "ports": [
                    { "name": "dns", "port": 53, "protocol": "UDP" },
                    { "name": "dns-tcp", "port": 53, "protocol": "TCP" }
                ]
            }
        }),
    ]
}

fn dns_deployment(meta: &Value, image: &str) -> Value {
    let labels = json!({ "k8s-app": "kube-dns" });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": {
                    "serviceAccountName": "coredns",
                    "priorityClassName": "system-cluster-critical",
                    "dnsPolicy": "Default",
                    "containers": [{
                        "name": "coredns",
                        "image": image,
                        "imagePullPolicy": "IfNotPresent",
                        "args": ["-conf", "/etc/coredns/Corefile"],
                        "resources": { "requests": { "cpu": "10m", "memory": "30Mi" }, "limits": { "memory": "170Mi" } },
                        "readinessProbe": { "httpGet": { "path": "/ready", "port": 8181 }, "periodSeconds": 1 },
                        "livenessProbe": { "httpGet": { "path": "/health", "port": 8080 }, "initialDelaySeconds": 30 },
                        "securityContext": {
                            "allowPrivilegeEscalation": false,
                            "readOnlyRootFilesystem": true,
                            "capabilities": { "add": ["NET_BIND_SERVICE"], "drop": ["ALL"] }
                        },
                        "volumeMounts": [{ "name": "config", "mountPath": "/etc/coredns", "readOnly": true }]
                    }],
                    "volumes": [{ "name": "config", "configMap": { "name": "coredns" } }]
                }
            }
        }
    })
}

/// Without a name server to forward to, CoreDNS would refuse to start.
fn corefile(forward: bool) -> String {
    let upstream = if forward { "    forward . /etc/resolv.conf\n    loop\n" } else { "" };
    format!(
        ".:53 {{
    errors
    health
    ready
    kubernetes {DOMAIN} in-addr.arpa ip6.arpa {{
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 5
    }}
    prometheus :9153
    cache 5
{upstream}}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_forwards_only_where_there_is_somebody_to_ask() {
        assert!(corefile(true).contains("forward . /etc/resolv.conf"));
        assert!(!corefile(false).contains("forward"));
    }

    #[test]
    fn every_claim_without_a_class_finds_a_volume() {
        let list = base(Path::new("/v"), "image", true);
        let items = list["items"].as_array().unwrap();
        let class = items.iter().find(|item| item["kind"] == "StorageClass").unwrap();
        assert_eq!(class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"], "true");
        let volumes: Vec<_> = items.iter().filter(|item| item["kind"] == "PersistentVolume").collect();
        assert_eq!(volumes.len(), VOLUMES);
        assert!(volumes.iter().all(|volume| volume["spec"]["storageClassName"] == class["metadata"]["name"]));
    }
}
