//! Old versions of images go: every build of ours makes a new one of tens of megabytes.
//!
//! The last few of each name stay, since pods of an installed chart may be started again from them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::layout::Layout;
use crate::{paths, run};

/// Versions of one name that stay, the newest included.
const VERSIONS: usize = 3;
/// Layers that stay: those of all present images and of a few versions before.
const LAYERS: usize = 32;

/// Remembers that `reference` is the newest of its name, and forgets those that are too old. `there` is what
/// containerd holds.
pub(super) fn versions(
    layout: &Layout,
    name: &str,
    reference: &str,
    there: &BTreeMap<String, String>,
) -> Result<()> {
    let folder = paths::images()?.join("loaded");
    fs::create_dir_all(&folder)?;
    let file = folder.join(name);
    let known = fs::read_to_string(&file).unwrap_or_default();
    let known: Vec<&str> = known.lines().collect();
    let (stay, go) = split(&known, reference, there.keys().map(String::as_str));
    fs::write(&file, stay.join("\n")).with_context(|| format!("cannot write {}", file.display()))?;
    for old in go {
        // One that something else removed meanwhile is as good.
        let _ = run::run(super::ctr(layout).args(["images", "rm", &old]));
    }
    Ok(())
}

/// Newest last. What is there and not known is older than what is known.
fn split<'a>(
    known: &[&'a str],
    newest: &'a str,
    there: impl Iterator<Item = &'a str>,
) -> (Vec<String>, Vec<String>) {
    let prefix = newest.rsplit_once(':').map_or(newest, |(name, _)| name);
    let mut order: Vec<&str> = there
        .filter(|r| r.rsplit_once(':').is_some_and(|(name, tag)| name == prefix && tag != "dev"))
        .filter(|r| !known.contains(r))
        .collect();
    order.extend(known);
    order.retain(|r| *r != newest);
    order.push(newest);
    let cut = order.len().saturating_sub(VERSIONS);
    let owned = |part: &[&str]| part.iter().map(|r| (*r).to_owned()).collect();
    (owned(order.get(cut..).unwrap_or_default()), owned(order.get(..cut).unwrap_or_default()))
}

/// Removes the layers' files that have not been built for the longest time.
pub(super) fn layers(folder: &Path) -> Result<()> {
    let mut files: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|e| e == "tar") {
            files.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    files.sort_unstable();
    let old = files.len().saturating_sub(LAYERS);
    for (_, path) in files.into_iter().take(old) {
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_versions_of_a_name_stay_and_others_are_not_touched() {
        let there = ["golden.local/a:0", "golden.local/a:dev", "golden.local/ab:1", "golden.local/a:1"];
        let known = ["golden.local/a:1", "golden.local/a:2", "golden.local/a:3"];
        let (stay, go) = split(&known, "golden.local/a:4", there.into_iter());
        assert_eq!(stay, ["golden.local/a:2", "golden.local/a:3", "golden.local/a:4"]);
        assert_eq!(go, ["golden.local/a:0", "golden.local/a:1"]);
        let (stay, go) = split(&known, "golden.local/a:1", there.into_iter().skip(1));
        assert_eq!(
            stay,
            ["golden.local/a:2", "golden.local/a:3", "golden.local/a:1"],
            "it is the newest again"
        );
        assert!(go.is_empty());
    }

    #[test]
    fn the_oldest_layers_go() {
        let folder = std::env::temp_dir().join(format!("golden-layers-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for n in 0..LAYERS + 2 {
            let file = fs::File::create(folder.join(format!("{n:03}.tar"))).unwrap();
            let age = std::time::Duration::from_secs(1000 - n as u64);
            file.set_modified(SystemTime::now() - age).unwrap();
        }
        layers(&folder).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), LAYERS);
        assert!(!folder.join("001.tar").exists() && folder.join("002.tar").exists());
        fs::remove_dir_all(&folder).unwrap();
    }
}
