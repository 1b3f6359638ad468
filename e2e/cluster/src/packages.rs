//! Debian packages the cluster and the services need; only missing ones are installed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{progress, run};

/// A program that shows the package is there, and the package.
const NEEDED: [(&str, &str); 19] = [
    ("/usr/bin/containerd", "containerd"),
    ("/usr/sbin/runc", "runc"),
    ("/usr/lib/cni/bridge", "containernetworking-plugins"),
    ("/usr/bin/busybox", "busybox-static"),
    ("/usr/bin/mmdebstrap", "mmdebstrap"),
    ("/usr/sbin/iptables", "iptables"),
    ("/usr/sbin/nft", "nftables"),
    ("/usr/sbin/conntrack", "conntrack"),
    ("/usr/bin/openssl", "openssl"),
    ("/usr/sbin/ip", "iproute2"),
    ("/usr/bin/mount", "mount"),
    ("/usr/bin/setpriv", "util-linux"),
    ("/usr/bin/git", "git"),
    ("/usr/lib/postgresql/15/bin/postgres", "postgresql-15"),
    ("/usr/bin/redis-server", "redis-server"),
    ("/etc/ssl/certs/ca-certificates.crt", "ca-certificates"),
    // For tests and benchmarks: the demo's repository is judged by pytest, clients and peers come from PyPI.
    ("/usr/bin/python3", "python3"),
    ("/usr/lib/python3/dist-packages/pytest", "python3-pytest"),
    ("/usr/lib/python3.11/ensurepip/__init__.py", "python3-venv"),
];

/// Debian asks this before it starts a service on installation; 101 means no.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs what is missing. Servers that come with a package are not started.
pub fn ensure() -> Result<()> {
    let missing: Vec<&str> =
        NEEDED.iter().filter(|(file, _)| !Path::new(file).exists()).map(|(_, package)| *package).collect();
    if missing.is_empty() { Ok(()) } else { install(&missing) }
}

/// npm, which images of other makers' agents alone need; where some is on PATH already, that is used.
pub fn ensure_npm() -> Result<()> {
    if run::on_path("npm") { Ok(()) } else { install(&["npm"]) }
}

fn install(missing: &[&str]) -> Result<()> {
    if !run::on_path("apt-get") {
        bail!(
            "this machine lacks {} and has no apt-get: install the equivalents of these Debian packages",
            missing.join(" ")
        );
    }
    progress::step("refreshing the list of Debian packages", || run::run(apt().arg("update")))?;
    let title = format!("installing Debian packages: {}", missing.join(" "));
    progress::step(&title, || {
        let _quiet = ServicesHeldBack::new()?;
        run::run(apt().args(["install", "-y", "--no-install-recommends"]).args(missing))
    })
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").arg("-q");
    command
}

/// While it lives, installing a package starts no server. A policy that was
/// there before is left as it is.
struct ServicesHeldBack {
    ours: bool,
}

impl ServicesHeldBack {
    fn new() -> Result<Self> {
        if Path::new(POLICY).exists() {
            return Ok(Self { ours: false });
        }
        fs::write(POLICY, "#!/bin/sh\nexit 101\n").with_context(|| format!("cannot write {POLICY}"))?;
        fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755))?;
        Ok(Self { ours: true })
    }
}

impl Drop for ServicesHeldBack {
    fn drop(&mut self) {
        if self.ours {
            let _ = fs::remove_file(POLICY);
        }
    }
}
