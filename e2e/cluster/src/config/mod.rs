//! What each process is told: pure rendering of arguments and files.

pub(crate) mod apiserver;
pub(crate) mod containerd;
pub(crate) mod kubeconfig;
pub(crate) mod kubelet;
pub(crate) mod objects;
pub(crate) mod proxy;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Writes a file only when its content changes: kube-proxy ends when its
/// configuration is touched, and an idempotent `up` must not restart anything.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
