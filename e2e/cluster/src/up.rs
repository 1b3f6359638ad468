//! Bringing the cluster up.
//!
//! Every step looks first and does only what is missing, so `up` on a running
//! cluster changes nothing and takes a second; with a changed configuration
//! it restarts what the change concerns.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;

use crate::config::{self, apiserver, containerd, kubeconfig, kubelet, objects, proxy};
use crate::host::{self, Host};
use crate::layout::Layout;
use crate::pki::{Pki, Subject};
use crate::processes::{self, API_PORT, NODE, PORTS, Programs};
use crate::supervisor::State;
use crate::{Kubectl, down, images, packages, progress, run, tools};

const PATIENCE: Duration = Duration::from_mins(2);
/// A process that ended this often will not recover by itself.
const HOPELESS: u32 = 6;

/// Brings the cluster up and waits until pods can run; returns the
/// administrator's kubeconfig. `supervisor` is a command that calls
/// [`crate::supervise`]; it is started in a session of its own and outlives
/// the caller.
pub fn up(supervisor: &Command) -> Result<PathBuf> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "the cluster needs root: it makes namespaces, mounts and links"
    );
    packages::ensure()?;
    let programs = Programs {
        kubernetes: tools::ensure("kubernetes")?,
        etcd: tools::ensure("etcd")?,
        gvisor: tools::ensure("gvisor")?,
    };
    let (pause, dns) = (images::pause()?, images::coredns()?);

    let layout = Layout::open()?;
    fs::create_dir_all(layout.root())
        .with_context(|| format!("cannot create {}", layout.root().display()))?;
    let _alone = down::lock(&layout)?;
    if State::read(&layout).is_none() {
        start_clean(&layout)?;
    }
    let node = processes::node_address()?;
    prepare_machine()?;
    let pki = certificates(&layout, node)?;
    configure(&layout, &pki, &programs, &pause.reference())?;
    let specs = processes::specs(&layout, &programs, &pki, node);
    start(&layout, supervisor, &serde_json::to_string_pretty(&specs)?)?;

    let kubectl = Kubectl::new(&layout.admin_kubeconfig())?;
    wait_for(&layout, "containerd", "waiting for containerd", || {
        std::os::unix::net::UnixStream::connect(layout.containerd_socket())
            .map(drop)
            .context("its socket refuses")
    })?;
    pause.load()?;
    let dns_image = dns.load()?;
    settle(&layout, &kubectl, &dns_image)?;
    Ok(layout.admin_kubeconfig())
}

/// From running processes to a cluster that runs pods.
fn settle(layout: &Layout, kubectl: &Kubectl, dns_image: &str) -> Result<()> {
    wait_for(layout, "kube-apiserver", "waiting for the apiserver", || kubectl.ready())?;
    make_volumes(layout)?;
    let base = objects::base(&layout.volumes(), dns_image, name_server(&resolver()));
    wait_for(layout, "kube-apiserver", "applying DNS, storage and the gvisor runtime class", || {
        kubectl.apply(&base.to_string()).map(drop)
    })?;
    recycle_volumes(layout, kubectl, &base)?;
    wait_for(layout, "kubelet", "waiting for the node", || kubectl.condition("node/golden", "Ready"))?;
    wait_for(layout, "kubelet", "waiting for DNS", || {
        kubectl.condition("--namespace=kube-system deployment/coredns", "Available")
    })?;
    wait_for(layout, "kube-controller-manager", "waiting for the default service account", || {
        kubectl.run(&["get", "serviceaccount", "default"]).map(drop)
    })
}

/// Without a running supervisor, whatever is there is the wreck of a cluster
/// that was killed or of a machine that was switched off.
fn start_clean(layout: &Layout) -> Result<()> {
    if let Some(other) = layout.elsewhere() {
        let _alone = down::lock(&other)?;
        let cache = other.cache().display();
        ensure!(
            State::read(&other).is_none(),
            "this machine's cluster runs with GOLDEN_CACHE={cache}: use it with that, or take it down first: `cargo xtask cluster down`"
        );
        remove_wreck(&other)?;
    }
    if layout.before().exists() {
        remove_wreck(layout)?;
        fs::create_dir_all(layout.root())?;
    }
    for port in PORTS {
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).with_context(|| {
            format!("port {port} is taken (see `ss -ltnp sport = :{port}`): stop what listens there, perhaps another Kubernetes")
        })?;
    }
    Host::look()?.keep(layout)?;
    layout.claim_machine()
}

