//! The CustomResourceDefinitions as YAML, made from the types. Deterministic: the committed files must equal them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Map, Number, Value, json};

/// Why a CustomResourceDefinition could not be written.
#[derive(Debug, thiserror::Error)]
pub enum CrdgenError {
    /// The definition is not JSON: a defect of a derive.
    #[error("the CustomResourceDefinition of {name} cannot be written as JSON: {source}")]
    Json {
        /// `metadata.name` of the definition.
        name: String,
        /// What the serializer said.
        source: serde_json::Error,
    },
    /// The definition is not YAML: a defect of the YAML writer.
    #[error("the CustomResourceDefinition of {name} cannot be written as YAML: {reason}")]
    Yaml {
        /// `metadata.name` of the definition.
        name: String,
        /// What the serializer said.
        reason: String,
    },
}

const HEADER: &str = "# Generated from crds/src by `cargo xtask crdgen`. Do not edit.\n";

/// The file name (`‹plural›.yaml`) and content of every kind's definition, in alphabetical order.
pub fn generate() -> Result<Vec<(String, String)>, CrdgenError> {
    let mut files = definitions()?
        .into_iter()
        .map(|crd| {
            let plural = crd["spec"]["names"]["plural"].as_str().unwrap_or_default().to_owned();
            let yaml = serde_saphyr::to_string(&crd)
                .map_err(|e| CrdgenError::Yaml { name: plural.clone(), reason: e.to_string() })?;
            Ok((format!("{plural}.yaml"), format!("{HEADER}{yaml}")))
        })
        .collect::<Result<Vec<_>, CrdgenError>>()?;
    files.sort();
    Ok(files)
}

/// Every kind's definition as JSON, as it is applied.
pub fn definitions() -> Result<Vec<Value>, CrdgenError> {
    [
        crate::AgentTask::crd(),
        crate::AgentTeam::crd(),
        crate::Budget::crd(),
        crate::Decision::crd(),
        crate::GovernancePolicy::crd(),
        crate::ModelProvider::crd(),
        crate::PromptRevision::crd(),
        crate::SandboxRun::crd(),
    ]
    .into_iter()
    .map(finish)
    .collect()
}

/// Turns a derived definition into what is applied: known formats only, labels, no empty leftovers.
fn finish(mut crd: CustomResourceDefinition) -> Result<Value, CrdgenError> {
    let name = crd.metadata.name.clone().unwrap_or_default();
    crd.metadata.labels =
        Some([("app.kubernetes.io/part-of".to_owned(), "golden".to_owned())].into_iter().collect());
    let mut value = serde_json::to_value(crd).map_err(|source| CrdgenError::Json { name, source })?;
    clean(&mut value);
    Ok(value)
}

/// Makes every schema say exactly what is meant, wherever it stands in the definition.
fn clean(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(clean),
        Value::Object(object) => {
            clean_schema(object);
            object.values_mut().for_each(clean);
        }
        Value::Number(number) => *number = whole(number),
        _ => {}
    }
}

fn clean_schema(object: &mut Map<String, Value>) {
    // The apiserver knows no unsigned formats; the bound at 0 says what they mean.
    let known = match object.get("format").and_then(Value::as_str) {
        Some("uint32") => Some("int32"),
        Some("uint64" | "uint16" | "uint8" | "uint") => Some("int64"),
        _ => None,
    };
    if let Some(format) = known {
        object.insert("format".into(), json!(format));
    }
    // The apiserver drops a null unless it is allowed, so that null means absent. Allowed, a rule would take it
    // for a value: `limits: {tokens: null}` would pass for a limit.
    if object.get("nullable").is_some_and(Value::is_boolean) {
        object.remove("nullable");
    }
}

/// Bounds are kept as floats by the API's types; nothing here has a fraction.
fn whole(number: &Number) -> Number {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match number.as_f64() {
        #[allow(clippy::cast_possible_truncation)] // Whole and below 2^53, so exact.
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < EXACT => {
            Number::from(float as i64)
        }
        _ => number.clone(),
    }
}
