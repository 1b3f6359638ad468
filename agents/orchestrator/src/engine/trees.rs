//! Trees: what is derived from a produced tree before it can be judged, each kept by content.

use super::error::Error;
use crate::machine::{ProducedTree, Task, Why};
use bytes::Bytes;
use golden_crds::conditions::agent_task as reasons;
use golden_platform::artifacts::{self, Store};
use golden_platform::{tree, wire::ArtifactStored};
use std::collections::BTreeMap;
use tokio::sync::Semaphore;

/// Derivations at once: each holds a few trees in memory.
static DERIVATIONS: Semaphore = Semaphore::const_new(1);

/// Bytes derived from a base and a produced tree.
struct Derived {
    canonical: Vec<u8>,
    patch: String,
    changed: Vec<String>,
    /// Guards with the same paths share a tree.
    restored: Vec<(Vec<String>, Vec<u8>)>,
}

/// The tree of an inline source. An error in the answer is the spec's, one beside it the store's.
pub(super) async fn inline_base(
    store: &Store,
    task: &Task,
    files: Vec<(String, String)>,
) -> Result<Result<String, Why>, Error> {
    let packed = tree::Tree::from_files(files.into_iter().map(|(path, text)| (path, text.into_bytes())))
        .and_then(|tree| tree.to_tar());
    match packed {
        Ok(tar) => Ok(Ok(put(store, task, tar.into()).await?.digest)),
        Err(fault) => Ok(Err(Why::new(reasons::INVALID_SPEC, format!("spec.source.inline: {fault}")))),
    }
}

/// Canonical tree, patch, changed paths and the trees that guards may trust, all stored.
pub(super) async fn produced(
    store: &Store,
    task: &Task,
    base: &str,
    made: &str,
) -> Result<Result<ProducedTree, Why>, Error> {
    let _one = DERIVATIONS.acquire().await.map_err(|e| Error::Derivation(e.to_string()))?;
    // Without the base nothing can be judged, and its loss is not the agent's fault: an error, tried again.
    let base = store.get(&task.namespace, base).await?;
    let made = match store.get(&task.namespace, made).await {
        Ok(bytes) => bytes,
        Err(e @ (artifacts::Error::Store(_) | artifacts::Error::Database(_))) => return Err(e.into()),
        Err(e) => return Ok(Err(Why::new(reasons::RESULT_REFUSED, e.to_string()))),
    };
    let globs = restore_globs(task);
    let derived = tokio::task::spawn_blocking(move || derive(&base, &made, globs))
        .await
        .map_err(|e| Error::Derivation(e.to_string()))?;
    let derived = match derived {
        Ok(derived) => derived,
        Err(fault) => return Ok(Err(Why::new(reasons::RESULT_REFUSED, fault.to_string()))),
    };
    keep(store, task, derived).await
}

/// The different sets of paths that guards reset to the base.
fn restore_globs(task: &Task) -> Vec<Vec<String>> {
    let mut sets: Vec<Vec<String>> =
        task.policy.guards.iter().map(|g| g.spec.restore_paths.clone()).collect();
    sets.retain(|globs| !globs.is_empty());
    sets.sort();
    sets.dedup();
    sets
}

fn derive(base: &Bytes, made: &Bytes, globs: Vec<Vec<String>>) -> Result<Derived, tree::Error> {
    let canonical = tree::canonical(made)?;
    let patch = tree::diff(base, &canonical)?;
    let changed = tree::changed_paths(base, &canonical)?;
    let mut restored = Vec::with_capacity(globs.len());
    for set in globs {
        let tar = tree::restore(base, &canonical, &set)?;
        restored.push((set, tar));
    }
    Ok(Derived { canonical, patch, changed, restored })
}

async fn keep(store: &Store, task: &Task, derived: Derived) -> Result<Result<ProducedTree, Why>, Error> {
    let mut kept = vec![];
    let parts = [derived.canonical, derived.patch.into_bytes()];
    let (sets, trees): (Vec<_>, Vec<_>) = derived.restored.into_iter().unzip();
    for bytes in parts.into_iter().chain(trees) {
        match put(store, task, bytes.into()).await {
            Ok(stored) => kept.push(stored.digest),
            Err(Error::Artifacts(e @ artifacts::Error::TooLarge(_))) => {
                return Ok(Err(Why::new(reasons::RESULT_REFUSED, e.to_string())));
            }
            Err(e) => return Err(e),
        }
    }
    let mut kept = kept.into_iter();
    let (Some(tree), Some(patch)) = (kept.next(), kept.next()) else {
        return Err(Error::Derivation("nothing was kept".into()));
    };
    let by_globs: BTreeMap<Vec<String>, String> = sets.into_iter().zip(kept).collect();
    let guards = task.policy.guards.iter();
    let guard_trees = guards
        .filter_map(|g| Some((g.spec.name.clone(), by_globs.get(&g.spec.restore_paths)?.clone())))
        .collect();
    Ok(Ok(ProducedTree { tree, patch, changed_paths: derived.changed, guard_trees }))
}

async fn put(store: &Store, task: &Task, bytes: Bytes) -> Result<ArtifactStored, Error> {
    Ok(store.put(&task.namespace, task.team_uid, task.uid, bytes).await?)
}
