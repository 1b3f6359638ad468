//! Free local ports for servers started by tests.
//!
//! Below the range that outgoing connections (32768 and up) and NodePorts
//! (30000 and up) take theirs from: a port found free there stays free until
//! the server binds it, unless another test looks at the same moment, which
//! the random starting point makes rare.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

const FIRST: u16 = 20_000;
const COUNT: u16 = 9_900;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port on 127.0.0.1 that nothing listens on.
pub fn free() -> Result<u16> {
    let _ = NEXT.compare_exchange(0, start(), Ordering::Relaxed, Ordering::Relaxed);
    (0..COUNT)
        .map(|_| FIRST + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT)
        .find(|port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok())
        .with_context(|| format!("no free port between {FIRST} and {}", FIRST + COUNT))
}

fn start() -> u16 {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    let mixed = (nanos ^ std::process::id().wrapping_mul(2_654_435_761)) % u32::from(COUNT);
    u16::try_from(mixed).unwrap_or(0).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_not_offered() {
        let held: Vec<_> =
            (0..20).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, free().unwrap())).unwrap()).collect();
        let ports: std::collections::BTreeSet<_> =
            held.iter().map(|l| l.local_addr().unwrap().port()).collect();
        assert_eq!(ports.len(), 20);
        assert!(!ports.contains(&free().unwrap()));
    }
}
