//! Removing what a cluster left on the machine, in the order that works:
//! processes hold mounts and links, mounts hold folders, rules hold chains.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::process::Signal;

use crate::config::containerd::BRIDGE;
use crate::host::{self, Host};
use crate::layout::Layout;
use crate::run;

const PATIENCE: Duration = Duration::from_secs(10);

/// Removes everything outside the cluster's folder. What cannot be removed
/// stays for the count that follows, which names it.
pub(crate) fn machine(layout: &Layout, before: &Host) -> Result<()> {
    end_processes(layout);
    unmount(layout)?;
    let now = Host::look()?;
    for link in now.links.difference(&before.links).filter(|link| ours(link)) {
        let _ = run::run(Command::new("ip").args(["link", "delete", link]));
    }
    remove_rules(before, &now);
    let fresh: Vec<_> = now.entries.difference(&before.entries).collect();
    // Contents sort after their folder.
    for entry in fresh.into_iter().rev() {
        remove_entry(entry);
    }
    for group in host::control_groups() {
        let _ = fs::remove_dir(group);
    }
    for (name, value) in &before.sysctls {
        let path = host::sysctl(name);
        if fs::read_to_string(&path).is_ok_and(|now| now.trim() != value) {
            let _ = fs::write(path, value);
        }
    }
    Ok(())
}

fn ours(link: &str) -> bool {
    link == BRIDGE || link.starts_with("veth")
}

fn end_processes(layout: &Layout) {
    let begun = Instant::now();
    loop {
        let found = host::processes(layout);
        if found.is_empty() || begun.elapsed() > PATIENCE {
            return;
        }
        for (process, _) in found {
            process.signal(Signal::KILL);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn unmount(layout: &Layout) -> Result<()> {
    // Mounts may hide others below them.
    for _ in 0..5 {
        let mounts = host::mounts(layout)?;
        if mounts.is_empty() {
            break;
        }
        for mount in mounts {
            let _ = run::run(Command::new("umount").arg("--lazy").arg(&mount));
        }
    }
    Ok(())
}

/// Whole tables that were not there before go; in older ones, our chains go
/// after the rules that jump to them.
fn remove_rules(before: &Host, now: &Host) {
    for table in now.tables.difference(&before.tables) {
        nft(&format!("delete table {table}"));
    }
    let fresh: Vec<&String> = now
        .chains
        .difference(&before.chains)
        .filter(|chain| before.tables.iter().any(|table| chain.starts_with(&format!("{table} "))))
        .collect();
    if fresh.is_empty() {
        return;
    }
    let listing = run::output(Command::new("nft").args(["-a", "list", "ruleset"])).unwrap_or_default();
    for rule in jumps(&listing, &fresh) {
        nft(&format!("delete rule {rule}"));
    }
    for chain in &fresh {
        nft(&format!("flush chain {chain}"));
    }
    for chain in &fresh {
        nft(&format!("delete chain {chain}"));
    }
}

fn nft(command: &str) {
    let _ = run::run(Command::new("nft").arg(command));
}

/// `family table chain handle N` of each rule that leads into one of `targets`.
fn jumps(listing: &str, targets: &[&String]) -> Vec<String> {
    let (mut table, mut chain) = (String::new(), String::new());
    let mut found = Vec::new();
    for line in listing.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["table", family, name, "{", ..] => table = format!("{family} {name}"),
            ["chain", name, "{", ..] => chain = format!("{table} {name}"),
            [.., "#", "handle", handle] => {
                let target =
                    words.windows(2).find(|pair| matches!(pair[0], "jump" | "goto")).map(|pair| pair[1]);
                if target
                    .is_some_and(|target| targets.iter().any(|fresh| **fresh == format!("{table} {target}")))
                {
                    found.push(format!("{chain} handle {handle}"));
                }
            }
            _ => {}
        }
    }
    found
}

fn remove_entry(entry: &Path) {
    // A socket that answers belongs to somebody else's shim.
    if std::os::unix::net::UnixStream::connect(entry).is_ok() {
        return;
    }
    let _ = if entry.is_symlink() || !entry.is_dir() {
        fs::remove_file(entry)
    } else if host::is_shared(entry) {
        // Somebody else may have begun to use it; then it is not empty.
        fs::remove_dir(entry)
    } else {
        fs::remove_dir_all(entry)
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_lead_into_our_chains_are_found_by_handle() {
        let listing = "table ip nat { # handle 1
\tchain POSTROUTING { # handle 2
\t\ttype nat hook postrouting priority srcnat; policy accept;
\t\tip saddr 10.244.0.2 counter packets 0 bytes 0 jump CNI-1 # handle 9
\t\tcounter jump mine # handle 10
\t}
\tchain CNI-1 { # handle 3
\t\treturn # handle 11
\t}
}
";
        let fresh = "ip nat CNI-1".to_owned();
        assert_eq!(jumps(listing, &[&fresh]), ["ip nat POSTROUTING handle 9"]);
    }
}
