//! Which processes make a cluster, and what each waits for.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::config::{apiserver, kubelet};
use crate::layout::Layout;
use crate::pki::Pki;

pub(crate) const API_PORT: u16 = 6443;
/// Not the usual one: another etcd may run on the machine.
const ETCD_PORT: u16 = 12_379;
const ETCD_PEER_PORT: u16 = 12_380;
pub(crate) const NODE: &str = "golden";

/// One supervised process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spec {
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) log: PathBuf,
    /// Not started before this can be connected to.
    pub(crate) after: Vec<Wait>,
    /// Content of its configuration file: a change means a restart.
    pub(crate) configuration: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Wait {
    Tcp(u16),
    Socket(PathBuf),
    /// The apiserver is ready: before that it refuses even the system's own
    /// users, and the controller manager ends over it.
    Api {
        kubectl: PathBuf,
        kubeconfig: PathBuf,
    },
}

/// The programs' folders.
pub(crate) struct Programs {
    pub(crate) kubernetes: PathBuf,
    pub(crate) etcd: PathBuf,
    pub(crate) gvisor: PathBuf,
}

/// The address other machines would reach this one by, read from the route
/// table: connecting a datagram socket sends nothing.
pub(crate) fn node_address() -> Result<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).context(
        "this machine has no route to anywhere: give it a default route; pods need the node's address",
    )?;
    let address = socket.local_addr()?.ip();
    ensure!(
        !address.is_loopback(),
        "the default route leads to the loopback address; pods cannot reach that"
    );
    Ok(address)
}

/// Every process, in the order they are started in and reversed for stopping.
pub(crate) fn specs(layout: &Layout, programs: &Programs, pki: &Pki, node: IpAddr) -> Vec<Spec> {
    let api =
        Wait::Api { kubectl: programs.kubernetes.join("kubectl"), kubeconfig: layout.admin_kubeconfig() };
    let kube = |name: &str, args: Vec<String>, after: Vec<Wait>, file: Option<&str>| Spec {
        name: name.to_owned(),
        program: programs.kubernetes.join(name),
        args,
        env: BTreeMap::new(),
        log: layout.log(name),
        after,
        configuration: file.map(|file| read(&layout.config(file))).unwrap_or_default(),
    };
    let config = |file: &str| layout.config(file).display().to_string();
    vec![
        etcd(layout, programs),
        containerd(layout, programs),
        kube(
            "kube-apiserver",
            apiserver_args(layout, pki, node),
            vec![Wait::Tcp(ETCD_PORT)],
            Some("audit-policy.yaml"),
        ),
        kube("kube-controller-manager", controller_manager_args(layout, pki), vec![api.clone()], None),
        kube("kube-scheduler", scheduler_args(layout), vec![api.clone()], None),
        kube(
            "kubelet",
            vec![
                format!("--config={}", config("kubelet.json")),
                format!("--kubeconfig={}", config("kubelet.kubeconfig")),
                format!("--root-dir={}", layout.kubelet().display()),
                format!("--hostname-override={NODE}"),
                format!("--node-ip={node}"),
            ],
            vec![api.clone(), Wait::Socket(layout.containerd_socket())],
            Some("kubelet.json"),
        ),
        kube(
            "kube-proxy",
            vec![format!("--config={}", config("kube-proxy.json")), format!("--hostname-override={NODE}")],
            vec![api],
            Some("kube-proxy.json"),
        ),
    ]
}

fn etcd(layout: &Layout, programs: &Programs) -> Spec {
    let url = |port: u16| format!("http://127.0.0.1:{port}");
    Spec {
        name: "etcd".to_owned(),
        program: programs.etcd.join("etcd"),
        args: vec![
            format!("--data-dir={}", layout.etcd().display()),
            format!("--listen-client-urls={}", url(ETCD_PORT)),
            format!("--advertise-client-urls={}", url(ETCD_PORT)),
            format!("--listen-peer-urls={}", url(ETCD_PEER_PORT)),
            format!("--initial-advertise-peer-urls={}", url(ETCD_PEER_PORT)),
            format!("--initial-cluster=default={}", url(ETCD_PEER_PORT)),
        ],
        env: BTreeMap::new(),
        log: layout.log("etcd"),
        after: Vec::new(),
        configuration: String::new(),
    }
}

fn containerd(layout: &Layout, programs: &Programs) -> Spec {
    // The shim for gVisor is found on PATH.
    let path =
        format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", programs.gvisor.display());
    Spec {
        name: "containerd".to_owned(),
        program: "/usr/bin/containerd".into(),
        args: vec![format!("--config={}", layout.config("containerd.toml").display())],
        env: BTreeMap::from([("PATH".to_owned(), path)]),
        log: layout.log("containerd"),
        after: Vec::new(),
        configuration: read(&layout.config("containerd.toml")),
    }
}

fn apiserver_args(layout: &Layout, pki: &Pki, node: IpAddr) -> Vec<String> {
    apiserver::args(&apiserver::Settings {
        pki,
        etcd: format!("http://127.0.0.1:{ETCD_PORT}"),
        port: API_PORT,
        node,
        audit_policy: &layout.config("audit-policy.yaml"),
        audit_log: &layout.audit_log(),
        alone: false,
    })
}

fn controller_manager_args(layout: &Layout, pki: &Pki) -> Vec<String> {
    let kubeconfig = layout.config("kube-controller-manager.kubeconfig").display().to_string();
    vec![
        format!("--kubeconfig={kubeconfig}"),
        format!("--authentication-kubeconfig={kubeconfig}"),
        format!("--authorization-kubeconfig={kubeconfig}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--use-service-account-credentials=true".to_owned(),
        format!("--service-account-private-key-file={}", pki.path("service-accounts.key").display()),
        format!("--root-ca-file={}", pki.path("ca.crt").display()),
        format!("--cluster-signing-cert-file={}", pki.path("ca.crt").display()),
        format!("--cluster-signing-key-file={}", pki.path("ca.key").display()),
        // One instance: electing a leader would only delay every restart by its lease.
        "--leader-elect=false".to_owned(),
    ]
}

fn scheduler_args(layout: &Layout) -> Vec<String> {
    let kubeconfig = layout.config("kube-scheduler.kubeconfig").display().to_string();
    vec![
        format!("--kubeconfig={kubeconfig}"),
        format!("--authentication-kubeconfig={kubeconfig}"),
        format!("--authorization-kubeconfig={kubeconfig}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--leader-elect=false".to_owned(),
    ]
}

/// Ports that must be free before a first start.
pub(crate) const PORTS: [u16; 9] = [
    API_PORT,
    ETCD_PORT,
    ETCD_PEER_PORT,
    kubelet::PORT,
    10_248, // kubelet's health
    10_249, // kube-proxy's metrics
    10_256, // kube-proxy's health
    10_257, // controller manager
    10_259, // scheduler
];

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
