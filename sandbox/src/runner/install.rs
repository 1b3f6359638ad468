//! `golden runner install DIR`: the binary into a shared volume, from where images that lack it start it.

use anyhow::Context;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder; the binary becomes `golden` in it.
    #[arg(default_value = "/golden-bin")]
    pub dir: PathBuf,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    copy_to(&args.dir)?;
    Ok(ExitCode::SUCCESS)
}

/// Copies and renames, so that a repeated start never leaves half a binary under the name.
pub(super) fn copy_to(dir: &Path) -> anyhow::Result<()> {
    let own = std::env::current_exe().context("cannot find this binary")?;
    let (part, whole) = (dir.join("golden.part"), dir.join("golden"));
    fs::copy(&own, &part).with_context(|| format!("cannot copy {} to {}", own.display(), part.display()))?;
    fs::set_permissions(&part, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} executable", part.display()))?;
    fs::rename(&part, &whole).with_context(|| format!("cannot name {}", whole.display()))
}
