//! `cargo xtask images`: builds every image, and loads it into the local cluster or saves it as an archive.

use crate::build::{self, Scope};
use anyhow::Result;
use std::path::PathBuf;

/// What to do with the images.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write archives into this folder, for another cluster, instead of loading the images here.
    #[arg(long, value_name = "FOLDER")]
    save: Option<PathBuf>,
    /// Build the images of examples/agents too: Claude Code and Codex from npm, about 800 MB to fetch and unpack.
    #[arg(long)]
    agents: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let binaries = build::binaries(Scope::Programs)?;
    let mut images = build::every(&binaries)?;
    if args.agents {
        images.extend(golden_cluster::images::agents()?);
    }
    if let Some(folder) = &args.save {
        return build::save(&images, folder);
    }
    build::load(&images)?;
    let names = build::names(&binaries)?;
    println!("{}\n{}", names.golden, names.golden_git);
    Ok(())
}
