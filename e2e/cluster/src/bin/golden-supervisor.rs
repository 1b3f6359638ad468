//! The supervisor as a program of its own, for the cluster's tests: a test
//! binary cannot be started again as one. `xtask` carries the same inside.

fn main() -> anyhow::Result<()> {
    golden_cluster::supervise()
}
