//! The manifests of `examples/`, fitted to a cluster that is not the demo's own.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// What differs there. The default changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fit {
    /// Where the cluster finds the images that manifests call `golden.local/…`; absent: under that very name.
    pub registry: Option<String>,
    /// RuntimeClass that every policy names for its guards; absent: as the policies have it, which is gVisor's.
    pub runtime_class: Option<String>,
    /// Who submits, where the cluster does not stamp it; absent: the stamp says.
    pub submitted_by: Option<String>,
}

impl Fit {
    /// Text with the images named as this cluster finds them.
    pub fn images(&self, text: &str) -> String {
        match &self.registry {
            Some(registry) => text.replace("golden.local/", &format!("{}/", registry.trim_end_matches('/'))),
            None => text.to_owned(),
        }
    }

    /// Manifests as this cluster needs them, as YAML or JSON.
    ///
    /// # Errors
    /// When they are no YAML.
    pub fn manifests(&self, text: &str) -> Result<String> {
        let text = self.images(text);
        if self.runtime_class.is_none() && self.submitted_by.is_none() {
            return Ok(text);
        }
        let mut objects: Vec<Value> =
            serde_saphyr::from_multiple(&text).context("the manifests are no YAML")?;
        for object in &mut objects {
            self.one(object);
        }
        Ok(json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string())
    }

    fn one(&self, object: &mut Value) {
        match (object["kind"].as_str(), &self.runtime_class, &self.submitted_by) {
            // Those without the field too: what is not named is gVisor.
            (Some("GovernancePolicy"), Some(class), _) => {
                object["spec"]["sandbox"]["runtimeClassName"] = json!(class);
            }
            (Some("AgentTask"), _, Some(user)) => object["spec"]["submittedBy"] = json!(user),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::install::root;

    fn fitted(file: &str, fit: &Fit) -> Vec<Value> {
        let text = std::fs::read_to_string(root().join("examples").join(file)).unwrap();
        let text = fit.manifests(&text).unwrap();
        match serde_json::from_str::<Value>(&text) {
            Ok(mut list) => serde_json::from_value(list["items"].take()).unwrap(),
            Err(_) => serde_saphyr::from_multiple(&text).unwrap(),
        }
    }

    #[test]
    fn every_policy_names_the_class_that_was_asked_for() {
        let fit = Fit { runtime_class: Some("runc".into()), ..Fit::default() };
        let policies = fitted("platform/policies.yaml", &fit);
        assert!(policies.len() >= 3);
        for policy in &policies {
            assert_eq!(policy["spec"]["sandbox"]["runtimeClassName"], "runc", "{policy}");
        }
        let before = fitted("platform/policies.yaml", &Fit::default());
        assert_eq!(
            policies[0]["spec"]["sandbox"]["maxTimeoutSeconds"],
            before[0]["spec"]["sandbox"]["maxTimeoutSeconds"]
        );
        assert_eq!(policies[0]["spec"]["review"], before[0]["spec"]["review"]);
    }

    #[test]
    fn tasks_name_their_submitter_only_where_nobody_stamps_it() {
        let fit = Fit { submitted_by: Some("kubernetes-admin".into()), ..Fit::default() };
        let racers = fitted("tasks/last-cent.yaml", &fit);
        assert_eq!(racers.len(), 2);
        for task in racers {
            assert_eq!(task["spec"]["submittedBy"], "kubernetes-admin");
        }
        assert_eq!(fitted("tasks/adr-queue.yaml", &Fit::default())[0]["spec"].get("submittedBy"), None);
        assert_eq!(fitted("checkout/team.yaml", &fit), fitted("checkout/team.yaml", &Fit::default()));
    }

    #[test]
    fn images_come_from_the_registry() {
        let fit = Fit { registry: Some("registry.example/golden/".into()), ..Fit::default() };
        assert_eq!(fit.images("image: golden.local/a:dev"), "image: registry.example/golden/a:dev");
        assert_eq!(Fit::default().images("image: golden.local/a:dev"), "image: golden.local/a:dev");
    }
}
