//! Trees: what is derived from a produced tree before it can be judged, each kept by content.

use super::error::Error;
use crate::machine::{ProducedTree, Task, Why};
use bytes::Bytes;
use golden_crds::conditions::agent_task as reasons;
use golden_guard::builtin::{Change, Node};
use golden_guard::change_fingerprint;
use golden_platform::artifacts::{self, Store};
use golden_platform::tree::{self, Entry, Tree};
use golden_platform::wire::ArtifactStored;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Derivations at once: each holds a few trees in memory.
static DERIVATIONS: Semaphore = Semaphore::const_new(1);

/// What is derived from a base and a produced tree, beside the tars that are made one after the other.
struct Derived {
    base: Tree,
    new: Tree,
    canonical: Bytes,
    patch: String,
    /// Fingerprint of what changed.
    change: String,
    changed: Vec<String>,
}

/// The tree of an inline source. An error in the answer is the spec's, one beside it the store's.
pub(super) async fn inline_base(
    store: &Store,
    task: &Task,
    files: Vec<(String, String)>,
) -> Result<Result<String, Why>, Error> {
    let packed = Tree::from_files(files.into_iter().map(|(path, text)| (path, text.into_bytes())))
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
        Err(e) => return Ok(Err(refused(&e))),
    };
    let derived = tokio::task::spawn_blocking(move || derive(&base, made))
        .await
        .map_err(|e| Error::Derivation(e.to_string()))?;
    match derived {
        Ok(derived) => keep(store, task, derived).await,
        Err(fault) => Ok(Err(refused(&fault))),
    }
}

fn refused(fault: &impl std::fmt::Display) -> Why {
    Why::new(reasons::RESULT_REFUSED, fault.to_string())
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

/// Files are shared with the tars they came in. A tar that is canonical already is not made again.
fn derive(base: &Bytes, made: Bytes) -> Result<Derived, tree::Error> {
    let base = Tree::from_tar(base)?;
    let new = Tree::from_tar(&made)?;
    let canonical = new.to_tar()?;
    let canonical = if canonical == made { made } else { Bytes::from(canonical) };
    let new = Tree::from_tar(&canonical)?;
    let (patch, changed) = (base.diff(&new)?, base.changed_paths(&new));
    let change = change_fingerprint(changed.iter().map(|path| Change {
        path,
        old: base.get(path).map(node),
        new: new.get(path).map(node),
    }));
    Ok(Derived { base, new, canonical, patch, change, changed })
}

fn node(entry: &Entry) -> Node<'_> {
    match entry {
        &Entry::File { executable, ref bytes } => Node::File { bytes, executable },
        Entry::Link { target } => Node::Link { target },
    }
}

/// Stores one after the other and holds one at a time: trees may be large, and guards many.
async fn keep(store: &Store, task: &Task, derived: Derived) -> Result<Result<ProducedTree, Why>, Error> {
    let Derived { base, new, canonical, patch, change, changed } = derived;
    let tree = match kept(put(store, task, canonical).await)? {
        Ok(digest) => digest,
        Err(why) => return Ok(Err(why)),
    };
    let patch = match kept(put(store, task, patch.into()).await)? {
        Ok(digest) => digest,
        Err(why) => return Ok(Err(why)),
    };
    let mut by_globs: BTreeMap<Vec<String>, String> = BTreeMap::new();
    let trees = Arc::new((base, new));
    for globs in restore_globs(task) {
        let (trees, set) = (Arc::clone(&trees), globs.clone());
        let tar = tokio::task::spawn_blocking(move || trees.1.restored(&trees.0, &set)?.to_tar())
            .await
            .map_err(|e| Error::Derivation(e.to_string()))?;
        let tar = match tar {
            Ok(tar) => tar,
            Err(fault) => return Ok(Err(refused(&fault))),
        };
        match kept(put(store, task, tar.into()).await)? {
            Ok(digest) => by_globs.insert(globs, digest),
            Err(why) => return Ok(Err(why)),
        };
    }
    let guards = task.policy.guards.iter();
    let guard_trees = guards
        .filter_map(|g| Some((g.spec.name.clone(), by_globs.get(&g.spec.restore_paths)?.clone())))
        .collect();
    Ok(Ok(ProducedTree { tree, patch, change, changed_paths: changed, guard_trees }))
}

/// The digest; or why the result cannot be taken; or a store's trouble.
fn kept(stored: Result<ArtifactStored, Error>) -> Result<Result<String, Why>, Error> {
    match stored {
        Ok(stored) => Ok(Ok(stored.digest)),
        Err(Error::Artifacts(e @ artifacts::Error::TooLarge(_))) => Ok(Err(refused(&e))),
        Err(e) => Err(e),
    }
}

async fn put(store: &Store, task: &Task, bytes: Bytes) -> Result<ArtifactStored, Error> {
    Ok(store.put(&task.namespace, task.team_uid, task.uid, bytes).await?)
}
