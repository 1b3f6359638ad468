//! Container images without a registry: built from Debian packages, static
//! binaries and programs from npm, loaded straight into the cluster's containerd.
//!
//! An image is a list of layers (tar files) and a configuration. Its tag is
//! the hash of what went in: `golden.local/<name>:<12 hex digits>`, and
//! `:dev` for the newest. Pods use `imagePullPolicy: IfNotPresent`.

mod archive;
mod catalogue;
mod debian;
mod layer;
mod load;
mod npm;
mod prune;

pub use catalogue::{
    agents, beside_ours, busybox, coredns, fetch_agents, git, git_server, golden, nats, pause, postgres,
    python, redis, unpack_claude_code, unpack_codex,
};
pub use layer::{Content, File};
pub(crate) use load::ctr;
pub use load::{tag, untag};

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

const REGISTRY: &str = "golden.local";

/// How a container of the image starts.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Start {
    pub entrypoint: Vec<String>,
    pub command: Vec<String>,
    pub env: BTreeMap<String, String>,
    /// `uid` or `uid:gid`; empty is root.
    pub user: String,
    pub folder: String,
}

impl Start {
    fn within(self, folder: &str) -> Self {
        Self { folder: folder.to_owned(), ..self }
    }
}

/// A built image: layers on disk and how to start.
#[derive(Clone, Debug)]
pub struct Image {
    name: String,
    hash: String,
    layers: Vec<PathBuf>,
    start: Start,
}

impl Image {
    /// An image of these files alone.
    pub fn from_files(name: &str, files: &[File], start: Start) -> Result<Self> {
        let (layer, layer_hash) = layer::build(files)?;
        Ok(Self::new(name, &layer_hash, vec![layer], start))
    }

    /// This image with further files on top, under another name; it starts as
    /// before unless [`Image::starting`] says otherwise.
    pub fn layer(&self, name: &str, files: &[File]) -> Result<Self> {
        let (layer, layer_hash) = layer::build(files)?;
        let mut layers = self.layers.clone();
        layers.push(layer);
        Ok(Self::new(name, &format!("{} {layer_hash}", self.hash), layers, self.start.clone()))
    }

    /// The same files, started differently.
    #[must_use]
    pub fn starting(self, start: Start) -> Self {
        let Self { name, hash, layers, .. } = self;
        Self::new(&name, &hash, layers, start)
    }

    fn new(name: &str, source: &str, layers: Vec<PathBuf>, start: Start) -> Self {
        let start_hash = serde_json::to_string(&start).unwrap_or_default();
        let hash = digest([source.as_bytes(), start_hash.as_bytes()]);
        Self { name: name.to_owned(), hash, layers, start }
    }

    /// `golden.local/<name>:<hash>`: names exactly this content.
    pub fn reference(&self) -> String {
        format!("{REGISTRY}/{}:{}", self.name, self.hash)
    }

    /// `golden.local/<name>:dev`: the newest one loaded.
    pub fn dev_reference(&self) -> String {
        format!("{REGISTRY}/{}:dev", self.name)
    }
}

fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())[..12].to_owned()
}
