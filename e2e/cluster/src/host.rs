//! What the cluster changes on the machine outside its folder, looked at
//! before and after, so that `down` removes what is ours and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::config::kubelet::CGROUP;
use crate::layout::Layout;
use crate::procfs::{self, Identity};
use crate::run;

/// Kernel settings that the cluster, kubelet and kube-proxy change.
const SYSCTLS: [&str; 10] = [
    "net/ipv4/ip_forward",
    "net/ipv4/conf/all/route_localnet",
    "net/bridge/bridge-nf-call-iptables",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
    "net/netfilter/nf_conntrack_max",
];

/// Folders outside ours that come to be or get entries: fixed places in the
/// shims, the kubelet and the network plugins. (Network namespaces are mounts
/// in containerd's state folder.)
const SHARED: [&str; 5] =
    ["/run/containerd", "/run/containerd/s", "/var/log/containers", "/var/lib/cni", "/var/lib/kubelet"];

/// Programs whose processes are ours when they name our folder.
const PROGRAMS: [&str; 11] = [
    "etcd",
    "containerd",
    "containerd-shim-",
    "runsc",
    "runsc-",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "runc",
];

/// One look at the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Host {
    pub(crate) links: BTreeSet<String>,
    /// `family table`, as nft names them.
    pub(crate) tables: BTreeSet<String>,
    /// `family table chain`.
    pub(crate) chains: BTreeSet<String>,
    /// Entries of the shared folders.
    pub(crate) entries: BTreeSet<PathBuf>,
    pub(crate) sysctls: BTreeMap<String, String>,
}

impl Host {
    pub(crate) fn look() -> Result<Self> {
        let (tables, chains) =
            parse_ruleset(&run::output(Command::new("nft").args(["-t", "list", "ruleset"]))?);
        Ok(Self {
            links: names(Path::new("/sys/class/net")).collect(),
            tables,
            chains,
            entries: SHARED.iter().flat_map(|folder| entries(Path::new(folder))).collect(),
            sysctls: SYSCTLS
                .iter()
                .filter_map(|name| {
                    Some(((*name).to_owned(), fs::read_to_string(sysctl(name)).ok()?.trim().to_owned()))
                })
                .collect(),
        })
    }

    /// The look taken before the cluster came up, if there was one.
    pub(crate) fn before(layout: &Layout) -> Option<Self> {
        serde_json::from_slice(&fs::read(layout.before()).ok()?).ok()
    }

    pub(crate) fn keep(&self, layout: &Layout) -> Result<()> {
        fs::write(layout.before(), serde_json::to_vec_pretty(self)?)
            .context("cannot keep a look at the machine")
    }
}

/// What is left of a cluster, by kind; each entry is one thing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Leftovers {
    pub processes: Vec<String>,
    pub mounts: Vec<String>,
    pub links: Vec<String>,
    pub rules: Vec<String>,
    pub control_groups: Vec<String>,
    pub files: Vec<String>,
    pub kernel_settings: Vec<String>,
}

impl Leftovers {
    /// Each kind with its entries.
    pub fn kinds(&self) -> [(&'static str, &[String]); 7] {
        [
            ("processes", &self.processes),
            ("mounts", &self.mounts),
            ("network links", &self.links),
            ("packet rules", &self.rules),
            ("control groups", &self.control_groups),
            ("files outside the cache", &self.files),
            ("kernel settings", &self.kernel_settings),
        ]
    }

    pub fn total(&self) -> usize {
        self.kinds().iter().map(|(_, entries)| entries.len()).sum()
    }
}

/// Compares the machine with what it was before the cluster.
pub(crate) fn leftovers(layout: &Layout, before: &Host) -> Result<Leftovers> {
    let mut left = difference(before, &Host::look()?);
    left.processes =
        processes(layout).into_iter().map(|(process, line)| format!("{} {line}", process.pid)).collect();
    left.mounts = mounts(layout)?.iter().map(|mount| mount.display().to_string()).collect();
    left.control_groups = control_groups().iter().map(|group| group.display().to_string()).collect();
    Ok(left)
}

fn difference(before: &Host, now: &Host) -> Leftovers {
    let fresh =
        |old: &BTreeSet<String>, new: &BTreeSet<String>| new.difference(old).cloned().collect::<Vec<_>>();
    let mut rules = fresh(&before.tables, &now.tables);
    rules.extend(fresh(&before.chains, &now.chains));
    Leftovers {
        links: fresh(&before.links, &now.links),
        rules,
        files: now.entries.difference(&before.entries).map(|path| path.display().to_string()).collect(),
        kernel_settings: before
            .sysctls
            .iter()
            .filter(|(name, value)| now.sysctls.get(*name).is_some_and(|new| new != *value))
            .map(|(name, value)| format!("{name} was {value}, is {}", now.sysctls[name]))
            .collect(),
        ..Leftovers::default()
    }
}

/// Our processes: by program and folder, and everything in our control groups.
pub(crate) fn processes(layout: &Layout) -> Vec<(Identity, String)> {
    let mut found = procfs::of_programs(&PROGRAMS, layout.root());
    for group in control_groups() {
        let members = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
        for pid in members.lines().filter_map(|line| line.parse().ok()) {
            let Some(identity) = Identity::of(pid) else { continue };
            if !found.iter().any(|(known, _)| *known == identity) {
                let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
                found.push((identity, name.trim().to_owned()));
            }
        }
    }
    found
}

/// Mount points in our folders, the deepest first.
pub(crate) fn mounts(layout: &Layout) -> Result<Vec<PathBuf>> {
    let table = fs::read_to_string("/proc/self/mountinfo").context("/proc is not mounted")?;
    Ok(parse_mounts(&table, &[layout.root(), &layout.images]))
}

/// Our control groups, the deepest first, in every hierarchy.
pub(crate) fn control_groups() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for root in control_group_roots() {
        collect_folders(&root, &mut found);
    }
    found
}

