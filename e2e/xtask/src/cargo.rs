//! Cargo, called by a program that cargo itself started.

use std::process::Command;

/// A cargo that does the same as one called from a shell.
///
/// `cargo xtask` sets variables that describe xtask's own package. Build scripts that ask to be run again when these
/// change (ring's does) would take every step from the shell to xtask and back for such a change, and with them half
/// of the dependencies would be compiled anew.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_of_the_running_package) {
            command.env_remove(name);
        }
    }
    command
}

fn is_of_the_running_package(name: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|prefix| name.starts_with(prefix))
        || ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_set_for_cargo_stays() {
        for kept in ["CARGO_TARGET_DIR", "CARGO_HOME", "CARGO_INCREMENTAL", "CARGO", "PATH"] {
            assert!(!is_of_the_running_package(kept), "{kept}");
        }
        for removed in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PKG_NAME"] {
            assert!(is_of_the_running_package(removed), "{removed}");
        }
    }
}
