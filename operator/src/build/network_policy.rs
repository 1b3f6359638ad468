//! Default deny for the run pods of a team's namespace: nothing in; out only to Golden's services and to DNS.
//!
//! A second wall: the command of a run has an empty network namespace whether or not the cluster enforces policies.

use super::parts::labels;
use golden_crds::labels::{COMPONENT, RUN_POD};
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ObjectMeta;

/// Its name.
const NAME: &str = "golden-run-default-deny";

/// The policy of one namespace.
pub(crate) fn default_deny(namespace: &str, golden: &str) -> NetworkPolicy {
    NetworkPolicy {
        metadata: ObjectMeta {
            name: Some(NAME.into()),
            namespace: Some(namespace.into()),
            labels: Some(labels([(COMPONENT, "network-policy")])),
            ..ObjectMeta::default()
        },
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(matching(RUN_POD, "true")),
            policy_types: Some(vec!["Ingress".into(), "Egress".into()]),
            ingress: None,
            egress: Some(vec![to_golden(golden), to_dns()]),
        }),
    }
}

fn to_golden(golden: &str) -> NetworkPolicyEgressRule {
    NetworkPolicyEgressRule {
        to: Some(vec![NetworkPolicyPeer {
            namespace_selector: Some(matching("kubernetes.io/metadata.name", golden)),
            ..NetworkPolicyPeer::default()
        }]),
        ports: Some(vec![port("TCP", 8080)]),
    }
}

fn to_dns() -> NetworkPolicyEgressRule {
    NetworkPolicyEgressRule {
        to: Some(vec![NetworkPolicyPeer {
            namespace_selector: Some(matching("kubernetes.io/metadata.name", "kube-system")),
            ..NetworkPolicyPeer::default()
        }]),
        ports: Some(vec![port("UDP", 53), port("TCP", 53)]),
    }
}

fn port(protocol: &str, number: i32) -> NetworkPolicyPort {
    NetworkPolicyPort {
        protocol: Some(protocol.into()),
        port: Some(IntOrString::Int(number)),
        end_port: None,
    }
}

fn matching(label: &str, value: &str) -> LabelSelector {
    LabelSelector { match_labels: Some([(label.into(), value.into())].into()), match_expressions: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_pods_reach_golden_and_dns_and_are_reached_by_nobody() {
        let spec = default_deny("team", "golden-system").spec.unwrap();
        assert_eq!(spec.policy_types.unwrap(), ["Ingress", "Egress"]);
        assert!(spec.ingress.is_none());
        let ports: Vec<_> = spec
            .egress
            .unwrap()
            .into_iter()
            .flat_map(|e| {
                assert_eq!(e.to.unwrap().len(), 1, "a rule without a peer would allow everything");
                e.ports.unwrap()
            })
            .map(|p| p.port.unwrap())
            .collect();
        assert_eq!(ports, [IntOrString::Int(8080), IntOrString::Int(53), IntOrString::Int(53)]);
    }
}
