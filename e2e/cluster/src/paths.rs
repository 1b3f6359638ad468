//! Where things are: one cache folder for everything that outlives a command.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// `$GOLDEN_CACHE`, or `~/.cache/golden`.
pub fn cache() -> Result<PathBuf> {
    if let Some(set) = std::env::var_os("GOLDEN_CACHE").filter(|value| !value.is_empty()) {
        return std::path::absolute(&set)
            .with_context(|| format!("GOLDEN_CACHE={} is no path", set.display()));
    }
    let home = std::env::var_os("HOME")
        .filter(|value| !value.is_empty())
        .context("neither GOLDEN_CACHE nor HOME is set: set GOLDEN_CACHE to a folder with 15 GB free")?;
    Ok(PathBuf::from(home).join(".cache/golden"))
}

/// The cluster's own state; gone after `down`.
pub(crate) fn cluster(cache: &Path) -> PathBuf {
    cache.join("cluster")
}

/// Built tools, one folder for each content of their source.
pub fn tools() -> Result<PathBuf> {
    Ok(cache()?.join("tools"))
}

/// Built images.
pub fn images() -> Result<PathBuf> {
    Ok(images_of(&cache()?))
}

pub(crate) fn images_of(cache: &Path) -> PathBuf {
    cache.join("images")
}

/// What rounds of chaos that failed left to be looked at.
pub fn evidence() -> Result<PathBuf> {
    Ok(cache()?.join("chaos"))
}

/// What benchmarks compare with: others' programs, in environments of their own.
pub fn benchmarks() -> Result<PathBuf> {
    Ok(cache()?.join("bench"))
}

/// Every folder of the cache that a command makes. What else is there is somebody else's.
pub(crate) fn all() -> Result<[PathBuf; 5]> {
    Ok([cluster(&cache()?), tools()?, images()?, evidence()?, benchmarks()?])
}

/// The locked npm packages, in the source tree.
pub(crate) fn npm_sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("npm")
}

/// The tools' pinned Go modules, in the source tree.
pub(crate) fn tool_sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tools")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_removed_lies_in_the_cache_and_is_not_the_cache_itself() {
        let cache = cache().unwrap();
        for folder in all().unwrap() {
            assert_eq!(folder.parent(), Some(cache.as_path()));
        }
    }
}
