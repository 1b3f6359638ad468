//! Laying out the work: the tree in the workspace; prompt, feedback and facts of the try beside it.

use crate::retry::again;
use anyhow::{Context as _, ensure};
use bytes::Bytes;
use golden_platform::http::ServiceClient;
use golden_platform::tree;
use golden_platform::wire::TryContext;
use std::path::{Path, PathBuf};

/// Where things are laid out.
#[derive(Clone, Debug)]
pub(crate) struct Folders {
    pub(crate) workspace: PathBuf,
    pub(crate) golden: PathBuf,
}

/// Says that the work was laid out: a sidecar started again must not undo what the agent did meanwhile.
const DONE: &str = ".laid-out";

/// Fetches the work and lays it out, once in a pod's life.
pub(crate) async fn lay_out(orchestrator: &ServiceClient, folders: &Folders) -> anyhow::Result<()> {
    if folders.golden.join(DONE).exists() {
        return Ok(());
    }
    let work: TryContext =
        again("the try", || orchestrator.get("/v1/try")).await.context("no work for this pod")?;
    let path = format!("/v1/artifacts/{}", work.tree);
    let bytes =
        again("the tree", || orchestrator.get_bytes(&path)).await.context("the tree cannot be read")?;
    ensure!(tree::digest(&bytes) == work.tree, "the store sent something else than {}", work.tree);
    let transcript = transcript(orchestrator, &work).await?;
    let folders = folders.clone();
    tokio::task::spawn_blocking(move || write(&folders, &work, &bytes, transcript.as_ref())).await?
}

/// What the agent said and heard in the try that this one resumes.
async fn transcript(orchestrator: &ServiceClient, work: &TryContext) -> anyhow::Result<Option<Bytes>> {
    let Some(digest) = work.resumes.as_ref().and_then(|r| r.transcript.as_ref()) else { return Ok(None) };
    let path = format!("/v1/artifacts/{digest}");
    let bytes = again("the transcript", || orchestrator.get_bytes(&path))
        .await
        .context("the transcript cannot be read")?;
    ensure!(tree::digest(&bytes) == *digest, "the store sent something else than {digest}");
    Ok(Some(bytes))
}

fn write(
    folders: &Folders,
    work: &TryContext,
    bytes: &Bytes,
    transcript: Option<&Bytes>,
) -> anyhow::Result<()> {
    // A sidecar that died half way through leaves a part of the tree: begin again from nothing.
    clear(&folders.workspace)?;
    tree::unpack(bytes, &folders.workspace).context("the tree cannot be laid out")?;
    let file = |name: &str, bytes: &[u8]| {
        std::fs::write(folders.golden.join(name), bytes).with_context(|| format!("{name} cannot be written"))
    };
    file("prompt.md", work.prompt.as_bytes())?;
    file("feedback.md", work.feedback.as_bytes())?;
    file("task.json", serde_json::to_string_pretty(work)?.as_bytes())?;
    if let Some(transcript) = transcript {
        file("transcript.jsonl", transcript)?;
    }
    file(DONE, b"")
}

fn clear(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use golden_platform::wire::Resumes;

    #[test]
    fn a_half_laid_tree_is_laid_anew_and_named_done_last() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders { workspace: home.path().join("w"), golden: home.path().to_owned() };
        std::fs::create_dir_all(folders.workspace.join("left/over")).unwrap();
        let tar = tree::Tree::from_files([("a.txt", "a")]).unwrap().to_tar().unwrap();
        let work = TryContext {
            task_uid: "3f2a9c1d-0000-4000-8000-000000000001".parse().unwrap(),
            task_name: "t".into(),
            namespace: "n".into(),
            attempt: 1,
            r#try: 1,
            role: "developer".into(),
            tree: tree::digest(&tar),
            resumes: Some(Resumes { transcript: None }),
            prompt: "do".into(),
            feedback: String::new(),
            model: "m".into(),
        };
        write(&folders, &work, &tar.into(), Some(&Bytes::from_static(b"{}\n"))).unwrap();
        assert_eq!(std::fs::read_to_string(folders.workspace.join("a.txt")).unwrap(), "a");
        assert!(!folders.workspace.join("left").exists());
        assert!(folders.golden.join(DONE).exists());
        assert_eq!(std::fs::read_to_string(folders.golden.join("transcript.jsonl")).unwrap(), "{}\n");
        assert_eq!(std::fs::read_to_string(folders.golden.join("prompt.md")).unwrap(), "do");
    }
}
