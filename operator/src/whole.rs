//! Objects taken whole or not at all: a spec with a field this version does not know is refused, since leaving the
//! field out would make something look enforced that is not.
//!
//! Such fields come with kinds newer than this operator (during an upgrade, or after a rollback). The check is the
//! object's own way back: what serializing the read object does not give again was not read.

use kube::Resource;
use kube::core::ObjectMeta;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::borrow::Cow;

/// How the error of an unserved field begins.
pub(crate) const NOT_SERVED: &str = "this version of Golden does not serve";

/// An object every field of whose spec was read.
#[derive(Clone, Debug)]
pub(crate) struct Whole<K>(pub(crate) K);

impl<'de, K: DeserializeOwned + Serialize> Deserialize<'de> for Whole<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Value::deserialize(deserializer)?;
        let object = K::deserialize(&raw).map_err(D::Error::custom)?;
        let read = serde_json::to_value(&object).map_err(D::Error::custom)?;
        match unread(&raw["spec"], &read["spec"], "spec") {
            None => Ok(Self(object)),
            Some(path) => Err(D::Error::custom(format!("{NOT_SERVED} {path}"))),
        }
    }
}

/// The first field that was not read. Empty values say nothing, so they are often left out when written.
fn unread(raw: &Value, read: &Value, path: &str) -> Option<String> {
    match (raw, read) {
        (Value::Object(raw), Value::Object(read)) => raw.iter().find_map(|(key, value)| {
            let path = format!("{path}.{key}");
            match read.get(key) {
                Some(read) => unread(value, read, &path),
                None => (!is_empty(value)).then_some(path),
            }
        }),
        (Value::Array(raw), Value::Array(read)) => {
            let both = raw.iter().zip(read).enumerate();
            both.into_iter().find_map(|(i, (raw, read))| unread(raw, read, &format!("{path}[{i}]")))
        }
        _ => None,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

impl<K: Resource> Resource for Whole<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(of: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(of)
    }

    fn group(of: &Self::DynamicType) -> Cow<'_, str> {
        K::group(of)
    }

    fn version(of: &Self::DynamicType) -> Cow<'_, str> {
        K::version(of)
    }

    fn plural(of: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(of)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.meta()
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.meta_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use golden_crds::{AgentTask, AgentTeam, Budget, Decision, GovernancePolicy, ModelProvider, SandboxRun};
    use serde_json::json;

    fn policy(spec: &Value) -> Result<Whole<GovernancePolicy>, String> {
        let object = json!({"apiVersion": "goldenarch.dev/v1alpha1", "kind": "GovernancePolicy",
            "metadata": {"name": "p"}, "spec": spec});
        serde_json::from_value(object).map_err(|e| e.to_string())
    }

    #[test]
    fn a_field_that_is_not_served_is_named() {
        let known = json!({"guards": {"required": [{"name": "g", "image": "i", "command": ["c"]}]}});
        assert!(policy(&known).is_ok(), "{:?}", policy(&known));
        for (spec, path) in [
            (json!({"quarantine": true}), "spec.quarantine"),
            (json!({"guards": {"forbidden": ["x"]}}), "spec.guards.forbidden"),
            (
                json!({"guards": {"required": [{"name": "g", "image": "i", "command": ["c"], "cache": 2}]}}),
                "spec.guards.required[0].cache",
            ),
        ] {
            assert_eq!(policy(&spec).unwrap_err(), format!("{NOT_SERVED} {path}"));
        }
        let zero =
            json!({"guards": {"required": [{"name": "g", "image": "i", "command": ["c"], "retries": 0}]}});
        assert!(policy(&zero).is_ok(), "a value that is said though it is the default: {:?}", policy(&zero));
        assert!(policy(&json!({"quarantine": null, "extras": {}})).is_ok(), "nothing is asked for");
    }

    /// Every field there is, as the rules' own tests set them, is read and given back.
    #[test]
    fn what_is_served_is_never_taken_for_unserved() {
        fn all<K: DeserializeOwned + Serialize>(cases: &str) {
            let cases: Value = serde_saphyr::from_str(cases).unwrap();
            let full = cases["full"].as_array().unwrap();
            assert!(!full.is_empty());
            for one in full {
                let mut object = one.clone();
                let fields = object.as_object_mut().unwrap();
                fields.insert("apiVersion".into(), "goldenarch.dev/v1alpha1".into());
                fields.insert("kind".into(), cases["kind"].clone());
                fields.entry("metadata").or_insert_with(|| json!({"name": "x"}));
                serde_json::from_value::<Whole<K>>(object).unwrap_or_else(|e| panic!("{e}: {one}"));
            }
        }
        macro_rules! cases {
            ($kind:ty, $file:literal) => {
                all::<$kind>(include_str!(concat!("../../crds/tests/cases/", $file, ".yaml")));
            };
        }
        cases!(AgentTask, "agenttasks");
        cases!(AgentTeam, "agentteams");
        cases!(Budget, "budgets");
        cases!(Decision, "decisions");
        cases!(GovernancePolicy, "governancepolicies");
        cases!(ModelProvider, "modelproviders");
        cases!(SandboxRun, "sandboxruns");
    }
}
