//! Manifests and lock files in JSON and TOML.

use super::listing::{Listing, add};
use super::python;
use super::source::{Ecosystem, Kind, Source};
use serde_json::{Map, Value};

pub(super) fn listing(source: Source, file: &Value) -> Listing {
    let mut all = Listing::new();
    match (source.ecosystem, source.kind) {
        (Ecosystem::Cargo, Kind::Manifest) => cargo(&mut all, file),
        (Ecosystem::Npm, Kind::Manifest) => npm(&mut all, file),
        (Ecosystem::Npm, _) => npm_lock(&mut all, file),
        (Ecosystem::Pypi, Kind::Manifest) => pyproject(&mut all, file),
        (ecosystem, _) => locked(&mut all, ecosystem, file),
    }
    all
}

fn object<'a>(value: &'a Value, key: &str) -> Option<&'a Map<String, Value>> {
    value.get(key)?.as_object()
}

fn strings(value: Option<&Value>) -> impl Iterator<Item = &str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn cargo(all: &mut Listing, file: &Value) {
    cargo_tables(all, file);
    if let Some(workspace) = file.get("workspace") {
        cargo_tables(all, workspace);
    }
    for target in object(file, "target").into_iter().flat_map(Map::values) {
        cargo_tables(all, target);
    }
}

fn cargo_tables(all: &mut Listing, of: &Value) {
    for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
        for (key, value) in object(of, table).into_iter().flatten() {
            let renamed = value.get("package").and_then(Value::as_str);
            add(all, renamed.unwrap_or(key), &wanted(value), None, false);
        }
    }
}

/// What is accepted: a version, or where it comes from instead.
fn wanted(value: &Value) -> String {
    if let Some(version) = value.as_str() {
        return version.to_owned();
    }
    let parts = ["version", "git", "url", "path", "branch", "tag", "rev", "registry"];
    let given = parts.iter().filter_map(|key| Some((key, value.get(key)?.as_str()?)));
    given
        .map(|(key, value)| if *key == "version" { value.into() } else { format!("{key}={value}") })
        .collect::<Vec<String>>()
        .join(" ")
}

fn npm(all: &mut Listing, file: &Value) {
    for table in ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"] {
        for (name, value) in object(file, table).into_iter().flatten() {
            let wanted = value.as_str().unwrap_or_default();
            let (name, version) = npm_alias(wanted).unwrap_or((name, wanted));
            add(all, name, version, None, false);
        }
    }
}

/// `npm:NAME@VERSION` installs that package under another name; a scope begins with the sign, too.
fn npm_alias(value: &str) -> Option<(&str, &str)> {
    let package = value.strip_prefix("npm:")?;
    Some(package.rsplit_once('@').filter(|(name, _)| !name.is_empty()).unwrap_or((package, "")))
}

/// Version 2 and 3 of the format list all by their place; version 1 nests them.
fn npm_lock(all: &mut Listing, file: &Value) {
    let Some(packages) = object(file, "packages") else { return npm_nested(all, file) };
    for (place, package) in packages {
        // Others are the work's own folders, and links to them.
        let Some((_, name)) = place.rsplit_once("node_modules/") else { continue };
        if package.get("link").and_then(Value::as_bool) == Some(true) {
            continue;
        }
        // An alias says what it stands for.
        let name = package.get("name").and_then(Value::as_str).unwrap_or(name);
        npm_package(all, name, package);
    }
}

/// Not deep: the parser of JSON bounds how deep values nest.
fn npm_nested(all: &mut Listing, of: &Value) {
    for (name, package) in object(of, "dependencies").into_iter().flatten() {
        npm_package(all, name, package);
        npm_nested(all, package);
    }
}

fn npm_package(all: &mut Listing, name: &str, package: &Value) {
    let field = |key| package.get(key).and_then(Value::as_str);
    let version = field("version").unwrap_or_default();
    // What comes from elsewhere than a registry is another thing under the same name.
    let from = field("resolved").filter(|url| !url.starts_with("https://registry."));
    let version = from.map_or_else(|| version.to_owned(), |url| format!("{version} from {url}"));
    add(all, name, &version, field("license"), true);
}

fn pyproject(all: &mut Listing, file: &Value) {
    let required = |all: &mut Listing, value: Option<&Value>| {
        strings(value).for_each(|line| python::requirement(all, line));
    };
    required(all, file.pointer("/project/dependencies"));
    required(all, file.pointer("/build-system/requires"));
    required(all, file.pointer("/tool/uv/dev-dependencies"));
    for groups in ["/project/optional-dependencies", "/dependency-groups"] {
        let groups = file.pointer(groups).and_then(Value::as_object);
        for group in groups.into_iter().flat_map(Map::values) {
            required(all, Some(group));
        }
    }
    let poetry = file.pointer("/tool/poetry");
    let groups = poetry.and_then(|p| object(p, "group")).into_iter().flat_map(Map::values);
    for of in poetry.into_iter().chain(groups) {
        for table in ["dependencies", "dev-dependencies"] {
            let entries = object(of, table).into_iter().flatten();
            for (name, value) in entries.filter(|(name, _)| *name != "python") {
                add(all, &python::normal(name), &wanted(value), None, false);
            }
        }
    }
}

/// `[[package]]` tables, as Cargo, uv, Poetry and PDM write them. The work's own packages are left out.
fn locked(all: &mut Listing, ecosystem: Ecosystem, file: &Value) {
    for package in file.get("package").and_then(Value::as_array).into_iter().flatten() {
        let field = |key| package.get(key).and_then(Value::as_str);
        let (Some(name), Some(version)) = (field("name"), field("version")) else { continue };
        let source = package.get("source");
        let own = source.is_some_and(|s| ["virtual", "editable"].iter().any(|key| s.get(key).is_some()));
        // Cargo gives a source to all but the members of the workspace.
        let member = ecosystem == Ecosystem::Cargo && source.is_none();
        if own || member {
            continue;
        }
        let from = source.map(wanted).filter(|from| !from.is_empty() && !from.starts_with("registry"));
        let version = from.map_or_else(|| version.to_owned(), |from| format!("{version} from {from}"));
        add(all, name, &version, None, true);
    }
}
