//! An apiserver with its own etcd and nothing else: the real thing for tests
//! of CRDs, CEL rules, admission policies, RBAC, ownership and conflicts.
//!
//! No controllers run: nothing collects garbage, ends namespaces, starts pods
//! or makes service accounts. Ready in a few seconds, on free ports of
//! 127.0.0.1, any number of them at once.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::process::Signal;

use crate::config::{apiserver, kubeconfig};
use crate::pki::{Pki, Subject};
use crate::services::server::{Plan, Server, folder};
use crate::{Kubectl, ports, tools};

/// A running apiserver. Dropping it stops it and its etcd.
pub struct ApiServer {
    // Dropped in this order: the apiserver would wait for a lost etcd.
    apiserver: Server,
    etcd: Server,
    home: PathBuf,
    pki: Pki,
    url: String,
    kubeconfig: PathBuf,
}

impl ApiServer {
    /// Starts both and waits until the apiserver is ready. Kubeconfigs, audit
    /// log and certificates are in `home`; the data is temporary.
    pub fn start(home: &Path) -> Result<Self> {
        fs::create_dir_all(home).with_context(|| format!("cannot create {}", home.display()))?;
        let kubernetes = tools::ensure("kubernetes")?;
        let (etcd, etcd_url) = start_etcd()?;

        let node = IpAddr::from(Ipv4Addr::LOCALHOST);
        let pki = Pki::open(&home.join("pki"))?;
        pki.issue("ca", "apiserver", &Subject::server("kube-apiserver", apiserver::hosts(node)))?;
        let admin = pki.issue("ca", "admin", &Subject::client("kubernetes-admin", &["system:masters"]))?;
        let port = ports::free()?;
        let url = format!("https://127.0.0.1:{port}");
        let config = home.join("admin.kubeconfig");
        kubeconfig::write(&config, &pki, &url, "kubernetes-admin", &admin)?;

        let (audit_policy, audit_log) = (home.join("audit-policy.yaml"), home.join("audit.log"));
        fs::write(&audit_policy, apiserver::AUDIT_POLICY)?;
        let args = apiserver::args(&apiserver::Settings {
            pki: &pki,
            etcd: etcd_url,
            port,
            node,
            audit_policy: &audit_policy,
            audit_log: &audit_log,
            alone: true,
        });
        let kubectl = Kubectl::new(&config)?;
        let plan = Plan {
            name: "kube-apiserver",
            program: kubernetes.join("kube-apiserver"),
            args,
            // In an orderly end it would wait ten seconds for its watchers.
            stop: Signal::KILL,
            user: None,
            ready: Box::new(move || kubectl.ready()),
        };
        let apiserver = Server::start(folder("apiserver", None)?, plan)?;
        Ok(Self { apiserver, etcd, home: home.to_owned(), pki, url, kubeconfig: config })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The administrator's kubeconfig (group `system:masters`).
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A kubeconfig for any other user, by client certificate.
    pub fn user_kubeconfig(&self, name: &str, groups: &[&str]) -> Result<PathBuf> {
        user_kubeconfig(&self.home, &self.pki, &self.url, name, groups)
    }

    /// Writes to our objects, pods and jobs, one JSON object a line.
    pub fn audit_log(&self) -> PathBuf {
        self.home.join("audit.log")
    }

    pub fn log(&self) -> PathBuf {
        self.apiserver.log()
    }

    /// Kills the apiserver as a crash does; etcd keeps the objects.
    pub fn kill(&self) -> Result<()> {
        self.apiserver.kill()
    }

    /// Starts the apiserver again on the same port with the same objects.
    pub fn restart(&self) -> Result<()> {
        if self.etcd.pid().is_none() {
            self.etcd.restart()?;
        }
        self.apiserver.restart()
    }
}

pub(crate) fn user_kubeconfig(
    home: &Path,
    pki: &Pki,
    url: &str,
    name: &str,
    groups: &[&str],
) -> Result<PathBuf> {
    // Names such as `system:serviceaccount:a:b` must not become paths.
    let file: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.@:".contains(c) { c } else { '_' })
        .collect();
    let users = home.join("users");
    fs::create_dir_all(&users)?;
    let credentials = pki.issue("ca", &format!("user-{file}"), &Subject::client(name, groups))?;
    let path = users.join(format!("{file}.kubeconfig"));
    kubeconfig::write(&path, pki, url, name, &credentials)?;
    Ok(path)
}

fn start_etcd() -> Result<(Server, String)> {
    let home = folder("etcd", None)?;
    let (client, peer) = (ports::free()?, ports::free()?);
    let url = format!("http://127.0.0.1:{client}");
    let peer_url = format!("http://127.0.0.1:{peer}");
    let args = vec![
        format!("--data-dir={}", home.join("data").display()),
        format!("--listen-client-urls={url}"),
        format!("--advertise-client-urls={url}"),
        format!("--listen-peer-urls={peer_url}"),
        format!("--initial-advertise-peer-urls={peer_url}"),
        format!("--initial-cluster=default={peer_url}"),
        // Temporary data: a power cut may take it, tests should not wait for the disk.
        "--unsafe-no-fsync".to_owned(),
    ];
    let plan = Plan {
        name: "etcd",
        program: tools::program("etcd", "etcd")?,
        args,
        stop: Signal::KILL,
        user: None,
        ready: Box::new(move || {
            std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, client)).map(drop).context("no connection")
        }),
    };
    Ok((Server::start(home, plan)?, url))
}