fn remove_wreck(layout: &Layout) -> Result<()> {
    progress::note("an earlier cluster was not taken down: removing what it left, its objects included");
    let left = down::remove(layout)?;
    ensure!(left.total() == 0, "cannot remove what an earlier cluster left: {left:?}; reboot the machine");
    Ok(())
}

fn prepare_machine() -> Result<()> {
    if !host::sysctl("net/bridge").exists() {
        run::run(Command::new("modprobe").arg("br_netfilter"))
            .context("the kernel module br_netfilter is needed for Services and cannot be loaded")?;
    }
    for name in ["net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables"] {
        let path = host::sysctl(name);
        if fs::read_to_string(&path).is_ok_and(|value| value.trim() != "1") {
            fs::write(&path, "1").with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    for group in host::control_group_roots() {
        prepare_control_group(&group)?;
    }
    Ok(())
}

/// The kubelet wants its root group to exist. In a v1 `cpuset` hierarchy a new
/// group has no processors and no memory, and no process can enter it.
fn prepare_control_group(group: &std::path::Path) -> Result<()> {
    fs::create_dir_all(group)
        .with_context(|| format!("cannot make the control group {}", group.display()))?;
    let Some(parent) = group.parent().filter(|parent| parent.ends_with("cpuset")) else { return Ok(()) };
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let value = fs::read_to_string(parent.join(file))?;
        fs::write(group.join(file), value.trim())
            .with_context(|| format!("cannot set {file} of {}", group.display()))?;
    }
    Ok(())
}

fn certificates(layout: &Layout, node: IpAddr) -> Result<Pki> {
    let pki = Pki::open(&layout.pki())?;
    pki.issue("ca", "apiserver", &Subject::server("kube-apiserver", apiserver::hosts(node)))?;
    pki.issue(
        "ca",
        "apiserver-to-kubelet",
        &Subject::client("kube-apiserver-kubelet-client", &["system:masters"]),
    )?;
    pki.issue("front-proxy-ca", "front-proxy", &Subject::client("front-proxy", &[]))?;
    let hosts = vec![format!("DNS:{NODE}"), format!("IP:{node}")];
    pki.issue("ca", "kubelet", &Subject::server(&format!("system:node:{NODE}"), hosts))?;
    Ok(pki)
}

fn configure(layout: &Layout, pki: &Pki, programs: &Programs, pause: &str) -> Result<()> {
    for folder in [
        layout.config(""),
        layout.cni(),
        layout.volumes(),
        layout.pod_logs(),
        layout.log("").with_file_name(""),
    ] {
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    // etcd warns about, and keys in its data deserve, a private folder.
    fs::DirBuilder::new().recursive(true).mode(0o700).create(layout.etcd())?;
    let runsc = layout.config("runsc.toml");
    config::write(
        &runsc,
        &containerd::runsc_toml(&programs.gvisor.join("runsc"), &layout.containerd().join("runsc")),
    )?;
    config::write(
        &layout.config("containerd.toml"),
        &containerd::toml(&layout.images, &layout.containerd(), pause, &layout.cni(), &runsc),
    )?;
    config::write(&layout.cni().join("golden.conflist"), &containerd::cni(&layout.cni_data()))?;
    config::write(&layout.config("audit-policy.yaml"), apiserver::AUDIT_POLICY)?;
    config::write(
        &layout.config("kubelet.json"),
        &kubelet::config(pki, &layout.containerd(), &layout.pod_logs(), &resolver()),
    )?;
    config::write(
        &layout.config("kube-proxy.json"),
        &proxy::config(&layout.config("kube-proxy.kubeconfig")),
    )?;

    let node = format!("system:node:{NODE}");
    let users: [(PathBuf, &str, &[&str]); 5] = [
        (layout.admin_kubeconfig(), "kubernetes-admin", &["system:masters"]),
        (layout.config("kube-controller-manager.kubeconfig"), "system:kube-controller-manager", &[]),
        (layout.config("kube-scheduler.kubeconfig"), "system:kube-scheduler", &[]),
        (layout.config("kubelet.kubeconfig"), &node, &["system:nodes"]),
        (layout.config("kube-proxy.kubeconfig"), "system:kube-proxy", &["system:node-proxier"]),
    ];
    for (path, name, groups) in users {
        let file = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let credentials = pki.issue("ca", &format!("{file}-client"), &Subject::client(name, groups))?;
        kubeconfig::write(&path, pki, &api_url(), name, &credentials)?;
    }
    Ok(())
}

pub(crate) fn api_url() -> String {
    format!("https://127.0.0.1:{API_PORT}")
}

/// Starts the supervisor, or has the running one follow a changed list.
fn start(layout: &Layout, supervisor: &Command, specs: &str) -> Result<()> {
    let running = State::read(layout);
    let same = fs::read_to_string(layout.specs()).is_ok_and(|there| there == specs);
    config::write(&layout.specs(), specs)?;
    if let Some(state) = running {
        if !same {
            progress::note("the configuration changed: restarting the processes it concerns");
            state.supervisor.signal(Signal::HUP);
        }
        return Ok(());
    }
    let log = fs::File::options().create(true).append(true).open(layout.log("supervisor"))?;
    // A session of its own: closing the terminal must not take the cluster along.
    Command::new("setsid")
        .arg("--fork")
        .arg(supervisor.get_program())
        .args(supervisor.get_args())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .status()
        .context("cannot start the supervisor")?;
    wait_for(layout, "supervisor", "starting the supervisor", || {
        State::read(layout).map(drop).context("it has not reported yet")
    })
}

/// Waits until `ready`; gives up early when a process keeps ending. A failure
/// shows the log of the process that is to blame, or of `process`.
fn wait_for(layout: &Layout, process: &str, title: &str, ready: impl Fn() -> Result<()>) -> Result<()> {
    let begun = Instant::now();
    if ready().is_ok() {
        return Ok(());
    }
    progress::step(title, || {
        loop {
            let Err(reason) = ready() else { return Ok(()) };
            if let Some((name, how)) = hopeless(layout) {
                bail!("{name} keeps ending ({how}); {}", run::tail(&layout.log(&name)));
            }
            if begun.elapsed() > PATIENCE {
                bail!(
                    "{process} is not ready after {PATIENCE:?}: {reason:#}\n{}",
                    run::tail(&layout.log(process))
                );
            }
            thread::sleep(Duration::from_millis(150));
        }
    })
}

fn hopeless(layout: &Layout) -> Option<(String, String)> {
    let state = State::read(layout)?;
    let (name, process) = state
        .processes
        .into_iter()
        .find(|(_, process)| process.running.is_none() && process.restarts >= HOPELESS)?;
    Some((name, process.last_exit.unwrap_or_default()))
}

fn make_volumes(layout: &Layout) -> Result<()> {
    (0..objects::VOLUMES).try_for_each(|number| {
        let folder = layout.volumes().join(objects::volume_name(number));
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))
    })
}

