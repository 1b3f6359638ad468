//! The agent against the recorded model over real HTTP, judged by the real pytest.

#![allow(clippy::unwrap_used, clippy::panic)]

use golden_agent::{Args, Ending, work};
use golden_model::{Fault, Options, Server, serve};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

const GOAL: &str = "slugify() drops non-ASCII letters. Transliterate them; keep the public signature.\n";

struct Model {
    server: Arc<Server>,
    url: String,
}

async fn model() -> Model {
    let server = Server::new(Options::default()).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let running = Arc::clone(&server);
    tokio::spawn(async move { serve(listener, &running).await });
    Model { server, url }
}

fn write(root: &Path, path: &str, text: &str) {
    let file = root.join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
}

/// The repository of the first story.
fn shop(root: &Path) {
    write(
        root,
        "work/shop/slug.py",
        "import re\n\n\ndef slugify(text):\n    return re.sub(r\"[^a-z0-9]+\", \"-\", text.lower()).strip(\"-\")\n",
    );
    write(root, "work/shop/__init__.py", "");
    write(
        root,
        "work/tests/test_slug.py",
        "from shop.slug import slugify\n\n\ndef test_plain():\n    assert slugify(\"Red Wine\") == \"red-wine\"\n\n\n\
         def test_accents():\n    assert slugify(\"Crème Brûlée\") == \"creme-brulee\"\n\n\n\
         def test_sharp_s():\n    assert slugify(\"Straße\") == \"strasse\"\n",
    );
    write(root, "golden/prompt.md", GOAL);
}

fn args(root: &Path, url: &str, attempt: u32) -> Args {
    Args {
        workspace: root.join("work"),
        golden: root.join("golden"),
        base_url: url.to_owned(),
        api_key: "golden".into(),
        model: "standard".into(),
        role: None,
        attempt: Some(attempt),
        max_steps: 40,
    }
}

/// Runs the tests of the workspace as the guard does.
fn pytest(root: &Path) -> (bool, String) {
    // The one of the Debian package, whatever else is on the path.
    let run = Command::new("/usr/bin/python3")
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider"])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(root.join("work"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(said.contains("passed") || said.contains("failed"), "pytest did not run: {run:?}");
    (run.status.success(), said)
}

#[tokio::test]
async fn the_first_change_fails_its_test_and_the_second_reads_why() {
    let model = model().await;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    shop(root);

    let ending = work(&args(root, &model.url, 1)).await.unwrap();
    assert!(matches!(ending, Ending::Finished(_)), "{ending}");
    let (passed, said) = pytest(root);
    assert!(!passed && said.contains("1 failed, 2 passed"), "{said}");

    write(root, "golden/feedback.md", &said);
    let ending = work(&args(root, &model.url, 2)).await.unwrap();
    assert!(matches!(ending, Ending::Finished(_)), "{ending}");
    let (passed, said) = pytest(root);
    assert!(passed && said.contains("3 passed"), "{said}");

    let tally = model.server.tally();
    assert_eq!((tally.totals.calls, tally.totals.unmatched), (7, 0));
    let transcript = std::fs::read_to_string(root.join("golden/out/transcript.jsonl")).unwrap();
    assert!(transcript.lines().all(|l| serde_json::from_str::<serde_json::Value>(l).is_ok()));
}

/// The lines that the recorded ballots quote are where they say.
#[tokio::test]
async fn the_recorded_evidence_is_in_the_recorded_files() {
    let model = model().await;
    for (goal, files, quotes) in [
        (
            "Which queue should the shop use for order events?",
            vec![("context.md", "40 order events"), ("options.md", "A table in Postgres")],
            vec![
                ("decision.md", 11, "neither can exist without the other"),
                ("decision.md", 12, "Nothing new to run"),
                ("decision.md", 13, "above some hundred events a second"),
                ("decision.md", 14, "Every consumer needs a database connection."),
            ],
        ),
        (
            "Write a CONTRIBUTING guide, CONTRIBUTING.md",
            vec![("README.md", "Tests: `python3 -m pytest`.")],
            vec![
                ("CONTRIBUTING.md", 4, "python3 -m pytest"),
                ("CONTRIBUTING.md", 8, "with a test that fails"),
            ],
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "golden/prompt.md", goal);
        for (path, text) in files {
            write(folder.path(), &format!("work/{path}"), text);
        }
        let ending = work(&args(folder.path(), &model.url, 1)).await.unwrap();
        assert!(matches!(ending, Ending::Finished(_)), "{ending}");
        for (path, line, quote) in quotes {
            let text = std::fs::read_to_string(folder.path().join("work").join(path)).unwrap();
            let found = text.lines().nth(line - 1).unwrap_or_default();
            assert!(found.contains(quote), "{path}:{line} is {found:?}");
        }
    }
}

#[tokio::test]
async fn a_resumed_try_goes_on_with_the_conversation_and_pays_for_no_answer_twice() {
    let model = model().await;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    shop(root);
    let stopped = work(&Args { max_steps: 2, ..args(root, &model.url, 1) }).await.unwrap();
    assert_eq!(stopped.exit_code(), 2);
    assert_eq!(model.server.tally().totals.calls, 2);
    let before = std::fs::read_to_string(root.join("golden/out/transcript.jsonl")).unwrap();
    std::fs::rename(root.join("golden/out/transcript.jsonl"), root.join("golden/transcript.jsonl")).unwrap();

    // Another prompt would not fit the recording: the conversation that was begun counts.
    write(root, "golden/prompt.md", "a task nobody recorded");
    let ending = work(&args(root, &model.url, 1)).await.unwrap();
    assert!(matches!(ending, Ending::Finished(_)), "{ending}");
    let totals = model.server.tally().totals;
    assert_eq!((totals.calls, totals.unmatched), (4, 0), "as many as without the pause");
    let after = std::fs::read_to_string(root.join("golden/out/transcript.jsonl")).unwrap();
    assert!(after.starts_with(&before) && after.len() > before.len(), "the transcript is whole again");
}

#[tokio::test]
async fn a_busy_model_is_asked_again_and_a_broken_stream_too() {
    let model = model().await;
    let folder = tempfile::tempdir().unwrap();
    shop(folder.path());
    model.server.order(Fault { status: Some(429), retry_after_seconds: Some(0), ..Fault::default() });
    model.server.order(Fault { cut_after_events: Some(2), ..Fault::default() });
    let ending = work(&args(folder.path(), &model.url, 1)).await.unwrap();
    assert!(matches!(ending, Ending::Finished(_)), "{ending}");
    assert_eq!(model.server.tally().totals.calls, 5, "four answers and the broken one");
}

#[tokio::test]
async fn a_refusal_ends_the_attempt_with_code_3() {
    let model = model().await;
    let folder = tempfile::tempdir().unwrap();
    shop(folder.path());
    write(folder.path(), "golden/prompt.md", "a task nobody recorded");
    let ending = work(&args(folder.path(), &model.url, 1)).await.unwrap();
    assert_eq!(ending.exit_code(), 3);
    assert!(ending.to_string().contains("no recording fits"), "{ending}");
}

#[tokio::test]
async fn an_agent_that_does_not_finish_gives_up_with_code_2() {
    let model = model().await;
    let folder = tempfile::tempdir().unwrap();
    shop(folder.path());
    let ending = work(&Args { max_steps: 2, ..args(folder.path(), &model.url, 1) }).await.unwrap();
    assert_eq!(
        (ending.exit_code(), ending.to_string().as_str()),
        (2, "gave up: not finished after 2 answers")
    );
}
