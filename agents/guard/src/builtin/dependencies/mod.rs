//! Changes of dependencies, as manifests and lock files show them.

mod go;
mod listing;
mod python;
mod source;
mod structured;

pub(super) use listing::Package;

use super::report::Report;
use super::trees::{Change, Node, Trees};
use golden_crds::agent_task::DependencyRules;
use golden_governance::glob_matches;
use listing::{Difference, Listing};
use source::{Ecosystem, Kind, Source};

/// Most changes that are told of one file.
const TOLD: usize = 20;

pub(super) fn examine(rules: &DependencyRules, trees: &Trees<'_>) -> Report {
    let changes = trees.changes();
    let mut report = Report::new("dependencies", changes.len());
    for change in &changes {
        let Some(source) = Source::of(change.path) else { continue };
        match difference(source, change) {
            Ok(difference) => one(&mut report, rules, trees, source, change, &difference),
            Err(fault) => {
                let message =
                    format!("it cannot be read ({fault}), so its dependencies are not known; correct it");
                report.find(Some(change.path), || None, "unreadable", &message);
            }
        }
    }
    report
}

/// What one file gained, changed and lost.
fn one(
    report: &mut Report,
    rules: &DependencyRules,
    trees: &Trees<'_>,
    source: Source,
    change: &Change<'_>,
    difference: &Difference,
) {
    let (path, ecosystem) = (change.path, source.ecosystem);
    if !source.is_read() {
        report.note(&format!("{path} changed; this version does not read its format"));
    }
    told(report, source, path, difference);
    let place = |name: &str| line_of(change.new.as_ref().and_then(Node::bytes)?, name);
    for (name, package) in difference.added.iter().chain(&difference.changed) {
        if matches_any(&rules.denied, ecosystem, name) {
            let version = package.version();
            let message = format!("{ecosystem} dependency {name} ({version}) is denied; do without it");
            report.find(Some(path), || place(name), "dependency-denied", &message);
        }
    }
    if source.kind != Kind::Manifest {
        return;
    }
    for (name, package) in &difference.added {
        if !rules.allowed.is_empty() && !matches_any(&rules.allowed, ecosystem, name) {
            let message =
                format!("{ecosystem} dependency {name} is not among those that are allowed; do without it");
            report.find(Some(path), || place(name), "dependency-not-allowed", &message);
        }
        if rules.require_lock_file && source.locks.is_empty() && !package.pinned {
            let message = format!("{name} is not pinned to one version; write {name}==VERSION");
            report.find(Some(path), || place(name), "not-pinned", &message);
        }
    }
    if rules.require_lock_file && !source.locks.is_empty() && !difference.added.is_empty() {
        lock(report, trees, source, path);
    }
}

/// A manifest that gained a dependency needs its lock file to have changed with it. One that only changed the versions
/// it accepts may not: the locked one may still do.
fn lock(report: &mut Report, trees: &Trees<'_>, source: Source, path: &str) {
    let Some(lock) = nearest_lock(trees, source, path) else {
        let message =
            format!("it gained dependencies, but no {} is there; make one", source.locks.join(" or "));
        return report.find(Some(path), || None, "lock-file-missing", &message);
    };
    if trees.base.get(lock.as_str()) == trees.new.get(lock.as_str()) {
        let message = format!("it gained dependencies, but {lock} did not change with it; update that too");
        report.find(Some(path), || None, "lock-file-behind", &message);
    }
}

/// The lock file in the manifest's folder, or the nearest one above: a workspace has one at its root.
fn nearest_lock(trees: &Trees<'_>, source: Source, path: &str) -> Option<String> {
    let mut folder = path;
    loop {
        folder = folder.rsplit_once('/').map_or("", |(above, _)| above);
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let mut names = source.locks.iter().map(|lock| format!("{prefix}{lock}"));
        match names.find(|lock| trees.new.contains_key(lock.as_str())) {
            Some(lock) => return Some(lock),
            None if folder.is_empty() => return None,
            None => {}
        }
    }
}

fn matches_any(patterns: &[String], ecosystem: Ecosystem, name: &str) -> bool {
    let mut own = patterns.iter().filter_map(|p| p.strip_prefix(ecosystem.as_str())?.strip_prefix(':'));
    own.any(|glob| glob_matches(glob, name))
}

fn told(report: &mut Report, source: Source, path: &str, difference: &Difference) {
    // A workspace's member names no version.
    let with = |sign: char, (name, package): &(String, Package)| {
        format!("{sign}{name} {}", package.version()).trim_end().to_owned()
    };
    let added = difference.added.iter().map(|p| with('+', p));
    let changed = difference.changed.iter().map(|p| with('~', p));
    let lost = difference.removed.iter().map(|name| format!("-{name}"));
    let all: Vec<String> = added.chain(changed).chain(lost).collect();
    if all.is_empty() {
        return;
    }
    let shown = all.iter().take(TOLD).cloned().collect::<Vec<_>>().join(", ");
    let more = all.len().saturating_sub(TOLD);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    report.note(&format!("{path} ({}): {shown}{rest}", source.ecosystem));
}

/// The first line that names the dependency; one that a manifest gives no name has none.
fn line_of(bytes: &[u8], name: &str) -> Option<usize> {
    if name.is_empty() {
        return None;
    }
    let names = |line: &[u8]| line.windows(name.len()).any(|w| w.eq_ignore_ascii_case(name.as_bytes()));
    bytes.split(|b| *b == b'\n').position(names).map(|n| n + 1)
}

fn difference(source: Source, change: &Change<'_>) -> Result<Difference, String> {
    let listed = |node: Option<Node<'_>>| match node.as_ref().and_then(Node::bytes) {
        Some(bytes) => source.read(bytes),
        None => Ok(Listing::new()),
    };
    // What the base could not be read as is not this change's fault: then all is held to be new.
    let old = listed(change.old).unwrap_or_default();
    Ok(Difference::between(&old, &listed(change.new)?))
}

/// What a lock file gained or changed, if the path is one that can be read.
pub(super) fn gained_in_lock(change: &Change<'_>) -> Option<Vec<(String, Package)>> {
    let source = Source::of(change.path).filter(|s| s.kind == Kind::Lock)?;
    let Difference { mut added, mut changed, .. } = difference(source, change).ok()?;
    added.append(&mut changed);
    Some(added)
}

/// The licence that a manifest gives the work.
pub(super) fn own_licence(path: &str, bytes: &[u8]) -> Option<String> {
    let source = Source::of(path).filter(|s| s.kind == Kind::Manifest)?;
    let manifest = source.parse(bytes).ok()?;
    let fields = source.ecosystem.licence_fields();
    fields.iter().find_map(|path| {
        let field = manifest.pointer(path)?;
        // A table with a `text` is an older form of pyproject.toml.
        field.as_str().or_else(|| field.get("text")?.as_str()).map(str::to_owned)
    })
}
