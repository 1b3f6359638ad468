//! The binaries of this tree, and the images made of them.

use crate::cargo::cargo;
use anyhow::{Context as _, Result, ensure};
use golden_cluster::images::{self, File, Image, Start};
use golden_scenarios::install::Images;
use std::path::{Path, PathBuf};

/// Where the binaries are.
#[derive(Clone, Debug)]
pub(crate) struct Binaries {
    pub(crate) golden: PathBuf,
    pub(crate) model: PathBuf,
}

/// What cargo is asked for. It joins the features of all it builds, so each scope has dependencies of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope {
    /// The two programs alone: the least to compile.
    Programs,
    /// Whatever the tests have compiled already, so that the very code they tested goes into the images.
    Everything,
}

impl Scope {
    fn args(self) -> &'static [&'static str] {
        match self {
            Self::Programs => &["-p", "golden", "-p", "golden-model"],
            Self::Everything => &["--workspace", "--all-targets"],
        }
    }
}

/// Builds both, with the profile of the tests.
pub(crate) fn binaries(scope: Scope) -> Result<Binaries> {
    println!("building golden and the recorded model");
    let told = build(scope.args())?;
    Ok(Binaries { golden: executable(&told, "golden")?, model: executable(&told, "golden-model")? })
}

/// Builds a package's program of the same name. What cargo has to say goes to the terminal, so that the output is the
/// program's alone.
pub(crate) fn program(package: &str, profile: &[&str]) -> Result<PathBuf> {
    let told = build(&[&["-p", package], profile].concat())?;
    executable(&told, package)
}

/// What cargo told of what it built.
fn build(args: &[&str]) -> Result<String> {
    let output = cargo()
        .args(["build", "--message-format=json-render-diagnostics"])
        .args(args)
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    ensure!(output.status.success(), "`cargo build {}` failed", args.join(" "));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn executable(told: &str, name: &str) -> Result<PathBuf> {
    told.lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|m| m["target"]["name"] == name && m["profile"]["test"] == false)
        .find_map(|m| m["executable"].as_str().map(PathBuf::from))
        .with_context(|| format!("cargo named no binary {name}"))
}

/// Loads images into the local cluster.
pub(crate) fn load(images: &[Image]) -> Result<()> {
    images.iter().try_for_each(|image| image.load().map(drop))
}

/// What the two images of Golden are called.
pub(crate) fn names(binaries: &Binaries) -> Result<Images> {
    Ok(Images { golden: golden_name(binaries)?, golden_git: golden_git_name(binaries)? })
}

/// What Golden's image is called: by its content, so it is built for it.
pub(crate) fn golden_name(binaries: &Binaries) -> Result<String> {
    Ok(images::golden(&binaries.golden)?.reference())
}

/// What the one with git is called.
pub(crate) fn golden_git_name(binaries: &Binaries) -> Result<String> {
    Ok(golden_git(binaries)?.reference())
}

/// Images as archives in `folder`, for `kind load image-archive`, `ctr images import` or a push.
pub(crate) fn save(images: &[Image], folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for image in images {
        let reference = image.reference();
        let name = reference.rsplit('/').next().unwrap_or(&reference).replace(':', "-");
        let path = folder.join(format!("{name}.tar"));
        let file =
            std::fs::File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        image.write_archive(std::io::BufWriter::new(file))?;
        println!("{reference}   {}   {}", image.dev_reference(), path.display());
    }
    Ok(())
}

/// Every image that the demo and most tests use.
pub(crate) fn every(binaries: &Binaries) -> Result<Vec<Image>> {
    let mut all = images::beside_ours()?;
    all.extend([golden_model(binaries)?, images::golden(&binaries.golden)?, golden_git(binaries)?]);
    Ok(all)
}

fn golden_model(binaries: &Binaries) -> Result<Image> {
    let start = Start { entrypoint: vec!["/golden-model".into()], user: "65532".into(), ..Start::default() };
    Image::from_files(
        "golden-model",
        &[File::program("/golden-model", &binaries.model), File::folder("/data", 65_532)],
        start,
    )
}

fn golden_git(binaries: &Binaries) -> Result<Image> {
    images::git()?.layer("golden-git", &[File::program("/usr/local/bin/golden", &binaries.golden)])
}
