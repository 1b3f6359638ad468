//! Loading images into the cluster's containerd.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::{Image, prune};
use crate::layout::Layout;
use crate::{paths, progress, run};

impl Image {
    /// Loads the image into the running cluster unless it is there, and makes
    /// `:dev` mean it. Returns the exact reference for pods to use.
    pub fn load(&self) -> Result<String> {
        let layout = Layout::open()?;
        let reference = self.reference();
        let there = images(&layout)?;
        if !there.contains_key(&reference) {
            progress::step(&format!("loading image {}", reference.replace(':', " ")), || {
                self.import(&layout)
            })?;
        } else if there.get(&reference) != there.get(&self.dev_reference()) {
            run::run(ctr(&layout).args(["images", "tag", "--force", &reference, &self.dev_reference()]))?;
        }
        prune::versions(&layout, &self.name, &reference, &there)?;
        prune::layers(&paths::images()?.join("layers"))?;
        Ok(reference)
    }

    fn import(&self, layout: &Layout) -> Result<()> {
        let mut child = ctr(layout)
            .args(["images", "import", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start ctr; is containerd installed?")?;
        let pipe = child.stdin.take().context("ctr has no standard input")?;
        let written = self.write_archive(std::io::BufWriter::with_capacity(1 << 20, pipe));
        let said = child.wait_with_output()?;
        if !said.status.success() {
            bail!(
                "containerd refused the image {}: {}\nsee {}",
                self.reference(),
                String::from_utf8_lossy(&said.stderr).trim(),
                layout.log("containerd").display()
            );
        }
        written
    }
}

/// Gives a loaded image a further name.
pub fn tag(reference: &str, further: &str) -> Result<()> {
    run::run(ctr(&Layout::open()?).args(["images", "tag", "--force", reference, further]))
}

/// Takes a name away; the image stays as long as it has another.
pub fn untag(reference: &str) -> Result<()> {
    run::run(ctr(&Layout::open()?).args(["images", "rm", reference]))
}

/// containerd's command line client, for the cluster's pods.
pub(crate) fn ctr(layout: &Layout) -> Command {
    let mut command = Command::new("ctr");
    command.arg("--address").arg(layout.containerd_socket()).args(["--namespace", "k8s.io"]);
    command
}

/// Each loaded reference and the digest it names.
fn images(layout: &Layout) -> Result<BTreeMap<String, String>> {
    let listing = run::output(ctr(layout).args(["images", "ls"])).context("is the cluster up?")?;
    Ok(parse(&listing))
}

fn parse(listing: &str) -> BTreeMap<String, String> {
    listing
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut columns = line.split_whitespace();
            let reference = columns.next()?;
            let digest = columns.find(|column| column.starts_with("sha256:"))?;
            Some((reference.to_owned(), digest.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listing_gives_references_and_digests() {
        let listing = "REF TYPE DIGEST SIZE PLATFORMS LABELS\n\
             golden.local/a:dev application/vnd.docker.x sha256:11 1.0 MiB linux/amd64 -\n\
             golden.local/a:0123 application/vnd.docker.x sha256:11 1.0 MiB linux/amd64 -\n";
        let images = parse(listing);
        assert_eq!(images.len(), 2);
        assert_eq!(images["golden.local/a:dev"], images["golden.local/a:0123"]);
    }
}
