//! `golden consensus …` as a script runs it: the real process, its input, output and exit code.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// What it printed, or what it said and its exit code.
fn golden(arguments: &[&str], input: &[u8]) -> Result<String, (String, i32)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_golden"));
    command.arg("consensus").args(arguments);
    let mut process =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // One that refuses its arguments has not read its input.
    let _ = process.stdin.take().unwrap().write_all(input);
    let output = process.wait_with_output().unwrap();
    match output.status.code() {
        Some(0) => Ok(String::from_utf8(output.stdout).unwrap()),
        code => {
            assert!(output.stdout.is_empty(), "nothing is printed beside an error");
            Err((String::from_utf8(output.stderr).unwrap(), code.unwrap()))
        }
    }
}

fn refused(arguments: &[&str], input: &str, code: i32, words: &str) {
    let (said, exit) = golden(arguments, input.as_bytes()).unwrap_err();
    assert!(exit == code && said.contains(words), "{arguments:?} ended with {exit}: {said}");
}

/// A file with this text, in a folder that goes with the test.
fn file(home: &TempDir, name: &str, text: impl AsRef<[u8]>) -> String {
    let path: PathBuf = home.path().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn decisions_come_one_line_for_each_item_in_the_documented_form() {
    let home = tempfile::tempdir().unwrap();
    let policy = file(&home, "policy.yaml", "review:\n  voters:\n  - {role: a, weight: 2}\n  - {role: b}\n");
    let ballot = |item: &str, role: &str, verdict: &str| {
        json!({"item": item, "voter": role, "role": role, "model": "m", "verdict": verdict, "severity": "Minor",
            "confidence": 0.9, "evidence": [], "digest": "d"})
        .to_string()
    };
    let lines = [
        ballot("one", "a", "Approve"),
        json!({"item": "two", "guard": "unit-tests", "verdict": "Failed"}).to_string(),
        ballot("one", "b", "Reject"),
    ];
    let printed = golden(&["decide", "--policy", &policy], lines.join("\n").as_bytes()).unwrap();
    let printed: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [one, two] = printed.as_slice() else { panic!("{printed:?}") };
    assert_eq!((one["item"].as_str(), one["decision"].as_str()), (Some("one"), Some("Approved")));
    let weights = ["castWeight", "approveWeight", "rejectWeight", "quorum"].map(|name| one[name].as_u64());
    assert_eq!(weights, [3, 2, 1, 2].map(Some));
    assert_eq!(one["dissent"][0]["voter"], "b");
    assert_eq!(
        one["impact"],
        json!([
            {"voter": "a", "without": "QuorumMissing", "opposite": "ChangesRequested", "pivotal": true},
            {"voter": "b", "without": "Approved", "opposite": "Approved", "pivotal": false},
        ])
    );
    assert_eq!(one["minimalFlip"], json!({"voters": ["a"], "outcome": "ChangesRequested"}));
    assert_eq!((two["decision"].as_str(), &two["minimalFlip"]), (Some("GuardFailed"), &Value::Null));
    assert!(two["reason"].as_str().unwrap().contains("unit-tests"));
}

#[test]
fn bad_ballots_and_policies_decide_nothing() {
    let home = tempfile::tempdir().unwrap();
    let policy = file(&home, "policy.json", r#"{"voters":[{"role":"a"}]}"#);
    let broken = file(&home, "broken.json", r#"{"voters":[{"role":"a"}],"quorumPercent":120}"#);
    let decide = |policy: &str, input: &[u8]| golden(&["decide", "--policy", policy], input).unwrap_err();
    let (said, code) = decide(&policy, b"{\"item\":1,\"guard\":\"g\",\"verdict\":\"Passed\"}\nnot json\n");
    assert!(code == 1 && said.contains("line 2: not JSON"), "{said}");
    let endless = vec![b'x'; 1_000_000];
    assert!(decide(&policy, &endless).0.contains("line 1: 262146 bytes, at most 262144 are read"));
    assert!(decide(&policy, b"\n\n{\"item\": \"\xff\"}\n").0.contains("line 3"));
    let voters = b"{\"item\":1,\"voter\":\"a\xff\",\"role\":\"a\",\"verdict\":\"Approve\"}\n";
    assert!(decide(&policy, voters).0.contains("line 1: not UTF-8 from byte 21 on"));
    let twice =
        decide(&policy, b"{\"item\":1,\"guard\":\"g\",\"verdict\":\"Failed\",\"verdict\":\"Passed\"}");
    assert!(twice.0.contains("line 1: key \"verdict\" stands twice"), "{}", twice.0);
    assert!(decide(&broken, b"").0.contains("quorumPercent 120 of total weight 1 needs 2"));
    let misspelt = "review: {voters: [{role: a}]}\nguards: {requird: [{name: unit-tests}]}\n";
    let misspelt = file(&home, "misspelt.yaml", misspelt);
    assert!(decide(&misspelt, b"").0.contains("unknown field guards.requird"));
    let repeated = file(&home, "repeated.yaml", "voters: [{role: a, veto: true, veto: false}]\n");
    assert!(decide(&repeated, b"").0.contains("neither YAML nor JSON"));
    assert!(decide("nowhere.json", b"").0.contains("nowhere.json cannot be read"));
    assert_eq!(golden(&["decide", "--policy", &policy], b"").unwrap(), "");
    refused(&["decide"], "", 2, "--policy");
}

#[test]
fn power_is_printed_as_exact_fractions() {
    let home = tempfile::tempdir().unwrap();
    let three = r#"{"shapleyShubik":["2/3","1/6","1/6"],"banzhaf":["3/5","1/5","1/5"],"penroseBanzhaf":["3/4","1/4","1/4"]}"#;
    let printed = |arguments: &[&str]| golden(&[&["power"], arguments].concat(), b"").unwrap();
    assert_eq!(printed(&["--quota", "51", "50", "49", "1"]).trim(), three);
    let apart = file(&home, "weights.txt", "50, 49\n\n1\n");
    assert_eq!(printed(&["--quota", "51", "--file", &apart]).trim(), three);
    let array = file(&home, "weights.json", "[50, 49, 1]");
    assert_eq!(printed(&["--quota", "51", "--file", &array]).trim(), three);
    let game = file(&home, "game.json", r#"{"quota": 51, "weights": [50, 49, 1]}"#);
    assert_eq!(printed(&["--file", &game]).trim(), three);
    let policy =
        file(&home, "policy.yaml", "voters: [{role: a, weight: 3}, {role: s, weight: 0, veto: true}]");
    let seats: Value = serde_json::from_str(&printed(&["--policy", &policy])).unwrap();
    assert_eq!(
        seats["seats"][1],
        json!({"role": "s", "shapleyShubik": "1/2", "banzhaf": "1/2", "penroseBanzhaf": "1/2"})
    );
    refused(&["power", "--quota", "9", "4", "4"], "", 1, "quota 9 is outside 1 to 8");
    refused(&["power", "--quota", "1"], "", 1, "no weights");
    refused(&["power", "--quota", "1", "-4"], "", 2, "-4");
    refused(&["power", "4"], "", 2, "--quota");
    refused(&["power", "--file", &apart], "", 1, "no quota");
    refused(&["power", "--quota", "5", "--file", &game], "", 1, "leave out --quota");
    let bad = file(&home, "bad.txt", "4\n4 x\n");
    refused(&["power", "--quota", "5", "--file", &bad], "", 1, "line 2: \"x\" is not a weight");
}

#[test]
fn reliability_reads_and_writes_csv() {
    let home = tempfile::tempdir().unwrap();
    let mut text = String::from("item,voter,label\n");
    for item in 0..30 {
        // z says the same of all; x and y agree.
        text +=
            &format!("{item},x,{0}\n{item},y,{0}\n{item},z,yes\n", if item % 2 == 0 { "yes" } else { "no" });
    }
    let votes = file(&home, "votes.csv", &text);
    let told = home.path().join("voters.csv");
    let printed =
        golden(&["reliability", "--input", &votes, "--voters", told.to_str().unwrap()], b"").unwrap();
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!((lines[0], lines.len()), ("item,label,confidence", 31));
    assert!(lines[1].starts_with("0,yes,") && lines[2].starts_with("1,no,"), "{printed}");
    let reliabilities = fs::read_to_string(told).unwrap();
    let of = |voter: &str| -> f64 {
        let line = reliabilities.lines().find(|line| line.starts_with(voter)).unwrap();
        line.split_once(',').unwrap().1.parse().unwrap()
    };
    assert!(
        reliabilities.starts_with("voter,reliability\n") && of("x") > 0.9 && of("z") < 0.7,
        "{reliabilities}"
    );
    assert_eq!(golden(&["reliability", "--input", "-"], text.as_bytes()).unwrap(), printed);
    let outcomes = file(&home, "outcomes.csv", "item,label\n0,no\n");
    let known = golden(&["reliability", "--input", &votes, "--outcomes", &outcomes], b"").unwrap();
    assert!(known.contains("\n0,no,1.000000\n"), "{known}");
    let bad = file(&home, "bad.csv", "item,voter,label\na,x,yes\nb,x\n");
    refused(&["reliability", "--input", &bad], "", 1, "bad.csv: line 3: 2 fields, but the header has 3");
    refused(&["reliability", "--input", "nowhere.csv"], "", 1, "nowhere.csv cannot be read");
    refused(&["reliability"], "", 2, "--input");
}
