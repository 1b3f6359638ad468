//! The Go programs the cluster is made of, built from pinned modules.
//!
//! Each folder under `tools/` is a Go module with a `tool.json` that says what
//! to build. A build's result is kept in the cache under the hash of that
//! folder, so a changed pin or source builds anew and an unchanged one never
//! does. It is built beside its place and renamed into it under a lock: an
//! interrupted build leaves nothing that could be taken for a finished one,
//! and two commands at once do not build twice.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::{paths, progress, run};

/// Every tool, in the order they are wanted: the slowest first, because the
/// Go compiler then warms the cache the others profit from.
pub const ALL: [&str; 7] = ["kubernetes", "etcd", "gvisor", "pause", "nats", "coredns", "helm"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipe {
    about: String,
    /// How long a build takes on two cores, to tell people beforehand.
    minutes: u32,
    version: String,
    builds: Vec<Build>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Build {
    package: String,
    output: String,
    #[serde(default)]
    ldflags: String,
    /// Further names the binary is called by.
    #[serde(default)]
    links: Vec<String>,
}

/// The path of a program, built first if need be.
pub fn program(tool: &str, name: &str) -> Result<PathBuf> {
    let path = ensure(tool)?.join(name);
    ensure!(path.exists(), "tool {tool} has no program {name}: see its tool.json");
    Ok(path)
}

/// The folder with a tool's programs, built first if need be.
pub fn ensure(tool: &str) -> Result<PathBuf> {
    let source = paths::tool_sources().join(tool);
    let recipe = recipe(&source)?;
    let root = paths::tools()?;
    let home = root.join(format!("{tool}-{}", content_hash(&source)?));
    let bin = home.join("bin");
    if bin.is_dir() {
        return Ok(bin);
    }
    fs::create_dir_all(&root).with_context(|| format!("cannot create {}", root.display()))?;
    let lock = File::create(root.join(format!("{tool}.lock")))?;
    lock.lock().with_context(|| format!("cannot wait for another build of {tool}"))?;
    if bin.is_dir() {
        return Ok(bin);
    }
    let draft = root.join(format!("{tool}.partial"));
    let _ = fs::remove_dir_all(&draft);
    fs::create_dir_all(draft.join("bin"))?;
    build(tool, &source, &recipe, &draft)?;
    fs::rename(&draft, &home).with_context(|| format!("cannot move {} into place", draft.display()))?;
    Ok(bin)
}

/// Each tool's version and, if built, its folder of programs.
pub fn versions() -> Result<BTreeMap<&'static str, (String, Option<PathBuf>)>> {
    ALL.iter()
        .map(|&tool| {
            let source = paths::tool_sources().join(tool);
            let bin = paths::tools()?.join(format!("{tool}-{}", content_hash(&source)?)).join("bin");
            Ok((tool, (recipe(&source)?.version, bin.is_dir().then_some(bin))))
        })
        .collect()
}

fn recipe(source: &Path) -> Result<Recipe> {
    let file = source.join("tool.json");
    let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not a tool's recipe", file.display()))
}

fn build(tool: &str, source: &Path, recipe: &Recipe, draft: &Path) -> Result<()> {
    ensure!(
        run::on_path("go"),
        "Go is not installed: install Go 1.26 or newer from https://go.dev/dl and put it on PATH"
    );
    let log = paths::tools()?.join(format!("{tool}.log"));
    let title = format!("building {tool}: {}; about {} min on two cores", recipe.about, recipe.minutes);
    progress::step_with(
        &title,
        || compiled(&log),
        || recipe.builds.iter().try_for_each(|one| compile(one, source, &draft.join("bin"), &log)),
    )
}

fn compile(one: &Build, source: &Path, bin: &Path, log: &Path) -> Result<()> {
    let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let status = Command::new("go")
        .args(["build", "-v", "-trimpath", "-ldflags", format!("-s -w {}", one.ldflags).trim(), "-o"])
        .arg(bin.join(&one.output))
        .arg(&one.package)
        .current_dir(source)
        .env("CGO_ENABLED", "0")
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .status()
        .context("cannot start go")?;
    if !status.success() {
        bail!("cannot build {} ({status}); {}", one.package, run::tail(log));
    }
    for link in &one.links {
        std::os::unix::fs::symlink(&one.output, bin.join(link))?;
    }
    Ok(())
}

/// `go build -v` writes a line for each package it compiled.
fn compiled(log: &Path) -> Option<String> {
    let text = fs::read_to_string(log).ok()?;
    Some(format!("{} packages compiled, now {}", text.lines().count(), text.lines().last()?))
}

/// Twelve hexadecimal digits over the names and contents of a tool's folder.
fn content_hash(source: &Path) -> Result<String> {
    let mut names: Vec<PathBuf> = fs::read_dir(source)
        .with_context(|| format!("there is no tool at {}", source.display()))?
        .map(|entry| entry.map(|found| found.path()))
        .collect::<std::io::Result<_>>()?;
    names.sort();
    let mut hash = Sha256::new();
    for path in names {
        let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        hash.update(path.file_name().unwrap_or_default().as_encoded_bytes());
        hash.update(content.len().to_be_bytes());
        hash.update(content);
    }
    Ok(hex::encode(hash.finalize())[..12].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_has_a_valid_recipe_and_a_pinned_module() {
        for tool in ALL {
            let source = paths::tool_sources().join(tool);
            let recipe = recipe(&source).unwrap();
            assert!(!recipe.builds.is_empty(), "{tool} builds nothing");
            assert!(source.join("go.mod").is_file(), "{tool} has no go.mod");
        }
    }

    #[test]
    fn the_hash_changes_with_content_and_with_names() {
        let folder = std::env::temp_dir().join(format!("golden-hash-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a"), "1").unwrap();
        let first = content_hash(&folder).unwrap();
        fs::write(folder.join("a"), "2").unwrap();
        let second = content_hash(&folder).unwrap();
        fs::rename(folder.join("a"), folder.join("b")).unwrap();
        let third = content_hash(&folder).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert!(first != second && second != third && first != third);
        assert_eq!(first.len(), 12);
    }
}
