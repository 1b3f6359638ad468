//! The map from names that clients ask for to the models that answer, as the file has it. Pure.

use super::config::NAMESPACE;
use super::fault::{Fault, Faults};
use super::models::{Models, Rule, Target};
use super::provider::Provider;
use golden_platform::wire::ModelBinding;
use std::collections::BTreeMap;

/// Lines of the map.
const MOST: usize = 64;
/// Models that a fault lists.
const SHOWN: usize = 8;

/// Reads `models`; `model` is its line for any name.
pub(super) fn models(
    model: Option<String>,
    mut map: BTreeMap<String, String>,
    providers: &[Provider],
    faults: &mut Faults,
) -> Models {
    if map.len() > MOST {
        faults.add("models", format!("may have {MOST} lines at most"));
    }
    let all = map.remove("*");
    if model.is_some() && all.is_some() {
        faults.add("model", "says the same as the line `*` of models; leave one out");
    }
    if model.is_none() && all.is_none() && map.is_empty() {
        faults.add(
            "model",
            "is missing; name the model that answers, as provider/model, or map names in `models`",
        );
    }
    let all =
        model.map(|model| ("model".to_owned(), model)).or(all.map(|model| ("models.*".to_owned(), model)));
    let lines = map.into_iter().map(|(asked, model)| (format!("models.{asked}"), asked, model));
    let lines = lines.chain(all.map(|(field, model)| (field, "*".to_owned(), model)));
    let mut rules = Vec::new();
    for (field, asked, model) in lines.take(MOST + 1) {
        if !can_be_asked(&asked) {
            let why =
                "must be a name of at most 128 letters, digits and `-_.:/@+`, with a `*` at its end at most";
            faults.add(field.chars().take(64).collect::<String>(), why);
        } else if let Some(target) = faults.note(target(&field, &model, providers)) {
            rules.push(Rule { asked, target });
        }
    }
    Models::new(rules, known(providers))
}

/// Names go into commands that people copy: nothing in them means anything to a shell.
fn can_be_asked(asked: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/@+".contains(&b);
    let beginning = asked.strip_suffix('*').unwrap_or(asked);
    !asked.is_empty() && asked.len() <= 128 && beginning.bytes().all(plain)
}

/// The model that `provider/model` names. A model's own name may have slashes, a provider's has none.
fn target(field: &str, named: &str, providers: &[Provider]) -> Result<Target, Fault> {
    let known = known(providers);
    let found = named.split_once('/').and_then(|(provider, model)| {
        known.iter().find(|t| t.binding.provider == provider && t.binding.model == model)
    });
    found.cloned().ok_or_else(|| {
        let shown = |t: &Target| format!("{}/{}", t.binding.provider, t.binding.model);
        let some: Vec<String> = known.iter().take(SHOWN).map(shown).collect();
        Fault::new(field, format!("must be provider/model, as providers have them: {}", some.join(", ")))
    })
}

fn known(providers: &[Provider]) -> Vec<Target> {
    let of = |provider: &Provider| {
        let (name, spec) = (provider.object.metadata.name.clone(), &provider.object.spec);
        let models = spec.models.iter().map(move |model| {
            let provider = name.clone().unwrap_or_default();
            let binding = ModelBinding {
                namespace: NAMESPACE.to_owned(),
                provider,
                model: model.name.clone(),
                context_window: None,
            };
            Target { binding, speaks: spec.protocol }
        });
        models.collect::<Vec<_>>()
    };
    providers.iter().flat_map(of).collect()
}
