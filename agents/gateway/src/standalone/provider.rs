//! The providers of a configuration: each has a ModelProvider's own fields, a name, and the environment variable that
//! holds its key. Pure.

use super::check::{Environment, label, variable};
use super::config::NAMESPACE;
use super::fault::{Fault, Faults};
use super::spec::Spec;
use golden_crds::ModelProvider;
use golden_crds::common::LocalRef;
use golden_crds::model_provider::{ModelProviderSpec, ModelSpec};
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use uuid::Uuid;

/// Providers in one file.
const MOST: usize = 16;
/// Of the kind, but with a meaning only in a cluster.
const OF_CLUSTERS: [(&str, &str); 2] = [
    ("secretRef", "is for clusters; name the environment variable that holds the key in keyEnv"),
    ("allowedNamespaces", "is for clusters; there are no namespaces here"),
];

/// A provider and its key.
pub(super) struct Provider {
    pub(super) object: ModelProvider,
    pub(super) key: Option<String>,
}

/// Reads all of them.
pub(super) fn providers(
    parts: Vec<Map<String, Value>>,
    environment: Environment<'_>,
    faults: &mut Faults,
) -> anyhow::Result<Vec<Provider>> {
    if parts.is_empty() || parts.len() > MOST {
        faults.add("providers", format!("must name 1 to {MOST} providers"));
    }
    let rules = Spec::of::<ModelProvider>()?;
    let (mut read, mut names) = (Vec::new(), HashSet::new());
    for (index, part) in parts.into_iter().take(MOST).enumerate() {
        let at = format!("providers[{index}]");
        let Some(provider) = provider(part, &at, &rules, environment, faults) else { continue };
        if !names.insert(provider.object.metadata.name.clone()) {
            faults.add(format!("{at}.name"), "is the name of two providers");
        }
        read.push(provider);
    }
    Ok(read)
}

fn provider(
    mut part: Map<String, Value>,
    at: &str,
    rules: &Spec,
    environment: Environment<'_>,
    faults: &mut Faults,
) -> Option<Provider> {
    let named = format!("{at}.name");
    let name = faults.note(text(&mut part, at, "name")).flatten();
    match &name {
        Some(name) => drop(faults.note(label(&named, name))),
        None => faults.add(&named, "is missing; `model` and `models` name the provider by it"),
    }
    let holder = faults.note(text(&mut part, at, "keyEnv")).flatten();
    let key = holder.and_then(|name| faults.note(variable(&format!("{at}.keyEnv"), &name, environment)));
    for (field, why) in OF_CLUSTERS {
        if part.remove(field).is_some() {
            faults.add(format!("{at}.{field}"), why);
        }
    }
    let mut spec = spec(part, at, rules, faults)?;
    models(&spec.models, at, faults);
    let name = name?;
    // The key has the provider's own name: one Secret each.
    spec.secret_ref = key.is_some().then(|| LocalRef { name: name.clone() });
    let mut object = ModelProvider::new(&name, spec);
    object.metadata.namespace = Some(NAMESPACE.to_owned());
    object.metadata.uid = Some(uid(&name, &object.spec.base_url));
    Some(Provider { object, key })
}

/// What gateways of one configuration count a provider's calls by: the same in each, another for another endpoint.
fn uid(name: &str, base_url: &str) -> String {
    let name = format!("golden-gateway/{NAMESPACE}/provider/{name}/{base_url}");
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).to_string()
}

/// The part as the kind's spec, if it is one.
fn spec(part: Map<String, Value>, at: &str, rules: &Spec, faults: &mut Faults) -> Option<ModelProviderSpec> {
    let named = |path: &str| if path.is_empty() { at.to_owned() } else { format!("{at}.{path}") };
    let (part, found) = (Value::Object(part), faults.0.len());
    rules.check(&part, named, faults);
    if faults.0.len() > found {
        return None;
    }
    let spec: ModelProviderSpec = serde_path_to_error::deserialize(&part)
        .map_err(|e| faults.add(named(&e.path().to_string()), e.inner().to_string()))
        .ok()?;
    // What is not given back was not read: a misspelt price would be one that only looks set.
    let read = serde_json::to_value(&spec).unwrap_or_default();
    if let Some(path) = unread(&part, &read, at) {
        faults.add(path, "is not a field of a provider; see ModelProvider in docs/api.md");
        return None;
    }
    Some(spec)
}

/// What a cluster finds out at the first call is better known at the start.
fn models(models: &[ModelSpec], at: &str, faults: &mut Faults) {
    let mut names = HashSet::new();
    for (index, model) in models.iter().enumerate() {
        let at = format!("{at}.models[{index}]");
        if !names.insert(&model.name) {
            faults.add(format!("{at}.name"), "is the name of two models");
        }
        for (field, price) in [
            ("inputMicroUSDPerMToken", model.input_micro_usd_per_mtoken),
            ("outputMicroUSDPerMToken", model.output_micro_usd_per_mtoken),
        ] {
            if price.is_none() {
                faults.add(format!("{at}.{field}"), "is missing; a model that is free has the price 0");
            }
        }
    }
}

/// The first field that was not read. Empty values say nothing, so that they may be left out when written.
fn unread(part: &Value, read: &Value, at: &str) -> Option<String> {
    match (part, read) {
        (Value::Object(part), Value::Object(read)) => part.iter().find_map(|(field, value)| {
            let at = format!("{at}.{field}");
            match read.get(field) {
                Some(read) => unread(value, read, &at),
                None => (!value.is_null() && *value != json!([]) && *value != json!({})).then_some(at),
            }
        }),
        (Value::Array(part), Value::Array(read)) => {
            let both = part.iter().zip(read).enumerate();
            both.into_iter().find_map(|(index, (part, read))| unread(part, read, &format!("{at}[{index}]")))
        }
        _ => None,
    }
}

/// A text of the part, taken out of it.
fn text(part: &mut Map<String, Value>, at: &str, field: &str) -> Result<Option<String>, Fault> {
    match part.remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Fault::new(format!("{at}.{field}"), "must be a text")),
    }
}
