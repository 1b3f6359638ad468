//! Root file systems from Debian packages, by mmdebstrap with the machine's
//! own apt settings.
//!
//! The bytes differ from build to build (time stamps, package updates), so an
//! image of packages is known by the hash of its recipe, not of its content.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::{Image, Start, digest};
use crate::{packages, paths, progress, run};

const SUITE: &str = "bookworm";
/// Change it to have every file system built anew.
const RECIPE: &str = "1";

/// An image of these packages and what they need.
pub(super) fn image(name: &str, include: &[&str]) -> Result<Image> {
    let hash = digest([SUITE, RECIPE].into_iter().chain(include.iter().copied()).map(str::as_bytes));
    let layer = file_system(name, &hash, include)?;
    Ok(Image::new(name, &hash, vec![layer], Start::default()))
}

fn file_system(name: &str, hash: &str, include: &[&str]) -> Result<PathBuf> {
    let folder = paths::images()?.join("debian");
    let path = folder.join(format!("{name}-{hash}.tar"));
    if path.is_file() {
        return Ok(path);
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let lock = fs::File::create(folder.join(format!("{name}.lock")))?;
    lock.lock()?;
    if path.is_file() {
        return Ok(path);
    }
    packages::ensure()?;
    let draft = folder.join(format!("{name}.partial.tar"));
    let _ = fs::remove_file(&draft);
    let title = format!(
        "building the file system of {name} from Debian packages: {}; about 1 min",
        include.join(" ")
    );
    progress::step(&title, || run::run(mmdebstrap(include).arg(SUITE).arg(&draft)))?;
    fs::rename(&draft, &path)?;
    Ok(path)
}

fn mmdebstrap(include: &[&str]) -> Command {
    let mut command = Command::new("mmdebstrap");
    command.args(["--quiet", "--variant=minbase"]).arg(format!("--include={}", include.join(",")));
    command.args(["--aptopt=APT::Install-Recommends \"false\"", "--dpkgopt=force-unsafe-io"]);
    for folder in ["doc", "man", "info", "locale", "lintian", "bash-completion"] {
        command.arg(format!("--dpkgopt=path-exclude=/usr/share/{folder}/*"));
    }
    command
}
