//! The cluster's folder: one name for every file in it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::paths;

/// A link to the folder of the cluster that runs on this machine or was killed
/// on it. Ports, links, packet rules and control groups exist once, whatever
/// cache a command is given; a reboot takes them and this link together.
const OF_MACHINE: &str = "/run/golden-cluster";

/// A unix socket's path must fit in 107 bytes.
const LONGEST: usize = 70;

/// Paths under `$GOLDEN_CACHE/cluster`, and containerd's images beside it.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
    /// containerd's images and snapshots: slow to load, so they outlive `down`.
    pub(crate) images: PathBuf,
}

impl Layout {
    pub(crate) fn open() -> Result<Self> {
        Self::of(&paths::cache()?)
    }

    pub(crate) fn of(cache: &Path) -> Result<Self> {
        let root = paths::cluster(cache);
        ensure!(
            root.as_os_str().len() <= LONGEST,
            "{} is too long a path for the sockets in it ({LONGEST} characters at most): set GOLDEN_CACHE to a shorter one",
            root.display()
        );
        Ok(Self { root, images: paths::images_of(cache).join("containerd") })
    }

    /// The machine's cluster, if its folder is in another cache than this one.
    pub(crate) fn elsewhere(&self) -> Option<Self> {
        let root = fs::read_link(OF_MACHINE).ok().filter(|root| *root != self.root && root.exists())?;
        Self::of(root.parent()?).ok()
    }

    /// From here on this is the machine's cluster.
    pub(crate) fn claim_machine(&self) -> Result<()> {
        let _ = fs::remove_file(OF_MACHINE);
        symlink(&self.root, OF_MACHINE).with_context(|| format!("cannot make the link {OF_MACHINE}"))
    }

    /// Nothing of this cluster is left on the machine.
    pub(crate) fn leave_machine(&self) {
        if fs::read_link(OF_MACHINE).is_ok_and(|root| root == self.root) {
            let _ = fs::remove_file(OF_MACHINE);
        }
    }

    /// The cache this cluster's folder is in.
    pub(crate) fn cache(&self) -> &Path {
        self.root.parent().unwrap_or(&self.root)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn pki(&self) -> PathBuf {
        self.at("pki")
    }

    pub(crate) fn config(&self, file: &str) -> PathBuf {
        self.at("config").join(file)
    }

    pub(crate) fn cni(&self) -> PathBuf {
        self.at("cni")
    }

    pub(crate) fn cni_data(&self) -> PathBuf {
        self.at("cni-data")
    }

    pub(crate) fn etcd(&self) -> PathBuf {
        self.at("etcd")
    }

    pub(crate) fn kubelet(&self) -> PathBuf {
        self.at("kubelet")
    }

    pub(crate) fn pod_logs(&self) -> PathBuf {
        self.at("pod-logs")
    }

    pub(crate) fn volumes(&self) -> PathBuf {
        self.at("volumes")
    }

    /// containerd's runtime state; its socket is in it.
    pub(crate) fn containerd(&self) -> PathBuf {
        self.at("containerd")
    }

    pub(crate) fn containerd_socket(&self) -> PathBuf {
        self.containerd().join("containerd.sock")
    }

    pub(crate) fn log(&self, process: &str) -> PathBuf {
        self.at("log").join(format!("{process}.log"))
    }

    pub(crate) fn audit_log(&self) -> PathBuf {
        self.at("log").join("audit.log")
    }

    pub(crate) fn admin_kubeconfig(&self) -> PathBuf {
        self.at("admin.kubeconfig")
    }

    pub(crate) fn specs(&self) -> PathBuf {
        self.at("processes.json")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.at("state.json")
    }

    /// What the machine looked like before, so that only ours is removed.
    pub(crate) fn before(&self) -> PathBuf {
        self.at("before.json")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.at("lock")
    }
}
