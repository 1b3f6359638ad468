//! What the parts around the cluster under test say.

pub(crate) use crate::under_test::tools;
use anyhow::Result;
use golden_scenarios::tools::Tools;
use serde_json::Value;

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

/// Fails if the model was asked what its recording does not know, since its pod began. A scenario may complete all the
/// same, by another voter or another try, and then not what was to be shown was shown. Ends every life of that pod: the
/// last test, and whatever takes the pod down before.
pub(crate) fn asked_only_what_is_recorded(tools: &Tools) {
    let tally = tally(tools);
    assert_eq!(
        tally["unmatched"].as_i64(),
        Some(0),
        "{tally}: `kubectl logs -n golden-demo deployment/golden-model` names each request and the nearest turn"
    );
}
