//! Fetching: a ref becomes a commit, once, and its tree an artifact.

use super::export;
use super::fault::Fault;
use super::program::Git;
use golden_platform::wire::Credential;
use std::path::Path;

/// The commit a ref names now, and its tree as a canonical tar.
pub(super) async fn fetch(
    folder: &Path,
    url: &str,
    git_ref: &str,
    credential: Option<&Credential>,
) -> Result<(String, Vec<u8>), Fault> {
    let git = Git::init(folder, url, credential).await?;
    let commit = shallow(&git, url, git_ref).await?;
    let tree = export::canonical(&git, &commit).await?;
    Ok((commit, tree))
}

/// Fetches one commit without its past and returns its id.
pub(super) async fn shallow(git: &Git, url: &str, git_ref: &str) -> Result<String, Fault> {
    let args = ["fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--", url, git_ref];
    git.run(&args).await?;
    let id = git.run(&["rev-parse", "--verify", "--end-of-options", "FETCH_HEAD^{commit}"]).await?;
    Ok(String::from_utf8_lossy(&id).trim().to_owned())
}
