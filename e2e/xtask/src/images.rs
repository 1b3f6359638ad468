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
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let binaries = build::binaries(Scope::Programs)?;
    match &args.save {
        Some(folder) => build::save(&binaries, folder),
        None => build::load(&binaries).map(|images| println!("{}\n{}", images.golden, images.golden_git)),
    }
}
