//! What a cluster of somebody else's must have for the demo: looked at first, and told in one message.

use crate::tools::Tools;
use anyhow::Result;
use serde_json::Value;
use std::collections::BTreeSet;

/// The RuntimeClass that the examples' policies name.
pub const GVISOR: &str = "gvisor";

/// What there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The server's version, `v1.36.1`.
    pub version: String,
    /// Resources of `admissionregistration.k8s.io/v1`, by their plural names.
    pub admission: BTreeSet<String>,
    pub runtime_classes: BTreeSet<String>,
    pub has_default_storage: bool,
    /// Who the apiserver takes us for.
    pub user: String,
}

/// Asks the cluster.
///
/// # Errors
/// When it does not answer, or refuses: the demo needs an administrator's rights.
pub fn look(tools: &Tools) -> Result<Found> {
    let version = tools.json(&["version", "-o", "json"])?;
    let api = tools.json(&["get", "--raw", "/apis/admissionregistration.k8s.io/v1"])?;
    let who = tools.json(&["auth", "whoami", "-o", "json"])?;
    let text = |value: &Value, pointer: &str| {
        value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    Ok(Found {
        version: text(&version, "/serverVersion/gitVersion"),
        admission: names(&api["resources"], "/name"),
        runtime_classes: names(&tools.get(&["runtimeclasses"])?["items"], "/metadata/name"),
        has_default_storage: has_default(&tools.get(&["storageclasses"])?),
        user: text(&who, "/status/userInfo/username"),
    })
}

fn names(list: &Value, pointer: &str) -> BTreeSet<String> {
    let all = list.as_array().into_iter().flatten();
    all.filter_map(|one| one.pointer(pointer)?.as_str().map(str::to_owned)).collect()
}

fn has_default(classes: &Value) -> bool {
    let marked = |class: &Value| {
        class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
    };
    classes["items"].as_array().into_iter().flatten().any(marked)
}

impl Found {
    /// Whether the cluster can stamp who submits a task (Kubernetes 1.36 and newer).
    pub fn stamps(&self) -> bool {
        self.admission.contains("mutatingadmissionpolicies")
    }

    /// What is missing, each with what to do; `class` is the RuntimeClass that guards are to run under. Pure.
    pub fn lacks(&self, class: &str) -> Vec<String> {
        let mut missing = Vec::new();
        if !self.admission.contains("validatingadmissionpolicies") {
            missing.push(format!(
                "Kubernetes {} serves no ValidatingAdmissionPolicy v1, by which nobody but Golden writes results: use 1.30 or newer",
                self.version
            ));
        }
        if !self.runtime_classes.contains(class) {
            missing.push(self.no_class(class));
        }
        if !self.has_default_storage {
            missing.push(
                "there is no default StorageClass, and the stores need volumes: mark one with the annotation storageclass.kubernetes.io/is-default-class=true"
                    .into(),
            );
        }
        missing
    }

    fn no_class(&self, class: &str) -> String {
        let there: Vec<_> = self.runtime_classes.iter().map(String::as_str).collect();
        let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
        if class != GVISOR {
            return format!(
                "there is no RuntimeClass {class} (there is: {there}): name one that exists, or make it"
            );
        }
        format!(
            "there is no RuntimeClass {GVISOR} (there is: {there}). Install gVisor on the nodes and make it; or let guards share the nodes' kernel, which is weaker and which the policies then name:\n\
             \n    kubectl apply -f - <<< '{{\"apiVersion\":\"node.k8s.io/v1\",\"kind\":\"RuntimeClass\",\"metadata\":{{\"name\":\"runc\"}},\"handler\":\"runc\"}}'\n\
             \n  and pass --runtime-class runc"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn whole() -> Found {
        Found {
            version: "v1.36.1".into(),
            admission: ["validatingadmissionpolicies", "mutatingadmissionpolicies"].map(Into::into).into(),
            runtime_classes: [GVISOR.to_owned()].into(),
            has_default_storage: true,
            user: "kubernetes-admin".into(),
        }
    }

    #[test]
    fn a_whole_cluster_lacks_nothing() {
        assert!(whole().lacks(GVISOR).is_empty());
        assert!(whole().stamps());
    }

    #[test]
    fn each_thing_that_is_missing_is_named_with_what_to_do() {
        let kind = Found { runtime_classes: BTreeSet::new(), ..whole() };
        let [class] = &kind.lacks(GVISOR)[..] else { panic!("one thing is missing") };
        assert!(class.contains("--runtime-class runc") && class.contains("there is: none"), "{class}");
        let named = Found { runtime_classes: ["runc".to_owned()].into(), ..whole() };
        assert!(named.lacks("runc").is_empty());
        assert!(named.lacks("kata")[0].contains("no RuntimeClass kata (there is: runc)"));
        let bare = Found { version: "v1.29.0".into(), ..Found::default() };
        let missing = bare.lacks(GVISOR);
        assert_eq!(missing.len(), 3, "{missing:?}");
        assert!(missing[0].contains("v1.29.0") && missing[2].contains("StorageClass"), "{missing:?}");
    }

    #[test]
    fn an_older_cluster_stamps_nothing_and_lacks_nothing_for_it() {
        let older = Found { admission: ["validatingadmissionpolicies".to_owned()].into(), ..whole() };
        assert!(!older.stamps() && older.lacks(GVISOR).is_empty());
    }

    #[test]
    fn only_a_marked_storage_class_is_the_default() {
        let class = |marked: &str| json!({"items": [{"metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": marked}}}]});
        assert!(has_default(&class("true")));
        assert!(!has_default(&class("false")) && !has_default(&json!({"items": [{"metadata": {}}]})));
    }
}
