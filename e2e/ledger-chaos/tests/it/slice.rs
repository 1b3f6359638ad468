//! A short round with every fault, part of every run of the tests.

use golden_ledger_chaos::{Fault, Plan, play};
use std::path::Path;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_overspent_charged_twice_or_lost_while_the_ledger_and_its_stores_are_killed() {
    let program = Path::new(env!("CARGO_BIN_EXE_golden-ledger-chaos"));
    let plan = Plan { seed: 20_261_124, operations: 1500, callers: 16, replicas: 2 };
    let outcome = play(plan, program).await.unwrap();
    assert!(outcome.problems.is_empty(), "{plan:?}\n{}", outcome.problems.join("\n"));
    // A round in which nothing happened proves nothing.
    assert!(outcome.operations >= plan.operations, "{outcome:?}");
    for fault in Fault::ALL {
        assert_eq!(outcome.faults.get(&fault), Some(&1), "{outcome:?}");
    }
    assert!(outcome.lowered > 0, "nobody was granted less than the whole: {outcome:?}");
    assert!(outcome.recalled > 0, "nobody was told from Redis how a call ended: {outcome:?}");
    for answer in
        ["Reserved", "Dispatched", "Settled", "Released", "Unknown", "Exhausted", "Conflict", "Invalid"]
    {
        assert!(outcome.answers.contains_key(answer), "nobody heard {answer}: {outcome:?}");
    }
}
