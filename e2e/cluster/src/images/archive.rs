//! The docker archive format: what `ctr images import`, `docker load` and
//! `kind load image-archive` read.

use std::fs;
use std::io::{Read as _, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tar::{Builder, Header};

use super::{Image, Start};

impl Image {
    /// Writes the image as a docker archive, for any cluster that loads one.
    pub fn write_archive(&self, out: impl Write) -> Result<()> {
        let layers =
            self.layers.iter().map(|layer| Ok((layer, file_digest(layer)?))).collect::<Result<Vec<_>>>()?;
        let digests: Vec<&str> = layers.iter().map(|(_, digest)| digest.as_str()).collect();
        let config = serde_json::to_vec(&configuration(&self.start, &digests))?;
        let config_name = format!("{}.json", hex::encode(Sha256::digest(&config)));
        let manifest = json!([{
            "Config": config_name,
            "RepoTags": [self.reference(), self.dev_reference()],
            "Layers": digests.iter().map(|digest| format!("{digest}/layer.tar")).collect::<Vec<_>>()
        }]);
        let mut tar = Builder::new(out);
        append(&mut tar, &config_name, &config)?;
        for (path, digest) in &layers {
            let mut source =
                fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
            let mut header = header(source.metadata()?.len());
            tar.append_data(&mut header, format!("{digest}/layer.tar"), &mut source)?;
        }
        append(&mut tar, "manifest.json", &serde_json::to_vec(&manifest)?)?;
        tar.into_inner()?.flush()?;
        Ok(())
    }
}

fn configuration(start: &Start, digests: &[&str]) -> Value {
    let env: Vec<String> = start.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    json!({
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "Entrypoint": start.entrypoint,
            "Cmd": start.command,
            "Env": env,
            "User": start.user,
            "WorkingDir": start.folder,
        },
        "rootfs": { "type": "layers", "diff_ids": digests.iter().map(|digest| format!("sha256:{digest}")).collect::<Vec<_>>() }
    })
}

fn append(tar: &mut Builder<impl Write>, name: &str, bytes: &[u8]) -> Result<()> {
    tar.append_data(&mut header(bytes.len() as u64), name, bytes)?;
    Ok(())
}

fn header(size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(size);
    header.set_mtime(0);
    header
}

fn file_digest(path: &Path) -> Result<String> {
    let mut file = fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            return Ok(hex::encode(hash.finalize()));
        }
        hash.update(&block[..read]);
    }
}
