//! An approved tree becomes one commit on a branch.
//!
//! The commit is a function of what was approved: made again, it has the same name, so a delivery that is repeated
//! after a crash finds its own work and succeeds. A branch is moved only from the commit that was looked at, and only
//! if it was missing or Golden's own: work that a person put there is never pushed away.

use super::fault::Fault;
use super::fetch;
use super::objects::{self, NewCommit};
use super::program::Workshop;
use super::remote::{Remote, check_ref};
use golden_crds::conditions::agent_task as reason;
use golden_platform::tree::{self, Tree};
use golden_platform::wire::Credential;

/// What to deliver.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub url: String,
    pub branch: String,
    pub base_commit: String,
    /// Digest of the base commit's tree, as it was fetched.
    pub base_tree: String,
    /// Digest of the approved tree.
    pub tree: String,
    pub message: String,
    /// `Name <mail>`.
    pub author: String,
    /// RFC 3339.
    pub author_date: String,
    pub credential: Option<Credential>,
}

/// The trailer by which a commit of Golden's is known.
const TRAILER: &str = "Golden-Task:";

/// Delivers the approved tree (`tar`) and gives the commit's name.
pub fn deliver_to(shop: &Workshop, delivery: &Delivery, tar: &[u8]) -> Result<String, Fault> {
    let remote = Remote::new(&delivery.url, delivery.credential.clone())?;
    check_ref(&delivery.branch)?;
    let commit = make(shop, &remote, delivery, tar)?;
    let target = format!("refs/heads/{}", delivery.branch);
    let old = look(shop, &remote, &target)?;
    match &old {
        Some(old) if *old == commit => return Ok(commit),
        Some(old) => own(shop, &remote, &target, old)?,
        None => {}
    }
    push(shop, &remote, &target, old.as_deref(), &commit)?;
    Ok(commit)
}

fn make(shop: &Workshop, remote: &Remote, delivery: &Delivery, tar: &[u8]) -> Result<String, Fault> {
    let mismatch = |what: &str| Fault::lasting(reason::DELIVERY_DIGEST_MISMATCH, what.to_owned());
    if tree::digest(tar) != delivery.tree {
        return Err(mismatch("the store's tree is not the approved one"));
    }
    let approved =
        Tree::parse(tar).map_err(|e| mismatch(&format!("the approved tree cannot be read: {e}")))?;
    check_ref(&delivery.base_commit)?;
    let parent = fetch::one(shop, remote, &delivery.base_commit)?;
    let base = objects::read(shop, &parent)?;
    if tree::digest(&base.tar) != delivery.base_tree {
        return Err(mismatch(&format!("commit {parent} does not hold the tree the work began from")));
    }
    let new = NewCommit {
        parent: &parent,
        author: author(&delivery.author)?,
        seconds: seconds(&delivery.author_date)?,
        message: &delivery.message,
        tree: &approved,
        submodules: &base.submodules,
    };
    let commit = objects::write(shop, &new)?;
    let made = objects::read(shop, &commit)?;
    if made.tar != tar {
        return Err(mismatch("git made another tree than the approved one"));
    }
    Ok(commit)
}

/// The commit a branch of the remote is at.
fn look(shop: &Workshop, remote: &Remote, target: &str) -> Result<Option<String>, Fault> {
    let doing = format!("look at {target} of {}", remote.url);
    let answer = shop.remote(remote, &doing, &["ls-remote", "--quiet", "--", &remote.url, target])?;
    let text = String::from_utf8_lossy(&answer);
    let line = text.lines().filter_map(|line| line.split_once('\t')).find(|(_, name)| *name == target);
    Ok(line.map(|(commit, _)| commit.to_owned()))
}

/// Whether a branch may be moved away from `old`.
fn own(shop: &Workshop, remote: &Remote, target: &str, old: &str) -> Result<(), Fault> {
    let tip = fetch::one(shop, remote, target)?;
    let message = shop.local(&["show", "--no-patch", "--format=%B", &tip])?;
    let golden = String::from_utf8_lossy(&message).lines().any(|line| line.starts_with(TRAILER));
    if tip == old && golden {
        return Ok(());
    }
    let message = format!(
        "{target} is at {old}, which is not Golden's work; delete or rename the branch, or deliver to another one"
    );
    Err(Fault::lasting(reason::DELIVERY_CONFLICT, message))
}

fn push(
    shop: &Workshop,
    remote: &Remote,
    target: &str,
    old: Option<&str>,
    commit: &str,
) -> Result<(), Fault> {
    let doing = format!("push {commit} to {target} of {}", remote.url);
    let lease = format!("--force-with-lease={target}:{}", old.unwrap_or_default());
    let what = format!("{commit}:{target}");
    let args = [
        "push",
        "--quiet",
        "--porcelain",
        "--no-verify",
        "--no-follow-tags",
        &lease,
        "--",
        &remote.url,
        &what,
    ];
    match shop.remote(remote, &doing, &args) {
        Ok(_) => Ok(()),
        // Another run of this very delivery may have been faster; then the branch is where it should be.
        Err(_) if look(shop, remote, target)?.as_deref() == Some(commit) => Ok(()),
        Err(fault) => Err(fault),
    }
}

/// `Name <mail>` without anything that would end git's header line.
fn author(text: &str) -> Result<&str, Fault> {
    let inner = text.strip_suffix('>').and_then(|t| t.split_once(" <"));
    let plain =
        |part: &str| !part.is_empty() && !part.chars().any(|c| c.is_control() || c == '<' || c == '>');
    match inner {
        Some((name, mail)) if plain(name) && plain(mail) => Ok(text),
        _ => Err(Fault::lasting(reason::INTERNAL_ERROR, format!("{text:?} is not an author"))),
    }
}

fn seconds(date: &str) -> Result<i64, Fault> {
    let date: jiff::Timestamp = date
        .parse()
        .map_err(|e| Fault::lasting(reason::INTERNAL_ERROR, format!("{date:?} is not a date: {e}")))?;
    Ok(date.as_second())
}
