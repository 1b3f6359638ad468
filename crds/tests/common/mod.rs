//! What the two test targets share: the same cases run through the crate (`rules.rs`) and through a real
//! apiserver (`apiserver.rs`).
#![allow(dead_code, unreachable_pub)] // Each target uses its part, and sees it as its own.

pub mod bounds;
pub mod cases;
pub mod found;
pub mod pages;

use serde_json::Value;

/// The generated definitions, read back from the YAML that is applied.
pub fn definitions() -> Vec<Value> {
    let files = golden_crds::generate().expect("the kinds can be written");
    files
        .iter()
        .map(|(name, yaml)| serde_saphyr::from_str(yaml).unwrap_or_else(|e| panic!("{name}: {e}")))
        .collect()
}

/// The kind a definition defines.
pub fn kind(crd: &Value) -> &str {
    crd["spec"]["names"]["kind"].as_str().expect("a definition names its kind")
}

/// The schema of the one version.
pub fn schema(crd: &Value) -> &Value {
    &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

/// `spec.files[3].path` as `spec.files[].path`: where a rule stands, whatever the item.
pub fn without_indices(path: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in path.chars() {
        inside = (inside || c == '[') && c != ']';
        if !inside || c == '[' {
            out.push(c);
        }
    }
    out
}
