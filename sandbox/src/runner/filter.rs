//! The network, closed by a system call filter, where no namespace of its own can be made.
//!
//! Container runtimes that share the host's kernel usually forbid user namespaces (their default seccomp profile does),
//! so the command stays in the pod's network namespace. The filter then refuses every socket but those of the
//! `AF_UNIX` family, and `io_uring`, by which sockets can be made without `socket`. It cannot be removed, holds for
//! every descendant, and needs no right. The price: no loopback either, so a test that starts a server fails.

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};
use std::collections::BTreeMap;

/// Why the filter could not be set.
#[derive(Debug, thiserror::Error)]
#[error("the network cannot be closed by a system call filter either: {0}")]
pub(super) struct Fault(String);

/// Refused altogether: `socketpair` makes Unix sockets alone and stays.
const IO_URING: [i64; 3] = [425, 426, 427];
const AF_UNIX: u64 = 1;

#[cfg(target_arch = "x86_64")]
const ARCH: (TargetArch, i64) = (TargetArch::x86_64, 41);
#[cfg(target_arch = "aarch64")]
const ARCH: (TargetArch, i64) = (TargetArch::aarch64, 198);
/// The x32 calls of x86_64 have the same numbers with this bit; other architectures have no such calls.
const X32: i64 = 0x4000_0000;

/// Closes the network to this process and all its descendants.
pub(super) fn close_network() -> Result<(), Fault> {
    let program = program().map_err(|e| Fault(e.to_string()))?;
    apply_filter(&program).map_err(|e| Fault(e.to_string()))
}

/// Calls of a foreign architecture end the process: the filter's first instructions see to it.
fn program() -> Result<BpfProgram, seccompiler::BackendError> {
    let (arch, socket) = ARCH;
    let foreign = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, AF_UNIX)?;
    let foreign = SeccompRule::new(vec![foreign])?;
    let mut rules = BTreeMap::new();
    for bit in [0, X32] {
        rules.insert(socket | bit, vec![foreign.clone()]);
        rules.extend(IO_URING.map(|call| (call | bit, vec![])));
    }
    let refuse = SeccompAction::Errno(nix::errno::Errno::EACCES as u32);
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)?.try_into()
}
