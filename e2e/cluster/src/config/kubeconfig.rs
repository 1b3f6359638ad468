//! Kubeconfigs with everything inside, so that one file can be handed on.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::pki::{Pair, Pki};

/// Writes the file only when it would change: kube-proxy ends when its
/// configuration is rewritten.
pub(crate) fn write(path: &Path, pki: &Pki, server: &str, user: &str, credentials: &Pair) -> Result<()> {
    let read = |file: &Path| fs::read(file).with_context(|| format!("cannot read {}", file.display()));
    let text = render(
        server,
        user,
        &STANDARD.encode(read(&pki.path("ca.crt"))?),
        &STANDARD.encode(read(&credentials.certificate)?),
        &STANDARD.encode(read(&credentials.key)?),
    );
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    // The key inside is a secret: nobody else may read it, not even for a moment.
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    std::io::Write::write_all(&mut file, text.as_bytes())?;
    Ok(())
}

fn render(server: &str, user: &str, authority: &str, certificate: &str, key: &str) -> String {
    // A user's name may hold any character; JSON strings are YAML strings.
    let user = serde_json::Value::from(user);
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: golden
  cluster:
    server: {server}
    certificate-authority-data: {authority}
users:
- name: {user}
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
contexts:
- name: golden
  context:
    cluster: golden
    user: {user}
current-context: golden
"
    )
}
