//! A ref of a repository becomes a commit and a tree.

use super::fault::Fault;
use super::objects;
use super::program::Workshop;
use super::remote::{Remote, check_ref};
use golden_crds::conditions::agent_task::GIT_REF_NOT_FOUND;
use golden_platform::wire::Credential;

/// What a fetch found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The commit's name.
    pub commit: String,
    /// Its tree as a canonical tar; submodules are left out.
    pub tar: Vec<u8>,
}

/// Fetches one commit, without history.
pub fn fetch_from(
    shop: &Workshop,
    url: &str,
    git_ref: &str,
    credential: Option<Credential>,
) -> Result<Fetched, Fault> {
    let remote = Remote::new(url, credential)?;
    check_ref(git_ref)?;
    let commit = one(shop, &remote, git_ref)?;
    let content = objects::read(shop, &commit)?;
    Ok(Fetched { commit, tar: content.tar })
}

/// Fetches a ref or commit alone and gives the commit's name.
pub(super) fn one(shop: &Workshop, remote: &Remote, what: &str) -> Result<String, Fault> {
    let doing = format!("fetch {what} from {}", remote.url);
    let args =
        ["fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"];
    let kept = format!("+{what}:refs/golden/fetched");
    let args: Vec<&str> = args.into_iter().chain(["--", remote.url.as_str(), kept.as_str()]).collect();
    shop.remote(remote, &doing, &args)?;
    let name =
        shop.local(&["rev-parse", "--verify", "--quiet", "refs/golden/fetched^{commit}"]).map_err(|_| {
            Fault::lasting(GIT_REF_NOT_FOUND, format!("{what} of {} is not a commit", remote.url))
        })?;
    Ok(String::from_utf8_lossy(&name).trim().to_owned())
}
