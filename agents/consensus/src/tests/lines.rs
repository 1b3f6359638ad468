use crate::{ItemDecision, LinesError, MAX_LINE_BYTES, Next, OutcomeKind, Reviews, parse_policy};
use serde_json::{Value, json};

const POLICY: &str =
    r#"{"voters":[{"role":"reviewer","weight":2},{"role":"tester"},{"role":"security","veto":true}]}"#;

fn decide_lines<'a>(
    policy: &str,
    lines: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<ItemDecision>, LinesError> {
    let mut reviews = Reviews::new(parse_policy(policy).unwrap());
    lines.into_iter().try_for_each(|line| reviews.take(line))?;
    Ok(reviews.decisions().collect())
}

fn run(lines: &[Value]) -> Result<Vec<ItemDecision>, LinesError> {
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    decide_lines(POLICY, lines.iter().map(String::as_str))
}

fn ballot(item: &str, role: &str, verdict: &str) -> Value {
    json!({"item": item, "voter": role, "role": role, "model": "m", "verdict": verdict, "severity": "Minor",
        "confidence": 90, "evidence": [], "digest": "sha256:1"})
}

#[test]
fn items_are_decided_apart_and_answered_in_order_of_first_mention() {
    let decided = run(&[
        json!({"item": "b", "guard": "unit-tests", "verdict": "Failed"}),
        ballot("a", "reviewer", "Approve"),
        ballot("b", "reviewer", "Approve"),
        ballot("b", "tester", "Approve"),
        ballot("a", "tester", "Reject"),
    ])
    .unwrap();
    let seen: Vec<_> = decided.iter().map(|d| (d.item.as_str(), d.record.decision)).collect();
    assert_eq!(seen, [("b", OutcomeKind::GuardFailed), ("a", OutcomeKind::Approved)]);
    let json = serde_json::to_value(&decided[1]).unwrap();
    let numbers =
        ["castWeight", "approveWeight", "rejectWeight", "totalWeight", "quorum"].map(|k| json[k].as_u64());
    assert_eq!(numbers, [3, 2, 1, 4, 2].map(Some));
    assert_eq!(json["dissent"][0]["voter"], "tester");
    assert_eq!(
        json["impact"][0],
        json!({"voter": "reviewer", "without": "QuorumMissing", "opposite": "ChangesRequested", "pivotal": true})
    );
    assert!(json["reason"].as_str().unwrap().contains("approving weight 2"));
}

#[test]
fn numbers_are_items_too_and_empty_lines_are_skipped() {
    let text = format!("\n{}\n\n", json!({"item": 7, "guard": "g", "verdict": "Passed"}));
    let decided = decide_lines(POLICY, text.lines()).unwrap();
    assert_eq!((decided[0].item.as_str(), decided[0].record.decision), ("7", OutcomeKind::QuorumMissing));
    assert_eq!(decide_lines(POLICY, []).unwrap(), []);
}

#[test]
fn ballots_on_different_digests_decide_nothing_until_the_subject_is_named() {
    let mut stale = ballot("a", "tester", "Approve");
    stale["digest"] = json!("sha256:0");
    let mut lines = vec![stale, ballot("a", "reviewer", "Approve")];
    let open = &run(&lines).unwrap()[0].record;
    assert_eq!((open.decision, open.next), (OutcomeKind::Undecided, Next::Wait));
    assert!(open.reason.contains("its lines name 2 digests (sha256:0, sha256:1)"), "{}", open.reason);
    lines.push(json!({"item": "a", "subject": "sha256:1"}));
    let decided = &run(&lines).unwrap()[0].record;
    assert_eq!((decided.decision, decided.ignored.len()), (OutcomeKind::Approved, 1));
    lines.push(json!({"item": "a", "subject": "sha256:0"}));
    assert!(run(&lines).unwrap_err().to_string().starts_with("line 4: item a is given two subjects"));
}

