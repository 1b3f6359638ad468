//! Delivering: exactly the approved tree, as one commit on the base it was made from, pushed with an expected old value.

use super::export;
use super::fault::{BRANCH_MOVED, Fault, TREE_MISMATCH};
use super::fetch::shallow;
use super::import::{self, Message, REF};
use super::program::Git;
use golden_platform::tree::{self, Tree};
use golden_platform::wire::Credential;
use std::path::Path;

/// What is delivered where.
pub(super) struct Delivery<'a> {
    pub(super) url: &'a str,
    pub(super) branch: &'a str,
    pub(super) base_commit: &'a str,
    pub(super) base_tree: &'a str,
    /// The approved tree, whose digest was checked when it was read.
    pub(super) tree: &'a [u8],
    pub(super) message: &'a str,
    pub(super) author: &'a str,
    pub(super) author_date: &'a str,
    pub(super) credential: Option<&'a Credential>,
}

/// Pushes and returns the commit. A delivery repeated finds its own commit there and is content.
pub(super) async fn deliver(folder: &Path, delivery: &Delivery<'_>) -> Result<String, Fault> {
    let git = Git::init(folder, delivery.url, delivery.credential).await?;
    shallow(&git, delivery.url, delivery.base_commit).await?;
    let base = export::canonical(&git, delivery.base_commit).await?;
    if tree::digest(&base) != delivery.base_tree {
        let message = format!("commit {} no longer holds the tree the work began from", delivery.base_commit);
        return Err(Fault::new(TREE_MISMATCH, message, false));
    }
    let commit = commit(&git, delivery).await?;
    let there = remote_tip(&git, delivery).await?;
    if there.as_deref() == Some(commit.as_str()) {
        return Ok(commit);
    }
    // A new branch, or one that still stands where the work began; anything else is somebody's work.
    if there.as_deref().is_some_and(|tip| tip != delivery.base_commit) {
        let message =
            format!("branch {} holds other work: delete it, or deliver to another", delivery.branch);
        return Err(Fault::new(BRANCH_MOVED, message, false));
    }
    let target = format!("refs/heads/{}", delivery.branch);
    let lease = format!("--force-with-lease={target}:{}", there.unwrap_or_default());
    git.run(&["push", "--quiet", &lease, "--", delivery.url, &format!("{commit}:{target}")]).await?;
    Ok(commit)
}

async fn commit(git: &Git, delivery: &Delivery<'_>) -> Result<String, Fault> {
    let mismatch = |e: &dyn std::fmt::Display| Fault::new(TREE_MISMATCH, e.to_string(), false);
    let tree = Tree::parse(delivery.tree).map_err(|e| mismatch(&e))?;
    let at: jiff::Timestamp = delivery.author_date.parse().map_err(|e| mismatch(&e))?;
    let message = Message {
        text: delivery.message,
        author: delivery.author,
        seconds: at.as_second(),
        parent: delivery.base_commit,
    };
    let listed = export::list(git, delivery.base_commit).await?;
    git.feed(
        &["fast-import", "--quiet", "--done", "--date-format=raw"],
        import::stream(&message, &tree, &listed),
    )
    .await?;
    let id = git.run(&["rev-parse", "--verify", REF]).await?;
    Ok(String::from_utf8_lossy(&id).trim().to_owned())
}

async fn remote_tip(git: &Git, delivery: &Delivery<'_>) -> Result<Option<String>, Fault> {
    let target = format!("refs/heads/{}", delivery.branch);
    let text = git.run(&["ls-remote", "--", delivery.url, &target]).await?;
    Ok(String::from_utf8_lossy(&text).split_whitespace().next().map(str::to_owned))
}
