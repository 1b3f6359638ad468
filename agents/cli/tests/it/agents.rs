//! Agents of other makers, unchanged, on a person's machine: nothing but an address and a token is set for them.

use crate::world::{Golden, TOKEN, dollars, recorded, write};
use golden_cluster::images::{unpack_claude_code, unpack_codex};
use golden_cluster::services::Postgres;
use golden_model::Server;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

const GOAL: &str = "Add a last line to notes.txt that says how many lines it has.";

/// A recorded model, the gateway before it, and a folder to work in.
struct Desk {
    model: Arc<Server>,
    golden: Golden,
    folder: tempfile::TempDir,
    _postgres: Postgres,
}

impl Desk {
    async fn new(protocol: &str) -> Self {
        let recordings = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
        let (model, url) = recorded(vec![recordings]).await;
        let folder = tempfile::tempdir().unwrap();
        for part in ["work", "home", "programs"] {
            std::fs::create_dir(folder.path().join(part)).unwrap();
        }
        std::fs::write(folder.path().join("work/notes.txt"), "one\ntwo\n").unwrap();
        let file = folder.path().join("gateway.yaml");
        write(&file, protocol, &url, &json!({"costMicroUSD": 900_000, "onExhausted": "Fail"}));
        let postgres = Postgres::start().unwrap();
        let golden = Golden::start(&file, &postgres.create_database().unwrap());
        Self { model, golden, folder, _postgres: postgres }
    }

    fn path(&self, part: &str) -> PathBuf {
        self.folder.path().join(part)
    }

    /// The agent's program, as a person starts it: in the folder, with a home, and with no more.
    fn agent(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path("work")).env_clear();
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", self.path("home"));
        command.stdin(Stdio::null());
        command
    }

    /// It did the work by its own tools, every call was answered from a recording, and all of it was paid.
    fn done(self, output: &Output, calls: u64) {
        let said = String::from_utf8_lossy(&output.stdout);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}\n{complained}");
        assert!(said.contains("notes.txt now says that it had 2 lines."), "{said}\n{complained}");
        let notes = std::fs::read_to_string(self.path("work/notes.txt")).unwrap();
        assert_eq!(notes, "one\ntwo\nlines: 2\n");
        let tally = self.model.tally();
        assert_eq!((tally.totals.calls, tally.totals.unmatched), (calls, 0), "{complained}");
        let cost = tally.totals.prompt_tokens + 4 * tally.totals.completion_tokens;
        let (spent, status) = self.golden.end();
        assert!(spent.contains(&dollars(cost)) && spent.contains(&format!("for {calls} calls")), "{spent}");
        assert!(status.success(), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn claude_code_works_unchanged_outside_a_cluster() {
    let desk = Desk::new("Anthropic").await;
    let program = unpack_claude_code(&desk.path("programs")).unwrap();
    let mut claude = desk.agent(&program);
    claude.env("ANTHROPIC_BASE_URL", &desk.golden.url).env("ANTHROPIC_API_KEY", TOKEN);
    // What else it would ask of its maker; and the right to act without asking, which root has in a sandbox alone.
    claude.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1").env("IS_SANDBOX", "1");
    claude.args(["--print", "--permission-mode", "bypassPermissions", GOAL]);
    let output = tokio::task::spawn_blocking(move || claude.output()).await.unwrap().unwrap();
    desk.done(&output, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn codex_works_unchanged_outside_a_cluster() {
    let desk = Desk::new("OpenAI").await;
    let program = unpack_codex(&desk.path("programs")).unwrap();
    // The link in an image leads to where the image has it.
    let program = std::fs::read_link(&program)
        .map_or(program, |to| desk.path("programs").join(to.strip_prefix("/").unwrap_or(&to)));
    let mut codex = desk.agent(&program);
    codex.env("OPENAI_API_KEY", TOKEN);
    codex.args(["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]);
    // Which tools it offers depends on the model that it believes to speak to.
    codex.args(["--model", "standard"]);
    let base = format!("model_providers.golden.base_url=\"{}/v1\"", desk.golden.url);
    for setting in [
        "model_provider=golden",
        "model_providers.golden.name=Golden",
        &base,
        "model_providers.golden.env_key=OPENAI_API_KEY",
        "model_providers.golden.wire_api=responses",
        "analytics.enabled=false",
        "check_for_update_on_startup=false",
    ] {
        codex.args(["-c", setting]);
    }
    codex.arg(GOAL);
    let output = tokio::task::spawn_blocking(move || codex.output()).await.unwrap().unwrap();
    desk.done(&output, 3);
}
