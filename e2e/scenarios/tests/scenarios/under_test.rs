//! The cluster under test, as the harness names it.

use golden_scenarios::fit::Fit;
use golden_scenarios::tools::Tools;
use std::path::PathBuf;

/// The programs bound to the cluster under test. The harness names them, so their absence is a fault, not a skip.
pub(crate) fn tools() -> Tools {
    let path = |name: &str| {
        PathBuf::from(
            std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set: run `cargo xtask test`")),
        )
    };
    Tools {
        kubectl: path("GOLDEN_TEST_KUBECTL"),
        helm: path("GOLDEN_TEST_HELM"),
        golden: path("GOLDEN_TEST_BINARY"),
        kubeconfig: Some(path("GOLDEN_TEST_KUBECONFIG")),
        context: None,
        audit_log: Some(path("GOLDEN_TEST_AUDIT_LOG")),
        fit: Fit::default(),
    }
}
