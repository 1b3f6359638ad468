//! The cluster under test, as the harness names it.

use anyhow::Result;
use golden_scenarios::tools::Tools;
use serde_json::Value;
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
        registry: None,
    }
}

/// Runs git on the server, in the repository of the stories.
pub(crate) fn git(tools: &Tools, args: &[&str]) -> Result<String> {
    let server = ["-n", "golden-demo", "exec", "deployment/git", "--", "git", "--git-dir=/srv/git/shop.git"];
    tools.kubectl(&[&server[..], args].concat())
}

/// What the recorded model counted of what it was asked.
pub(crate) fn tally(tools: &Tools) -> Value {
    let path = "/api/v1/namespaces/golden-demo/services/http:golden-model:8080/proxy/tally";
    let text = tools.kubectl(&["get", "--raw", path]).expect("the model tells its tally");
    serde_json::from_str(&text).expect("JSON")
}
