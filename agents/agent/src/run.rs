//! The loop.

use crate::args::Args;
use crate::client::Client;
use crate::confine::Workspace;
use crate::errors::ModelError;
use crate::transcript::Transcript;
use crate::turn::{Next, follow, shorten};
use crate::{chat, context, limits, prompt, resume, tools};
use anyhow::Context;

/// How an attempt ended.
#[derive(Debug)]
pub enum Ending {
    /// The model called `finish`, with these words.
    Finished(String),
    GaveUp(String),
    Model(ModelError),
}

impl Ending {
    /// What the process reports: 0 finished, 2 gave up, 3 no usable model.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Finished(_) => 0,
            Self::GaveUp(_) => 2,
            Self::Model(_) => 3,
        }
    }
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Finished(summary) => f.write_str(summary),
            Self::GaveUp(why) => write!(f, "gave up: {why}"),
            Self::Model(error) => write!(f, "no usable model: {error}"),
        }
    }
}

/// Works on the task, leaves the last words in `out/summary.md` and on standard output, and ends the process
/// with the code of the ending when that is not 0.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let ending = work(&args).await?;
    let words = ending.to_string();
    let summary = args.golden.join("out/summary.md");
    if let Err(error) = std::fs::write(&summary, limits::head(&words, limits::SUMMARY)) {
        tracing::info!(%error, "no summary is kept in {}", summary.display());
    }
    println!("{words}");
    match ending.exit_code() {
        0 => Ok(()),
        code => std::process::exit(code),
    }
}

/// Works on the task until it is finished, hopeless, or the model fails.
pub async fn work(args: &Args) -> anyhow::Result<Ending> {
    let workspace = Workspace::open(&args.workspace)
        .with_context(|| format!("the workspace {} cannot be opened", args.workspace.display()))?;
    let client = Client::new(args).context("no HTTP client")?;
    let assignment = context::assignment(args)?;
    let mut transcript = Transcript::begin(&args.golden);
    let mut messages = resume::conversation(&args.golden).unwrap_or_else(|| prompt::opening(&assignment));
    transcript.extend(&messages);
    let schemas = tools::schemas();
    let (answered, mut idle) = resume::answers(&messages);
    for step in answered + 1..=args.max_steps {
        shorten(&mut messages, limits::CONVERSATION);
        let turn = match client.ask(&chat::request(&args.model, &messages, &schemas)).await {
            Ok(turn) => turn,
            Err(error) => return Ok(Ending::Model(error)),
        };
        tracing::info!(
            step,
            calls = turn.tool_calls.len(),
            tokens = turn.usage.completion_tokens,
            "answered"
        );
        idle = if turn.tool_calls.is_empty() { idle + 1 } else { 0 };
        if idle == limits::IDLE_ANSWERS {
            return Ok(Ending::GaveUp(format!("{idle} answers in a row used no tool")));
        }
        let answer = turn.message();
        transcript.add(&answer);
        messages.push(answer);
        match follow(&workspace, &turn) {
            Next::Finished(summary) => return Ok(Ending::Finished(summary)),
            Next::Ask(more) => {
                transcript.extend(&more);
                messages.extend(more);
            }
        }
    }
    Ok(Ending::GaveUp(format!("not finished after {} answers", args.max_steps)))
}
