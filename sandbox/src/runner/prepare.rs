//! `golden runner prepare`: the binary for the command's container, then the workspace.
//!
//! Runs before any foreign code, so its termination message can be believed. The tree comes from the broker by its
//! digest and is checked against it here again: what is judged is what was asked for.

use super::install;
use crate::files;
use crate::report::PrepareFault;
use golden_crds::common::InlineFile;
use golden_crds::conditions::sandbox_run::{
    ARTIFACT_STORE_UNREACHABLE, CONTAINER_START_FAILED, WORKSPACE_REFUSED, WORKSPACE_UNAVAILABLE,
};
use golden_platform::http::{CallError, ServiceClient, TokenFile};
use golden_platform::tree;
use golden_platform::{Class, Classify as _};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long an unreachable broker is waited for.
const PATIENCE: Duration = Duration::from_mins(2);
/// Chunks of inline files: 512 KiB in Base64 are eight.
const MAX_CHUNKS: usize = 64;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(long, default_value = "/golden-bin")]
    pub bin: PathBuf,
    #[arg(long, default_value = "/workspace")]
    pub workspace: PathBuf,
    /// Digest of the tree to lay out.
    #[arg(long, env = "GOLDEN_WORKSPACE")]
    pub tree: Option<String>,
    /// Where the tree goes that the workspace was made from.
    #[arg(long, default_value = "/golden-base")]
    pub base_dir: PathBuf,
    /// Digest of that tree.
    #[arg(long, env = "GOLDEN_BASE")]
    pub base: Option<String>,
    #[arg(long, env = "GOLDEN_SANDBOX_URL")]
    pub sandbox_url: Option<String>,
    #[arg(long, env = "GOLDEN_TOKEN_FILE", default_value = "/var/run/golden/token")]
    pub token_file: PathBuf,
    #[arg(long, default_value = "/dev/termination-log")]
    pub termination_log: PathBuf,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let Err(fault) = lay_out(args) else { return ExitCode::SUCCESS };
    eprintln!("{}: {}", fault.reason, fault.message);
    let text = serde_json::to_string(&fault).unwrap_or_default();
    if let Err(e) = fs::write(&args.termination_log, text) {
        eprintln!("cannot write {}: {e}", args.termination_log.display());
    }
    ExitCode::FAILURE
}

fn fault(reason: &str, message: impl Into<String>) -> PrepareFault {
    PrepareFault { reason: reason.into(), message: message.into() }
}

fn lay_out(args: &Args) -> Result<(), PrepareFault> {
    install::copy_to(&args.bin).map_err(|e| fault(CONTAINER_START_FAILED, format!("{e:#}")))?;
    let trees = [(&args.tree, &args.workspace), (&args.base, &args.base_dir)];
    let wanted = trees.into_iter().filter_map(|(digest, dir)| Some((digest.as_deref()?, dir.as_path())));
    lay_trees(args, &wanted.collect::<Vec<_>>())?;
    let files = inline_files().map_err(|e| fault(WORKSPACE_UNAVAILABLE, e.to_string()))?;
    files.iter().try_for_each(|file| lay_file(&args.workspace, file))
}

/// Digests and where their trees go.
fn lay_trees(args: &Args, wanted: &[(&str, &Path)]) -> Result<(), PrepareFault> {
    if wanted.is_empty() {
        return Ok(());
    }
    let Some(url) = &args.sandbox_url else {
        let why = "spec.workspace and spec.base need a team's broker, and this run has no label goldenarch.dev/team-uid";
        return Err(fault(WORKSPACE_UNAVAILABLE, why));
    };
    let unavailable = |e: &dyn std::fmt::Display| fault(WORKSPACE_UNAVAILABLE, e.to_string());
    let runtime = super::runtime().map_err(|e| unavailable(&e))?;
    let http = golden_platform::http::client().map_err(|e| unavailable(&e))?;
    let broker = ServiceClient::new(http, url, TokenFile::new(&args.token_file));
    wanted.iter().try_for_each(|(digest, dir)| {
        // A second start of this container finds what the first one left.
        empty(dir).map_err(|e| fault(CONTAINER_START_FAILED, e.to_string()))?;
        unpack(&runtime.block_on(fetch(&broker, digest))?, dir)
    })
}

