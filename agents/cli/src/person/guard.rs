//! `golden guard`: a built-in guard on two folders. Guards of tasks run this too, in their sandbox.

use super::output::{self, Format};
use anyhow::{Context as _, ensure};
use golden_crds::agent_task::BuiltinGuard;
use golden_guard::GuardVerdict;
use golden_guard::builtin::{Node, Report, Trees, examine};
use golden_platform::tree::{Entry, Tree, pack};
use serde_json::json;
use std::path::{Path, PathBuf};

/// The guard could not examine anything. It does not pass then, and programs can tell it from a finding.
const NOT_EXAMINED: u8 = 2;
/// Longest settings, in bytes: far above what their schema takes.
const MAX_SETTINGS: usize = 1 << 20;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which guard, as a field of `builtin` in a policy: secrets, sizeLimits, pathLimits, forbiddenFiles, licences or
    /// dependencies.
    kind: String,
    /// The folder to examine. What is named .git is left out.
    dir: PathBuf,
    /// The folder it was made from: what that has is not held against it. Without it, everything counts as new.
    #[arg(long)]
    base: Option<PathBuf>,
    /// The guard's settings, as they stand in a policy (YAML or JSON). Given several times, the parts are joined.
    #[arg(long, value_name = "TEXT")]
    settings: Vec<String>,
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// Exit code 0 if it passes, 1 with findings, 2 if nothing could be examined.
pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    let report = match report(args) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("golden: {}", crate::said::said(&error));
            return Ok(NOT_EXAMINED);
        }
    };
    match args.output {
        Format::Json => {
            output::json(&report)?;
        }
        Format::Table => print!("{report}"),
    }
    Ok(u8::from(report.verdict == GuardVerdict::Failed))
}

fn report(args: &Args) -> anyhow::Result<Report> {
    let guard = guard(&args.kind, &args.settings.concat())?;
    let new = read(&args.dir)?;
    let base = args.base.as_deref().map(read).transpose()?.unwrap_or_default();
    Ok(examine(&guard, &Trees { base: nodes(&base), new: nodes(&new) })?)
}

fn guard(kind: &str, settings: &str) -> anyhow::Result<BuiltinGuard> {
    ensure!(settings.len() <= MAX_SETTINGS, "the settings have more than {MAX_SETTINGS} bytes");
    let settings: serde_json::Value = match settings.trim() {
        "" => json!({}),
        text => serde_saphyr::from_str(text).context("the settings are neither YAML nor JSON")?,
    };
    let guard: BuiltinGuard = serde_json::from_value(json!({ kind: settings }))
        .with_context(|| format!("the settings are none of {kind}"))?;
    let known = serde_json::to_value(&guard)?;
    let known = known.get(kind).with_context(|| {
        format!("{kind:?} is no guard; it is one of secrets, sizeLimits, pathLimits, forbiddenFiles, licences and dependencies")
    })?;
    // A misspelt rule would be left out, and whatever it forbids would pass.
    let unknown =
        settings.as_object().and_then(|given| given.keys().find(|key| known.get(key.as_str()).is_none()));
    ensure!(
        unknown.is_none(),
        "{kind} has no setting {}, or it is empty",
        unknown.map_or("", String::as_str)
    );
    Ok(guard)
}

fn read(dir: &Path) -> anyhow::Result<Tree> {
    let read = || Tree::from_tar(&pack(dir)?.into());
    read().with_context(|| format!("{} cannot be examined", dir.display()))
}

fn nodes(tree: &Tree) -> golden_guard::builtin::Tree<'_> {
    let node = |entry| match entry {
        &Entry::File { executable, ref bytes } => Node::File { bytes, executable },
        Entry::Link { target } => Node::Link { target },
    };
    tree.entries().map(|(path, entry)| (path, node(entry))).collect()
}
