//! As a person runs it: limits that are raised while a call waits, the end, a kill, a file that cannot be used.

use crate::world::{Golden, TOKEN, command, dollars, recorded, write};
use golden_cluster::services::Postgres;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::io::Read as _;
use std::time::{Duration, Instant};

async fn ask(url: String) -> (u16, Value) {
    let body = json!({"instructions": "Role: developer\nAttempt: 1",
        "input": "slugify() drops non-ASCII letters. Transliterate them."});
    let call = reqwest::Client::new().post(format!("{url}/v1/responses")).bearer_auth(TOKEN).json(&body);
    let answer = call.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_serves_outside_a_cluster_and_says_at_the_end_what_was_spent() {
    let postgres = Postgres::start().unwrap();
    let database = postgres.create_database().unwrap();
    let (model, model_url) = recorded(vec![]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.yaml");

    // Too little for one call: it waits, until the file says more.
    write(&file, "OpenAI", &model_url, &json!({"costMicroUSD": 100}));
    let mut golden = Golden::start(&file, &database);
    golden.says("SIGHUP");
    let call = tokio::spawn(ask(golden.url.clone()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(model.tally().totals.calls, 0);
    write(&file, "OpenAI", &model_url, &json!({"costMicroUSD": 1_000_000}));
    golden.signal(Signal::SIGHUP);
    // The call may have reserved its bound before this is said.
    assert!(golden.says("budget local").contains(" of $1.00 left"));
    let (status, answer) = call.await.unwrap();
    assert_eq!(status, 200, "{answer}");
    let served = model.tally().totals;
    let cost = served.prompt_tokens + 4 * served.completion_tokens;
    let (spent, status) = golden.end();
    assert!(spent.contains(&dollars(cost)), "{spent}");
    assert!(spent.contains("for 1 call with"), "{spent}");
    assert!(status.success(), "{status}");

    // Killed without a word, it has lost nothing.
    let golden = Golden::start(&file, &database);
    assert_eq!(ask(golden.url.clone()).await.0, 200);
    // An answer does not wait for its settlement; killed before that, the call would be charged in full later.
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(golden);
    let mut golden = Golden::start(&file, &database);
    let left = golden.says("budget local");
    assert!(left.contains(&format!("{} of $1.00 left", dollars(1_000_000 - 2 * cost))), "{left}");
    golden.end();
}

#[test]
fn a_file_that_cannot_be_used_ends_it_with_the_fields_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.yaml");
    write(&file, "OpenAI", "http://127.0.0.1:1", &json!({"costMicroUSD": -1}));
    for (file, words) in [
        (file.clone(), "gateway.yaml cannot be used:\n  budget.costMicroUSD: "),
        (folder.path().join("absent.yaml"), "absent.yaml cannot be read"),
    ] {
        let begun = Instant::now();
        let mut process = command(&file, "postgres://127.0.0.1:1/none").spawn().unwrap();
        let mut said = String::new();
        process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(said.contains(words), "{said}");
        assert!(!process.wait().unwrap().success());
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}