/// Volumes whose claim is gone become empty and free again; without a
/// provisioner nothing else would do that.
fn recycle_volumes(layout: &Layout, kubectl: &Kubectl, base: &serde_json::Value) -> Result<()> {
    let path = "jsonpath={range .items[?(@.status.phase==\"Released\")]}{.metadata.name} {end}";
    let released = kubectl.run(&["get", "pv", "-l", "golden.local/volume=true", "-o", path])?;
    for name in released.split_whitespace() {
        progress::note(&format!("emptying the released volume {name}"));
        kubectl.run(&["delete", "pv", name, "--timeout=30s"])?;
        let _ = fs::remove_dir_all(layout.volumes().join(name));
    }
    if !released.trim().is_empty() {
        make_volumes(layout)?;
        kubectl.apply(&base.to_string())?;
    }
    Ok(())
}

/// systemd-resolved's stub on the loopback address is out of reach for pods.
fn resolver() -> PathBuf {
    let real = PathBuf::from("/run/systemd/resolve/resolv.conf");
    if real.is_file() { real } else { "/etc/resolv.conf".into() }
}

fn name_server(resolver: &std::path::Path) -> bool {
    let text = fs::read_to_string(resolver).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.strip_prefix("nameserver")?.trim().parse::<IpAddr>().ok())
        .any(|address| !address.is_loopback())
}