#[test]
fn facts_name_what_they_examined_as_ballots_do() {
    let fact = |digest: &str| json!({"item": "a", "guard": "unit", "verdict": "Failed", "digest": digest});
    let alone = &run(&[fact("sha256:1")]).unwrap()[0].record;
    assert_eq!(alone.decision, OutcomeKind::GuardFailed, "{}", alone.reason);
    let agreeing = [fact("sha256:1"), ballot("a", "reviewer", "Approve"), ballot("a", "tester", "Approve")];
    assert_eq!(run(&agreeing).unwrap()[0].record.decision, OutcomeKind::GuardFailed);
    let other = [fact("sha256:0"), ballot("a", "reviewer", "Approve"), ballot("a", "tester", "Approve")];
    let open = &run(&other).unwrap()[0].record;
    assert_eq!((open.decision, open.next), (OutcomeKind::Undecided, Next::Wait), "{}", open.reason);
}

#[test]
fn bad_lines_stop_everything_and_are_named() {
    let good = ballot("a", "reviewer", "Approve").to_string();
    let long =
        format!(r#"{{"item":"a","guard":"g","verdict":"Passed","x":"{}"}}"#, "y".repeat(MAX_LINE_BYTES));
    let cases = [
        ("{", "not JSON"),
        ("[1]", "no item"),
        (r#"{"voter":"x","role":"reviewer","verdict":"Approve"}"#, "no item"),
        (r#"{"item":"a"}"#, "exactly one of voter"),
        (r#"{"item":"a","voter":"x","guard":"g","verdict":"Passed"}"#, "exactly one of voter"),
        (r#"{"item":"a","voter":"x","role":"reviewer","verdict":"Passed"}"#, "unknown variant `Passed`"),
        (r#"{"item":"a","guard":"g","verdict":"Approve"}"#, "unknown variant `Approve`"),
        (r#"{"item":"a","voter":"x","verdict":"Approve"}"#, "missing field `role`"),
        (
            r#"{"item":"a","voter":"x","role":"reviewer","verdict":"Approve","confidence":200}"#,
            "outside 0 to 100",
        ),
        (r#"{"item":"a","subject":1}"#, "invalid type: integer `1`, expected a string"),
        (r#"{"item":"a","subject":"s","authorModels":"m"}"#, "expected a sequence"),
        (long.as_str(), "at most 262144 are read"),
    ];
    for (bad, message) in cases {
        let error = decide_lines(POLICY, [good.as_str(), bad]).unwrap_err().to_string();
        assert!(error.starts_with("line 2: ") && error.contains(message), "{error}");
    }
}

#[test]
fn a_key_that_stands_twice_decides_nothing() {
    let cases = [
        (r#"{"item":"a","guard":"g","verdict":"Failed","verdict":"Passed"}"#, "\"verdict\""),
        (r#"{"item":"a","guard":"g","verdict":"Failed","\u0076erdict":"Passed"}"#, "\"verdict\""),
        (r#"{"item":"a","item":"b","guard":"g","verdict":"Passed"}"#, "\"item\""),
        (r#"{"item":"a","guard":"g","verdict":"Passed","required":true,"required":false}"#, "\"required\""),
        (
            r#"{"item":"a","voter":"x","role":"security","verdict":"Reject","evidence":[{"file":"a","file":"b"}]}"#,
            "\"file\"",
        ),
        (r#"{"item":"a","guard":"g","verdict":"Passed","note":{"x":1,"x":1}}"#, "\"x\""),
    ];
    for (line, key) in cases {
        let error = decide_lines(POLICY, ["", line]).unwrap_err().to_string();
        assert!(error.starts_with(&format!("line 2: key {key} stands twice at column ")), "{error}");
    }
    let long = format!(r#"{{"{0}":1,"{0}":1}}"#, "k".repeat(10_000));
    assert!(decide_lines(POLICY, [long.as_str()]).unwrap_err().to_string().len() < 250);
}

#[test]
fn items_that_are_not_the_same_are_not_mixed() {
    let fact = |item: &str| format!(r#"{{"item":{item},"guard":"g","verdict":"Passed"}}"#);
    let unlike = [
        "100000000000000000001",
        "100000000000000000002",
        "-9223372036854775809",
        "1.0",
        "1e3",
        "true",
        "null",
        "[1]",
        "{}",
    ];
    for item in unlike {
        let error = decide_lines(POLICY, [fact(item).as_str()]).unwrap_err().to_string();
        assert!(error.starts_with("line 1: the item is neither a string nor an integer"), "{item}: {error}");
    }
    let apart = ["18446744073709551615", "18446744073709551614", "-9223372036854775808", "\"1.0\"", "0"];
    let lines = apart.map(fact);
    let decided = decide_lines(POLICY, lines.iter().map(String::as_str)).unwrap();
    let names: Vec<&str> = decided.iter().map(|d| d.item.as_str()).collect();
    assert_eq!(names, apart.map(|item| item.trim_matches('"')));
}

#[test]
fn bytes_that_are_no_text_decide_nothing() {
    let mut reviews = Reviews::new(parse_policy(POLICY).unwrap());
    reviews.take("").unwrap();
    let error = reviews.take(b"{\"item\":\"a\",\"voter\":\"a\xff\"}").unwrap_err().to_string();
    assert!(error.starts_with("line 2: not UTF-8 from byte 23 on; nothing was decided"), "{error}");
    assert!(reviews.take(b"\xff").unwrap_err().to_string().starts_with("line 3: not UTF-8 from byte 1 on"));
    // Cut within a character by a reader that keeps the bound: too long is what it is.
    let cut = ["é".repeat(MAX_LINE_BYTES / 2).as_bytes(), b"\xc3"].concat();
    assert!(reviews.take(cut).unwrap_err().to_string().contains("262145 bytes, at most 262144 are read"));
}

#[test]
fn model_words_are_kept_byte_for_byte() {
    let hostile = "'; DROP TABLE votes; <script>\u{202e}\u{0}";
    let mut line = ballot("a", "tester", "Reject");
    line["rationale"] = json!(hostile);
    line["evidence"] =
        json!([{"file": "../x", "startLine": 1, "endLine": 2, "quote": hostile, "extra": true}]);
    let kept = &run(&[line]).unwrap()[0].record.dissent[0];
    assert_eq!((kept.rationale.as_str(), kept.evidence[0].quote.as_str()), (hostile, hostile));
    assert!(!kept.evidence[0].verified);
}

#[test]
fn author_is_named_with_the_subject() {
    let policy = r#"{"voters":[{"role":"reviewer"}],"independence":"DifferentModel"}"#;
    let decided = |subject: Value| {
        let lines = [ballot("a", "reviewer", "Approve").to_string(), subject.to_string()];
        decide_lines(policy, lines.iter().map(String::as_str)).unwrap()[0].record.decision
    };
    let by = |models: Value| decided(json!({"item": "a", "subject": "sha256:1", "authorModels": models}));
    assert_eq!(by(json!(["other"])), OutcomeKind::Approved);
    assert_eq!(by(json!(["provider/m"])), OutcomeKind::QuorumMissing);
    assert_eq!(decided(json!({"item": "a", "subject": "sha256:1"})), OutcomeKind::QuorumMissing);
}

#[test]
fn smallest_flip_is_told_with_the_impact() {
    let decided = run(&[ballot("a", "reviewer", "Approve"), ballot("a", "tester", "Reject")]).unwrap();
    let json = serde_json::to_value(&decided[0]).unwrap();
    assert_eq!(json["minimalFlip"], json!({"voters": ["reviewer"], "outcome": "ChangesRequested"}));
    let none = run(&[json!({"item": "a", "guard": "g", "verdict": "Failed"})]).unwrap();
    assert_eq!(serde_json::to_value(&none[0]).unwrap()["minimalFlip"], Value::Null);
}
