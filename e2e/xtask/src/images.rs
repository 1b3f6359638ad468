//! `cargo xtask images`: build every image that needs no binary of ours and
//! load it into the running cluster.

use anyhow::Result;

pub(crate) fn run() -> Result<()> {
    for image in golden_cluster::images::all()? {
        println!("{}", image.load()?);
    }
    Ok(())
}