fn unpack(tar: &[u8], dir: &Path) -> Result<(), PrepareFault> {
    tree::unpack(tar, dir).map_err(|e| match e.class() {
        Class::Invalid => fault(WORKSPACE_REFUSED, e.to_string()),
        _ => fault(CONTAINER_START_FAILED, e.to_string()),
    })
}

async fn fetch(broker: &ServiceClient, digest: &str) -> Result<bytes::Bytes, PrepareFault> {
    let bytes = get(broker, digest).await?;
    match tree::digest(&bytes) {
        found if found == digest => Ok(bytes),
        found => Err(fault(WORKSPACE_UNAVAILABLE, format!("the store holds {found} as {digest}"))),
    }
}

async fn get(broker: &ServiceClient, digest: &str) -> Result<bytes::Bytes, PrepareFault> {
    let (until, mut pause) = (Instant::now() + PATIENCE, Duration::from_millis(100));
    loop {
        let error = match broker.get_bytes(&format!("/v1/artifacts/{digest}")).await {
            Ok(bytes) => return Ok(bytes),
            Err(e) => e,
        };
        let lasting = matches!(error, CallError::Refused { status: 400..=404, .. });
        if lasting {
            return Err(fault(WORKSPACE_UNAVAILABLE, error.to_string()));
        }
        if Instant::now() + pause > until {
            return Err(fault(ARTIFACT_STORE_UNREACHABLE, error.to_string()));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

fn empty(dir: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn inline_files() -> Result<Vec<InlineFile>, files::FilesFault> {
    let chunk = |i: usize| std::env::var(format!("GOLDEN_FILES_{i}")).ok();
    let text: String = (0..MAX_CHUNKS).map_while(chunk).collect();
    if text.is_empty() { Ok(Vec::new()) } else { files::decode(&text) }
}

/// Writes one file. The tree may hold links: none is written through.
fn lay_file(workspace: &Path, file: &InlineFile) -> Result<(), PrepareFault> {
    let refused = |why: &str| fault(WORKSPACE_REFUSED, format!("file {}: {why}", file.path));
    let failed =
        |e: std::io::Error| fault(CONTAINER_START_FAILED, format!("cannot write {}: {e}", file.path));
    let parts: Vec<Component<'_>> = Path::new(&file.path).components().collect();
    let Some((Component::Normal(name), folders)) = parts.split_last() else {
        return Err(refused("not a file"));
    };
    let mut place = workspace.to_owned();
    for part in folders {
        let Component::Normal(folder) = part else { return Err(refused("the path leaves the workspace")) };
        place.push(folder);
        match fs::symlink_metadata(&place) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(refused("a part of the path is not a folder")),
            Err(_) => fs::create_dir(&place).map_err(failed)?,
        }
    }
    place.push(name);
    if fs::symlink_metadata(&place).is_ok_and(|found| !found.is_dir()) {
        fs::remove_file(&place).map_err(failed)?;
    }
    let mut out = OpenOptions::new().write(true).create_new(true).open(&place).map_err(failed)?;
    out.write_all(file.content.as_bytes()).map_err(failed)
}

#[cfg(test)]
mod unit {
    use super::*;

    fn file(path: &str) -> InlineFile {
        InlineFile { path: path.into(), content: "new".into() }
    }

    #[test]
    fn inline_files_replace_what_is_there_and_follow_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("kept"), "old").unwrap();
        std::os::unix::fs::symlink(outside.path().join("kept"), dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink(outside.path(), dir.path().join("folder")).unwrap();
        lay_file(dir.path(), &file("a/b/c")).unwrap();
        lay_file(dir.path(), &file("a/b/c")).unwrap();
        lay_file(dir.path(), &file("link")).unwrap();
        assert_eq!(lay_file(dir.path(), &file("folder/kept")).unwrap_err().reason, WORKSPACE_REFUSED);
        assert_eq!(lay_file(dir.path(), &file("../x")).unwrap_err().reason, WORKSPACE_REFUSED);
        assert_eq!(fs::read_to_string(outside.path().join("kept")).unwrap(), "old");
        assert_eq!(fs::read_to_string(dir.path().join("link")).unwrap(), "new");
    }
}
