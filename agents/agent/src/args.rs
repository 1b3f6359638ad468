//! What the agent is told by its environment.

use std::path::PathBuf;

/// Work on the task in `/golden/prompt.md`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The tree to work on.
    #[arg(long, env = "GOLDEN_WORKSPACE", default_value = "/workspace")]
    pub workspace: PathBuf,
    /// Folder with `prompt.md`, `feedback.md` and `task.json`, and `transcript.jsonl` of an earlier try that this one
    /// resumes; `out/` in it takes the transcript.
    #[arg(long, env = "GOLDEN_DIR", default_value = "/golden")]
    pub golden: PathBuf,
    #[arg(long, env = "OPENAI_BASE_URL", default_value = "http://127.0.0.1:8321/v1")]
    pub base_url: String,
    #[arg(long, env = "OPENAI_API_KEY", default_value = "golden", hide_env_values = true)]
    pub api_key: String,
    #[arg(long, env = "GOLDEN_MODEL", default_value = "default")]
    pub model: String,
    /// Overrides the role of `task.json`.
    #[arg(long, env = "GOLDEN_ROLE")]
    pub role: Option<String>,
    /// Overrides the attempt of `task.json`.
    #[arg(long, env = "GOLDEN_ATTEMPT")]
    pub attempt: Option<u32>,
    /// Answers of the model, at most.
    #[arg(long, default_value_t = crate::limits::STEPS)]
    pub max_steps: u32,
}
