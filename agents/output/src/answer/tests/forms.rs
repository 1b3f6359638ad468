//! What is read, and what is refused with which words.

use crate::answer::{Bounds, Consensus, Form, Patterns, Schema, Synthesis, Unreadable, Vote, parse, read};
use golden_consensus::{Evidence, Verdict};
use serde_json::{Value, json};

const VOTE: &str = r#"{"verdict":"Reject","severity":"Minor","confidence":70,
    "evidence":[{"file":"a.py","startLine":1,"endLine":2,"quote":"x"}],"rationale":"because"}"#;
const SYNTHESIS: &str = r#"{"summary":"s","agreements":[{"statement":"a","sources":["tester"]}],
    "disagreements":[{"statement":"d"}],"nextSteps":["n"]}"#;
const PATTERNS: &str = r#"{"patterns":[{"name":"p","description":"d","confidence":0.5,"tasks":["t"]}]}"#;
const CONSENSUS: &str = r#"{"verdict":"Approve","confidence":90,"reasons":["r"],
    "dissent":[{"voter":"security","reason":"w"}]}"#;

#[test]
fn every_form_is_read_and_written_back_within_its_own_schema() {
    fn both<F: Form + serde::Serialize + PartialEq + std::fmt::Debug>(text: &str) {
        let form: F = read(text).unwrap();
        let again = serde_json::to_string(&form).unwrap();
        assert_eq!(read::<F>(&again).unwrap(), form, "{again}");
    }
    both::<Vote>(VOTE);
    both::<Synthesis>(SYNTHESIS);
    both::<Patterns>(PATTERNS);
    both::<Consensus>(CONSENSUS);
    both::<Patterns>("{\"patterns\":[]}");
}

#[test]
fn a_vote_is_what_the_voter_may_say() {
    let vote: Vote = read(&VOTE.replace("70", "0.7")).unwrap();
    assert_eq!((vote.verdict, vote.confidence.percent()), (Verdict::Reject, 70));
    assert!(!Evidence::from(vote.evidence[0].clone()).verified);
}

/// Whoever made the change chose its names, and how much there is to object to.
#[test]
fn a_vote_may_name_any_file_and_say_more_than_is_kept() {
    let place = |file: &str, quote: &str| serde_json::json!({"file": file, "startLine": 1, "endLine": 1, "quote": quote});
    let spelled_out = "⟨U+00AD⟩".repeat(1024 / 2);
    let mut places = vec![place("a.py", "q"); 16];
    places.push(place(&spelled_out, &"q".repeat(5000)));
    let vote =
        serde_json::json!({"verdict": "Reject", "confidence": 90, "evidence": places, "rationale": "r"});
    let read: Vote = read(&vote.to_string()).unwrap();
    assert_eq!((read.evidence.len(), read.evidence[16].file.as_str()), (17, spelled_out.as_str()));
}

#[test]
fn what_does_not_fit_is_refused_with_its_place() {
    let long = "x".repeat(5000);
    for (text, part) in [
        ("I approve".to_owned(), "no JSON object"),
        (VOTE.replace("Reject", "Yes"), "verdict: unknown variant"),
        (VOTE.replace("70", "170"), "confidence: confidence 170 is not within"),
        (VOTE.replace("70", "\"70\""), "confidence: invalid type"),
        (VOTE.replace("because", " "), "rationale is empty"),
        (VOTE.replace("because", &long), "rationale is longer than"),
        (VOTE.replace("\"startLine\":1", "\"startLine\":\"1\""), "evidence[0].startLine: invalid type"),
        (VOTE.replace("\"startLine\":1", "\"startLine\":3"), "lines count"),
        (VOTE.replace("\"rationale\"", "\"weight\":9,\"rationale\""), "unknown field"),
        (VOTE.replace("\"rationale\"", "\"verdict\":\"Approve\",\"rationale\""), "duplicate field"),
        (format!("{VOTE} {VOTE}"), "trailing"),
        ("x".repeat(140_000), "at most"),
        (format!("{}1{}", "{\"a\":".repeat(100), "}".repeat(100)), "nests deeper"),
    ] {
        let fault = read::<Vote>(&text).unwrap_err().to_string();
        assert!(fault.contains(part), "{fault:?} lacks {part:?}");
    }
    for (text, part) in [
        (PATTERNS.replace("[\"t\"]", "[]"), "no task that shows it"),
        (PATTERNS.replace("\"d\"", "\"\""), "description is empty"),
        (format!("{{\"patterns\":[{0},{0}]}}", &PATTERNS[13..PATTERNS.len() - 2]), "named twice"),
    ] {
        let fault = read::<Patterns>(&text).unwrap_err().to_string();
        assert!(fault.contains(part), "{fault:?} lacks {part:?}");
    }
    assert!(read::<Consensus>(&CONSENSUS.replace("[\"r\"]", "[]")).is_err());
    assert!(read::<Synthesis>("{\"summary\":\"s\",\"agreements\":[{}]}").is_err());
}

#[test]
fn the_largest_that_fits_wins_over_a_larger_one_that_does_not() {
    let example = format!("{{\"form\":\"{}\"}}", "an example of what was asked ".repeat(20));
    assert_eq!(read::<Synthesis>(&format!("{example} {SYNTHESIS}")).unwrap().summary, "s");
    assert_eq!(read::<Vote>(&format!("{example} {VOTE} {{}}")).unwrap().verdict, Verdict::Reject);
}

#[test]
fn a_schema_says_what_is_wrong_where_and_does_not_repeat_the_value() {
    let schema = Schema::new(&json!({
        "type": "object",
        "properties": {"n": {"maximum": 3}, "s": {"pattern": "^(a+)+$"}, "l": {"items": {"type": "string"}}},
    }))
    .unwrap();
    assert!(schema.check(&json!({"n": 3, "s": "aa"})).is_ok());
    let told = schema.check(&json!({"n": 4, "s": "a secret"})).unwrap_err().to_string();
    assert!(told.contains("/n: ") && told.contains("/s: ") && !told.contains("secret"), "{told}");
    // A pattern that would take a backtracking engine years.
    assert!(schema.check(&json!({"s": format!("{}!", "a".repeat(100_000))})).is_err());
    let many = schema.check(&json!({"l": vec![0; 10_000]})).unwrap_err();
    assert!(many.lines().len() == 8 && many.to_string().len() < 3000, "bounded: {}", many.lines().len());
}

#[test]
fn a_schema_that_needs_the_network_or_is_none_is_refused() {
    for schema in
        [json!({"$ref": "http://evil.example/schema.json"}), json!({"type": 7}), json!({"pattern": "(?=a)"})]
    {
        assert!(Schema::new(&schema).is_err(), "{schema}");
    }
}

#[test]
fn bounds_hold_before_anything_is_built() {
    let bounds = Bounds { bytes: 100, depth: 2, values: 4 };
    assert!(parse::<Value>("[[1],2]", &bounds).is_ok());
    assert!(parse::<Value>("\"[[[[[[,,,,,,,,,,\\\"[[[\"", &bounds).is_ok(), "texts do not nest");
    assert_eq!(parse::<Value>("[[[1]]]", &bounds), Err(Unreadable::TooDeep { limit: 2 }));
    assert_eq!(parse::<Value>("[1,2,3,4]", &bounds), Err(Unreadable::TooMany { limit: 4 }));
    assert!(matches!(parse::<Value>(&" ".repeat(101), &bounds), Err(Unreadable::TooLong { .. })));
    assert!(matches!(parse::<Value>("1 2", &bounds), Err(Unreadable::Type { .. })));
}
