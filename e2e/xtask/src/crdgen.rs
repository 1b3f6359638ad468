//! `cargo xtask crdgen`: writes the CustomResourceDefinitions made from the types, or compares them with what is
//! committed, so that nobody installs kinds that differ from the code.

use anyhow::{Context as _, Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What to do with the generated files.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Change nothing; fail if a committed file differs, is missing, or is of no kind.
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts/golden-crds/files");
    let files = golden_crds::generate()?;
    let different: Vec<_> = files
        .iter()
        .filter(|(name, yaml)| fs::read_to_string(folder.join(name)).ok().as_ref() != Some(yaml))
        .collect();
    let stale = stale(&folder, &files.iter().map(|(name, _)| name.as_str()).collect())?;
    if args.check {
        let names = different.iter().map(|(name, _)| name.clone());
        let names: Vec<_> = names.chain(stale.iter().map(|path| path.display().to_string())).collect();
        if !names.is_empty() {
            bail!(
                "generated files differ from crds/src: {}. Run `cargo xtask crdgen` and commit",
                names.join(", ")
            );
        }
        println!("{} generated files are as committed", files.len());
        return Ok(());
    }
    for (name, yaml) in &different {
        let path = folder.join(name);
        fs::write(&path, yaml).with_context(|| format!("cannot write {}", path.display()))?;
        println!("wrote {}", path.display());
    }
    for path in &stale {
        fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
        println!("removed {}", path.display());
    }
    println!("{} kinds, {} files changed", files.len(), different.len() + stale.len());
    Ok(())
}

/// Files of kinds that are no more.
fn stale(folder: &Path, known: &BTreeSet<&str>) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut stale = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        if !known.contains(name.as_str()) {
            stale.push(path);
        }
    }
    stale.sort();
    Ok(stale)
}
