use super::support::{Run, Setup, digest};
use crate::machine::{Event, State};
use golden_record::{Head, verify_head};

#[test]
fn the_record_explains_the_whole_way_and_verifies() {
    let mut run = Run::guarding(&Setup::git());
    run.feed(&run.guard("unit", "Failed"));
    run.feed(&run.guard("lint", "Passed"));
    run.feed(&run.result(&digest(2), 0));
    run.pass_guards();
    run.feed(&run.review("Tie"));
    run.feed(&run.decision(1, "bob", "Approve", None));
    run.feed(&run.delivered());
    assert_eq!(
        run.kinds(),
        [
            "Admitted",
            "TryStarted",
            "Prepared",
            "TryStarted",
            "Produced",
            "GuardRequested",
            "GuardRequested",
            "GuardJudged",
            "GuardJudged",
            "AttemptRejected",
            "TryStarted",
            "Produced",
            "GuardRequested",
            "GuardRequested",
            "GuardJudged",
            "GuardJudged",
            "ReviewRequested",
            "Reviewed",
            "EscalationRaised",
            "DecisionTaken",
            "Approved",
            "TryStarted",
            "Delivered",
            "Ended",
        ]
    );
    let head = Head { head: run.state.record.head.clone(), entries: run.state.record.entries };
    assert_eq!(verify_head(&run.genesis, &run.record, &head).unwrap(), head);
    let admitted = &run.record[0].body;
    assert!(admitted["policy"]["review"]["value"]["voters"].is_array() && admitted["models"].is_object());
    let reviewed = run.record.iter().find(|e| e.kind == "Reviewed").unwrap();
    assert!(reviewed.body["ballots"].is_array() && reviewed.body["guards"].is_array());
    assert_eq!(run.view().record.unwrap().entries, 24);
}

#[test]
fn what_cannot_be_recorded_is_said_so_instead_of_leaving_a_gap() {
    let mut run = Run::reviewing(&Setup::git());
    let Event::Reviewed { attempt, round, digest, decision, .. } = run.review("Approved") else {
        unreachable!()
    };
    run.feed(&Event::Reviewed { attempt, round, digest, decision, ballots: vec![serde_json::json!(0.5)] });
    let entry = run.record.iter().find(|e| e.kind == "Reviewed").unwrap();
    assert!(entry.body["unrecordable"].as_str().unwrap().contains("not an integer"));
    golden_record::verify(&run.genesis, &run.record).unwrap();
}

#[test]
fn the_state_survives_the_database() {
    let mut run = Run::escalated(&Setup::git().approvals(2));
    let text = serde_json::to_string(&run.state).unwrap();
    assert_eq!(serde_json::from_str::<State>(&text).unwrap(), run.state);
    run.feed(&run.decision(1, "bob", "Approve", None));
    run.feed(&run.decision(2, "carol", "Approve", None));
    let text = serde_json::to_string(&run.state).unwrap();
    assert_eq!(serde_json::from_str::<State>(&text).unwrap(), run.state);
    assert!(text.len() < 16_384, "the state is rewritten with every step: {} bytes", text.len());
}
