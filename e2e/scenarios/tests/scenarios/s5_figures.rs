//! What the stories cost, against the bars: last, when everything else has been quiet for a while.

use crate::support::tools;
use golden_scenarios::{figures, writes};

#[test]
fn memory_and_writes_keep_their_bars() {
    let figures = figures::measure(&tools()).expect("the kubelet and the audit log are there");
    println!("{}", figures.text());
    let memory = figures.memory.as_ref().expect("the kubelets are asked");
    assert!(memory.golden_pods >= 8, "operator, api, gateway, ledger and the team's four: {figures:?}");
    assert!(memory.holds(), "{}", memory.text());
    let counted = figures.writes.expect("the audit log is named");
    assert!((4..=writes::BAR).contains(&counted.total()), "{}", counted.text(figures::COUNTED));
}
