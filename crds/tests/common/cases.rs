//! The table of cases, `tests/cases/‹plural›.yaml`.
//!
//! A case is a JSON merge patch over the file's `base`, valid or not by one rule. `{$repeat: x, times: n}` stands
//! for a long string.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::path::Path;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    pub kind: String,
    /// The smallest valid object.
    pub base: Value,
    /// Valid objects that together set every field of the spec.
    pub full: Vec<Value>,
    pub cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// How the rule's message begins.
    pub rule: String,
    /// Where the error points.
    pub field: String,
    pub valid: bool,
    /// What is written, as a patch over `base`.
    pub object: Value,
    /// What was there before, as a patch over `base`; absent for a creation.
    #[serde(default)]
    pub old: Option<Value>,
}

impl CaseFile {
    pub fn all() -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
        let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
        paths.sort();
        paths
            .iter()
            .map(|path| {
                let text = std::fs::read_to_string(path).unwrap();
                serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
            })
            .collect()
    }

    /// `patch` over `base`, as a whole object.
    pub fn object(&self, patch: &Value) -> Value {
        let mut object = self.base.clone();
        merge(&mut object, patch);
        self.whole(object)
    }

    /// The objects of `full`, whole.
    pub fn full(&self) -> Vec<Value> {
        self.full.iter().map(|o| self.whole(o.clone())).collect()
    }

    fn whole(&self, mut object: Value) -> Value {
        expand(&mut object);
        object["apiVersion"] = json!(format!("{}/{}", golden_crds::GROUP, golden_crds::VERSION));
        object["kind"] = json!(self.kind);
        if object["metadata"]["name"].is_null() {
            object["metadata"]["name"] = json!("case");
        }
        if self.kind != "GovernancePolicy" {
            object["metadata"]["namespace"] = json!("default");
        }
        object
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verb = if self.valid { "accepts" } else { "refuses" };
        let text = self.object.to_string();
        write!(f, "`{}` {verb} {}", self.rule, text.chars().take(200).collect::<String>())
    }
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let target = target.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

fn expand(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if let (Some(text), Some(times)) = (object.get("$repeat"), object.get("times")) {
                let times = usize::try_from(times.as_u64().unwrap()).unwrap();
                *value = json!(text.as_str().unwrap().repeat(times));
            } else {
                object.values_mut().for_each(expand);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(expand),
        _ => {}
    }
}
