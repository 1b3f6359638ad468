//! What a job asks for, done in a scratch folder. Blocking: git is a program.

use super::deliver::{Delivery, deliver_to};
use super::fault::Fault;
use super::fetch::{Fetched, fetch_from};
use super::program::Workshop;
use golden_platform::wire::Credential;
use std::path::Path;

pub(super) struct Source {
    pub(super) url: String,
    pub(super) git_ref: String,
    pub(super) credential: Option<Credential>,
}

pub(super) fn fetch(scratch: &Path, source: Source) -> Result<Fetched, Fault> {
    let shop = fresh(scratch)?;
    fetch_from(&shop, &source.url, &source.git_ref, source.credential)
}

pub(super) fn deliver(scratch: &Path, delivery: &Delivery, tar: &[u8]) -> Result<String, Fault> {
    let shop = fresh(scratch)?;
    deliver_to(&shop, delivery, tar)
}

/// A workshop in an emptied folder: a container that starts again finds what the first one left.
fn fresh(scratch: &Path) -> Result<Workshop, Fault> {
    let dir = scratch.join("golden-git");
    match std::fs::remove_dir_all(&dir) {
        Ok(()) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(Fault::internal(format!("cannot empty {}: {e}", dir.display()))),
    }
    std::fs::create_dir_all(&dir).map_err(Fault::internal)?;
    Workshop::new(&dir)
}
