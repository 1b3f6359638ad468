//! The real process, and a file for it.

use golden_model::{Options, Server};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use tokio::net::TcpListener;

pub(crate) const KEY: &str = "the-providers-key";
pub(crate) const TOKEN: &str = "what-clients-must-send";

/// The process; killed if a test ends without having ended it.
pub(crate) struct Golden {
    process: Child,
    said: Lines<BufReader<ChildStdout>>,
    pub(crate) url: String,
}

impl Drop for Golden {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn command(file: &Path, database: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_golden"));
    command.args(["gateway", "--config"]).arg(file).env_clear();
    command.env("DATABASE", database).env("TOKEN", TOKEN).env("PROVIDER_KEY", KEY);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Golden {
    pub(crate) fn start(file: &Path, database: &str) -> Self {
        let mut process = command(file, database).stderr(Stdio::inherit()).spawn().unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = said.next().expect("it ended without a word").unwrap();
        let url = first.strip_prefix("golden gateway listens on ").expect(&first).to_owned();
        Self { process, said, url }
    }

    /// Reads on until a line holds the words.
    pub(crate) fn says(&mut self, words: &str) -> String {
        self.said.by_ref().map(Result::unwrap).find(|line| line.contains(words)).expect(words)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id().cast_signed()), signal).unwrap();
    }

    pub(crate) fn end(mut self) -> (String, ExitStatus) {
        self.signal(Signal::SIGINT);
        let spent = self.says("spent since the start");
        (spent, self.process.wait().unwrap())
    }
}

/// The recorded model, which takes [`KEY`] alone, and its address.
pub(crate) async fn recorded(recordings: Vec<PathBuf>) -> (Arc<Server>, String) {
    let options = Options { api_key: Some(KEY.into()), recordings, ..Options::default() };
    let model = Server::new(options).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = Arc::clone(&model);
    tokio::spawn(async move { golden_model::serve(listener, &serving).await });
    (model, url)
}

/// Writes a gateway's file: one model of a provider at this address, and this budget.
pub(crate) fn write(file: &Path, protocol: &str, model_url: &str, budget: &Value) {
    let base = if protocol == "OpenAI" { format!("{model_url}/v1") } else { model_url.to_owned() };
    let model = json!({"name": "standard", "contextWindow": 200_000, "maxOutputTokens": 8_000,
        "inputMicroUSDPerMToken": 1_000_000, "outputMicroUSDPerMToken": 4_000_000});
    let config = json!({
        "listen": "127.0.0.1:0",
        "postgres": "env:DATABASE",
        "tokenEnv": "TOKEN",
        "providers": [{"name": "recorded", "protocol": protocol, "baseURL": base, "keyEnv": "PROVIDER_KEY",
                       "models": [model]}],
        "model": "recorded/standard",
        "budget": budget,
    });
    std::fs::write(file, config.to_string()).unwrap();
}

/// Less than a dollar, with every digit.
pub(crate) fn dollars(micro_usd: u64) -> String {
    format!("$0.{micro_usd:06}").trim_end_matches('0').to_owned()
}