/// Where our group is or would be: once with cgroup v2, per controller with v1.
pub(crate) fn control_group_roots() -> Vec<PathBuf> {
    let mount = Path::new("/sys/fs/cgroup");
    let name = CGROUP.trim_start_matches('/');
    if mount.join("cgroup.controllers").exists() {
        return vec![mount.join(name)];
    }
    // Aliases such as `cpu,cpuacct` and `cpu` are links to one folder.
    names(mount)
        .map(|controller| mount.join(controller))
        .filter(|at| at.is_dir())
        .map(|at| at.join(name))
        .collect()
}

fn collect_folders(folder: &Path, found: &mut Vec<PathBuf>) {
    if !folder.is_dir() {
        return;
    }
    for name in names(folder) {
        let inner = folder.join(name);
        if inner.is_dir() && !inner.is_symlink() {
            collect_folders(&inner, found);
        }
    }
    found.push(folder.to_owned());
}

pub(crate) fn sysctl(name: &str) -> PathBuf {
    Path::new("/proc/sys").join(name)
}

/// One of the folders themselves, not an entry.
pub(crate) fn is_shared(path: &Path) -> bool {
    SHARED.iter().any(|folder| path == Path::new(folder))
}

/// The folder, if it exists, and what is in it.
fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    folder.is_dir().then(|| folder.to_owned()).into_iter().chain(names(folder).map(|name| folder.join(name)))
}

fn names(folder: &Path) -> impl Iterator<Item = String> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
}

fn parse_mounts(table: &str, folders: &[&Path]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = table
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(|point| PathBuf::from(point.replace("\\040", " ")))
        .filter(|point| folders.iter().any(|folder| point.starts_with(folder)))
        .collect();
    found.sort();
    found.reverse();
    found
}

/// The tables and chains in what `nft list ruleset` prints.
fn parse_ruleset(text: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut tables, mut chains) = (BTreeSet::new(), BTreeSet::new());
    let mut table = String::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["table", family, name, "{", ..] => {
                table = format!("{family} {name}");
                tables.insert(table.clone());
            }
            ["chain", name, "{", ..] => {
                chains.insert(format!("{table} {name}"));
            }
            _ => {}
        }
    }
    (tables, chains)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(entries: &[&str]) -> BTreeSet<String> {
        entries.iter().map(|entry| (*entry).to_owned()).collect()
    }

    #[test]
    fn only_what_came_after_the_first_look_is_left_over() {
        let before = Host {
            links: set(&["lo", "eth0"]),
            tables: set(&["ip mine"]),
            chains: set(&["ip mine input"]),
            sysctls: BTreeMap::from([("kernel/panic".to_owned(), "0".to_owned())]),
            ..Host::default()
        };
        assert_eq!(difference(&before, &before), Leftovers::default());

        let mut now = before.clone();
        now.links.insert("golden0".to_owned());
        now.chains.insert("ip mine KUBE-FIREWALL".to_owned());
        now.entries.insert("/var/lib/cni/results".into());
        now.sysctls.insert("kernel/panic".to_owned(), "10".to_owned());
        let left = difference(&before, &now);
        assert_eq!(left.links, ["golden0"]);
        assert_eq!(left.rules, ["ip mine KUBE-FIREWALL"]);
        assert_eq!(left.files, ["/var/lib/cni/results"]);
        assert_eq!(left.kernel_settings, ["kernel/panic was 0, is 10"]);
        assert_eq!(left.total(), 4);
    }

    #[test]
    fn tables_and_chains_are_read_from_the_ruleset() {
        let text = "table ip nat {\n\tchain POSTROUTING {\n\t\tjump CNI-1\n\t}\n\tchain CNI-1 {\n\t}\n}\ntable inet x {\n}\n";
        let (tables, chains) = parse_ruleset(text);
        assert_eq!(tables, set(&["ip nat", "inet x"]));
        assert_eq!(chains, set(&["ip nat POSTROUTING", "ip nat CNI-1"]));
    }

    #[test]
    fn inner_mounts_come_before_outer_ones_and_others_are_left_alone() {
        let table = "1 2 0:1 / /c/a rw - tmpfs\n1 2 0:1 / /c/a/b rw - tmpfs\n1 2 0:1 / /cc rw - tmpfs\n";
        assert_eq!(parse_mounts(table, &[Path::new("/c")]), [Path::new("/c/a/b"), Path::new("/c/a")]);
    }
}
