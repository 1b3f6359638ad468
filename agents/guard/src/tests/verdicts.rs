use crate::{GuardVerdict, Inconclusive, Judged, MAX_EXCERPT_BYTES, RunOutcome, classify, judge};

#[test]
fn only_a_command_that_ended_with_zero_passes() {
    let passed = Ok(GuardVerdict::Passed);
    let failed = Ok(GuardVerdict::Failed);
    for (reason, exit_code, expected) in [
        ("Completed", Some(0), passed.clone()),
        ("OutputTruncated", Some(0), passed),
        ("Completed", Some(1), failed.clone()),
        ("OutputTruncated", Some(2), failed.clone()),
        ("NonZeroExit", Some(1), failed.clone()),
        // Contradictions: the worse counts.
        ("NonZeroExit", Some(0), failed.clone()),
        ("Timeout", Some(0), failed.clone()),
        ("Timeout", None, failed.clone()),
        ("Signalled", Some(139), failed.clone()),
        ("OutOfMemory", Some(137), failed.clone()),
        ("TooManyProcesses", None, failed.clone()),
        ("CommandNotFound", Some(127), failed),
    ] {
        assert_eq!(classify(reason, exit_code), expected, "{reason} {exit_code:?}");
    }
}

#[test]
fn infrastructure_faults_are_no_verdict() {
    for reason in ["ImageError", "IsolationUnavailable", "WorkspaceUnavailable", "PodUnschedulable"] {
        for exit_code in [None, Some(0), Some(1)] {
            assert_eq!(classify(reason, exit_code), Err(Inconclusive::Blocked { reason: reason.into() }));
        }
    }
    for reason in ["NodeLost", "PodEvicted", "", "SomethingNew", "completed"] {
        for exit_code in [None, Some(0), Some(1)] {
            assert_eq!(classify(reason, exit_code), Err(Inconclusive::Retry { reason: reason.into() }));
        }
    }
    // Completed without an exit code: nobody saw how.
    assert!(matches!(classify("Completed", None), Err(Inconclusive::Retry { .. })));
}

fn run<'a>(command: &'a [String], output: &'a [u8]) -> RunOutcome<'a> {
    RunOutcome {
        exit_code: Some(1),
        reason: "NonZeroExit",
        output,
        output_digest: None,
        tree_digest: "sha256:tree",
        image_id: Some("golden-python@sha256:image"),
        command,
    }
}

fn fact(run: &RunOutcome<'_>) -> crate::GuardFact {
    match judge("unit-tests", true, run) {
        Judged::Fact(fact) => *fact,
        Judged::Inconclusive(why) => panic!("{why}"),
    }
}

#[test]
fn fact_binds_tree_image_command_and_output() {
    let command = ["pytest".to_owned(), "-q".to_owned()];
    let one = fact(&run(&command, b"boom"));
    assert_eq!((one.verdict, one.exit_code, one.excerpt.as_str()), (GuardVerdict::Failed, Some(1), "boom"));
    assert_eq!(
        (one.tree_digest.as_str(), one.image_id.as_deref()),
        ("sha256:tree", Some("golden-python@sha256:image"))
    );
    // printf boom | sha256sum
    assert_eq!(one.output_digest, "sha256:81f52337ebb4cb1669bb802c708807dde0519d15cb102a6313d26ad5cd821713");
    let whole = RunOutcome { output_digest: Some("sha256:whole"), ..run(&command, b"boom") };
    assert_eq!(fact(&whole).output_digest, "sha256:whole");
}

#[test]
fn commands_with_the_same_letters_have_different_digests() {
    let commands: [&[&str]; 4] = [&["a b"], &["a", "b"], &["ab"], &["a", "", "b"]];
    let digests: std::collections::BTreeSet<String> = commands
        .iter()
        .map(|c| fact(&run(&c.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>(), b"")).command_digest)
        .collect();
    assert_eq!(digests.len(), commands.len());
}

#[test]
fn inconclusive_runs_leave_no_fact() {
    let lost = RunOutcome { reason: "NodeLost", exit_code: None, ..run(&[], b"half an out") };
    assert_eq!(
        judge("g", true, &lost),
        Judged::Inconclusive(Inconclusive::Retry { reason: "NodeLost".into() })
    );
}

#[test]
fn fact_reads_back_and_stays_small() {
    let noise = vec![b'x'; 1_000_000];
    let fact = fact(&run(&["c".to_owned()], &noise));
    assert!(fact.excerpt.len() <= MAX_EXCERPT_BYTES);
    let json = serde_json::to_string(&fact).unwrap();
    assert!(json.contains("\"commandDigest\":\"sha256:") && json.contains("\"verdict\":\"Failed\""));
    assert_eq!(serde_json::from_str::<crate::GuardFact>(&json).unwrap(), fact);
}
