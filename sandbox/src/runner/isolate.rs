//! The inner isolation: a user namespace of its own, and in it a network namespace that holds nothing but loopback,
//! and a pid namespace from which the runner cannot be seen or signalled.
//!
//! The user namespace maps the caller's own user alone. It is what lets a process without rights make the others, and
//! what keeps the command from tracing the runner, which stays outside. The network is what must hold, so a run
//! without it does not begin; the pid namespace keeps a command from ending its own runner (gVisor lets a container's
//! pid 1 be killed from within), which would cost the verdict and nothing else, so a run goes on without it.

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::net::if_::if_nameindex;
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    configure_capability_in_ambient_set, set_capabilities,
};
use std::fs;
use std::io::Write as _;

/// Why the isolation could not be built.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(
        "an empty network namespace cannot be made here ({0}); use a RuntimeClass that allows user namespaces, \
         such as gvisor"
    )]
    Unshare(Errno),
    #[error("cannot write {file}: {source}")]
    Map { file: &'static str, source: std::io::Error },
    #[error("the devices of the network namespace cannot be read: {0}")]
    Devices(Errno),
    #[error("the network namespace is not empty: it has {0}")]
    NotEmpty(String),
}

/// Moves this process, which must have one thread, into empty namespaces.
pub(super) fn enter() -> Result<(), Fault> {
    let (user, group) = (nix::unistd::geteuid(), nix::unistd::getegid());
    let network = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET;
    let all = network | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS;
    unshare(all).or_else(|_| unshare(network)).map_err(Fault::Unshare)?;
    // Without this the kernel refuses a group map written by a process without rights.
    write("/proc/self/setgroups", "deny")?;
    write("/proc/self/gid_map", &format!("{group} {group} 1"))?;
    write("/proc/self/uid_map", &format!("{user} {user} 1"))?;
    check_empty()?;
    // A test that starts a server on localhost is common. Where loopback cannot be brought up, it fails closed.
    let _ = loopback_up();
    Ok(())
}

fn write(file: &'static str, text: &str) -> Result<(), Fault> {
    fs::write(file, text).map_err(|source| Fault::Map { file, source })
}

/// Keeps the right to mount through the start of the next program: the kernel takes it from whoever is not root.
/// It is a right over this namespace's own mounts alone.
pub(super) fn keep_mount_right() {
    let Ok(mut sets) = capabilities(None) else { return };
    sets.inheritable = sets.permitted & CapabilitySet::SYS_ADMIN;
    if set_capabilities(None, sets).is_ok() {
        let _ = configure_capability_in_ambient_set(CapabilitySet::SYS_ADMIN, true);
    }
}

/// Shows the new pid namespace in `/proc`, where this process is the first of one; then gives the right up.
/// Where the mount is refused, `/proc` shows the container's processes, which cannot be reached all the same.
pub(super) fn own_proc() {
    if nix::unistd::getpid().as_raw() == 1 {
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        let _ = mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>);
    }
    let _ = clear_ambient_capability_set();
    let none = CapabilitySet::empty();
    let _ = set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none });
}

/// Closes this process's files and memory to the command, which has the same user: the pipe to the runner is in them.
pub(super) fn hide() {
    let _ = nix::sys::prctl::set_dumpable(false);
}

/// A second look, so that a runtime which accepts the call and does nothing is noticed. By netlink and not by
/// `/proc/self/net`: gVisor fills that once per process, with the namespace the process had then.
fn check_empty() -> Result<(), Fault> {
    let devices = if_nameindex().map_err(Fault::Devices)?;
    let names: Vec<String> = devices.iter().map(|d| d.name().to_string_lossy().into_owned()).collect();
    match other_devices(&names) {
        others if others.is_empty() => Ok(()),
        others => Err(Fault::NotEmpty(others.join(", "))),
    }
}

/// Devices other than loopback and the kernel's own tunnel templates, which are down and lead nowhere.
fn other_devices(names: &[String]) -> Vec<&str> {
    const TEMPLATES: [&str; 8] = ["lo", "tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0"];
    let known = |name: &&str| TEMPLATES.contains(name) || name.starts_with("ip6");
    names.iter().map(String::as_str).filter(|name| !known(name)).collect()
}

/// Sets loopback up and gives it 127.0.0.1, which Linux does by itself and gVisor does not.
fn loopback_up() -> std::io::Result<()> {
    let socket =
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?;
    let mut socket = std::fs::File::from(socket);
    socket.write_all(&set_link_up())?;
    socket.write_all(&add_address())
}

const LOOPBACK: u32 = 1;
const REQUEST: u16 = 1;
const CREATE: u16 = 0x400;

/// rtnetlink(7): `RTM_NEWLINK` with `ifinfomsg`.
fn set_link_up() -> Vec<u8> {
    const NEW_LINK: u16 = 16;
    const UP: u32 = 1;
    let mut body = vec![0; 4];
    body.extend(LOOPBACK.to_ne_bytes());
    body.extend(UP.to_ne_bytes());
    body.extend(UP.to_ne_bytes());
    message(NEW_LINK, REQUEST, &body)
}

/// rtnetlink(7): `RTM_NEWADDR` with `ifaddrmsg` and the attributes `IFA_LOCAL` and `IFA_ADDRESS`.
fn add_address() -> Vec<u8> {
    const NEW_ADDRESS: u16 = 20;
    const INET: u8 = 2;
    const HOST: u8 = 254;
    let mut body = vec![INET, 8, 0, HOST];
    body.extend(LOOPBACK.to_ne_bytes());
    for attribute in [2_u16, 1] {
        body.extend(8_u16.to_ne_bytes());
        body.extend(attribute.to_ne_bytes());
        body.extend([127, 0, 0, 1]);
    }
    message(NEW_ADDRESS, REQUEST | CREATE, &body)
}

fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).unwrap_or_default();
    let mut bytes = Vec::with_capacity(16 + body.len());
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(1_u32.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_leads_out_is_noticed() {
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        assert!(other_devices(&names(&["lo", "tunl0", "ip6tnl0"])).is_empty());
        assert_eq!(other_devices(&names(&["lo", "eth0"])), ["eth0"]);
        assert!(if_nameindex().unwrap().iter().any(|d| d.name().to_bytes() == b"lo"));
    }
}
