//! `golden gateway --config FILE` as a person runs it: the real process, Postgres, and the recorded model.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use golden_cluster::services::Postgres;
use golden_model::{Options, Server};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Lines, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const KEY: &str = "the-providers-key";
const TOKEN: &str = "what-clients-must-send";

/// The process; killed if a test ends without having ended it.
struct Golden {
    process: Child,
    said: Lines<BufReader<ChildStdout>>,
    url: String,
}

impl Drop for Golden {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command(file: &Path, database: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_golden"));
    command.args(["gateway", "--config"]).arg(file).env_clear();
    command.env("DATABASE", database).env("TOKEN", TOKEN).env("PROVIDER_KEY", KEY);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Golden {
    fn start(file: &Path, database: &str) -> Self {
        let mut process = command(file, database).stderr(Stdio::inherit()).spawn().unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = said.next().expect("it ended without a word").unwrap();
        let url = first.strip_prefix("golden gateway listens on ").expect(&first).to_owned();
        Self { process, said, url }
    }

    /// Reads on until a line holds the words.
    fn says(&mut self, words: &str) -> String {
        self.said.by_ref().map(Result::unwrap).find(|line| line.contains(words)).expect(words)
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id().cast_signed()), signal).unwrap();
    }

    fn end(mut self) -> (String, ExitStatus) {
        self.signal(Signal::SIGINT);
        let spent = self.says("spent since the start");
        (spent, self.process.wait().unwrap())
    }
}

fn write(file: &Path, model_url: &str, limit: i64) {
    let model = json!({"name": "standard", "contextWindow": 128_000, "maxOutputTokens": 500,
        "inputMicroUSDPerMToken": 1_000_000, "outputMicroUSDPerMToken": 4_000_000});
    let config = json!({
        "listen": "127.0.0.1:0",
        "postgres": "env:DATABASE",
        "tokenEnv": "TOKEN",
        "providers": [{"name": "recorded", "protocol": "OpenAI", "baseURL": format!("{model_url}/v1"),
                       "keyEnv": "PROVIDER_KEY", "models": [model]}],
        "model": "recorded/standard",
        "budget": {"costMicroUSD": limit},
    });
    std::fs::write(file, config.to_string()).unwrap();
}

/// Less than a dollar, with every digit.
fn dollars(micro_usd: u64) -> String {
    format!("$0.{micro_usd:06}").trim_end_matches('0').to_owned()
}

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
    let model = Server::new(Options { api_key: Some(KEY.into()), ..Options::default() }).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let model_url = format!("http://{}", listener.local_addr().unwrap());
    let routes = model.router();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.yaml");

    // Too little for one call: it waits, until the file says more.
    write(&file, &model_url, 100);
    let mut golden = Golden::start(&file, &database);
    golden.says("SIGHUP");
    let call = tokio::spawn(ask(golden.url.clone()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(model.tally().totals.calls, 0);
    write(&file, &model_url, 1_000_000);
    golden.signal(Signal::SIGHUP);
    assert!(golden.says("budget local").contains("$1.00 of $1.00 left"));
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
    write(&file, "http://127.0.0.1:1", -1);
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
