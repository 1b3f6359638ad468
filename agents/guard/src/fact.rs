//! The fact a guard's run leaves: what was run, on what, and what it showed.

use crate::excerpt::excerpt;
use crate::outcome::{GuardVerdict, Inconclusive, classify};
use crate::parts::Parts;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A verdict with its evidence. Image, command and tree are part of it: another tree has no verdict yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GuardFact {
    pub guard: String,
    pub verdict: GuardVerdict,
    pub required: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    pub reason: String,
    /// The telling part of the output, at most [`crate::MAX_EXCERPT_BYTES`].
    pub excerpt: String,
    /// Digest of the whole output, or of what of it was kept.
    pub output_digest: String,
    /// Digest of the examined tree.
    pub tree_digest: String,
    /// The image as the node resolved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    /// Digest of the command and its arguments.
    pub command_digest: String,
}

/// What a sandbox reports of a guard's run.
#[derive(Clone, Copy, Debug)]
pub struct RunOutcome<'a> {
    pub exit_code: Option<i32>,
    /// A reason of SandboxRun's status.
    pub reason: &'a str,
    /// What was kept of stdout and stderr.
    pub output: &'a [u8],
    /// Digest of the whole output where it is an artifact; that of `output` otherwise.
    pub output_digest: Option<&'a str>,
    pub tree_digest: &'a str,
    pub image_id: Option<&'a str>,
    pub command: &'a [String],
}

/// A fact, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    Fact(Box<GuardFact>),
    Inconclusive(Inconclusive),
}

/// Judges one run of one guard.
pub fn judge(guard: &str, required: bool, run: &RunOutcome<'_>) -> Judged {
    let verdict = match classify(run.reason, run.exit_code) {
        Ok(verdict) => verdict,
        Err(inconclusive) => return Judged::Inconclusive(inconclusive),
    };
    Judged::Fact(Box::new(GuardFact {
        guard: guard.to_owned(),
        verdict,
        required,
        exit_code: run.exit_code,
        reason: run.reason.to_owned(),
        excerpt: excerpt(run.output),
        output_digest: run.output_digest.map_or_else(|| digest(run.output), str::to_owned),
        tree_digest: run.tree_digest.to_owned(),
        image_id: run.image_id.map(str::to_owned),
        command_digest: command_digest(run.command),
    }))
}

/// Each argument has its length before it, so that `a b` and `a`, `b` differ.
fn command_digest(command: &[String]) -> String {
    let mut parts = Parts::default();
    for argument in command {
        parts.add(argument);
    }
    parts.digest()
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
