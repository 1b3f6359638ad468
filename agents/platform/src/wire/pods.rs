//! What pods ask of the orchestrator and hand over to it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// `GET /v1/try` of the orchestrator: what a task pod works on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TryContext {
    pub task_uid: Uuid,
    pub task_name: String,
    pub namespace: String,
    pub attempt: u32,
    pub r#try: u32,
    pub role: String,
    /// The tree the try starts from: the base, the last attempt's, or what an earlier try of this attempt saved.
    pub tree: String,
    /// An earlier try of this attempt was saved, and this one goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumes: Option<Resumes>,
    pub prompt: String,
    /// Why the last attempt was not accepted; empty on the first.
    pub feedback: String,
    pub model: String,
}

/// What a try goes on with beside its tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resumes {
    /// Digest of the agent's transcript, if it kept one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<String>,
}

/// `GET /v1/try/pause` of the orchestrator: whether the pod shall save its work and end, since its call waits for money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PauseWish {
    pub save: bool,
}

/// `GET /v1/job` of the orchestrator: what a fetch or delivery pod does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase", tag = "job")]
pub enum JobContext {
    Fetch {
        url: String,
        git_ref: String,
        credential: Option<Credential>,
    },
    Deliver {
        url: String,
        branch: String,
        base_commit: String,
        base_tree: String,
        tree: String,
        /// Whole commit message, trailers included.
        message: String,
        author: String,
        /// RFC 3339: fixed, so that a repeated delivery makes the same commit.
        author_date: String,
        credential: Option<Credential>,
    },
}

/// A basic credential, used only against the hosts its Secret names.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    pub username: String,
    pub password: String,
    pub hosts: Vec<String>,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

/// `PUT /v1/artifacts`: the digest under which the body is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactStored {
    pub digest: String,
    pub bytes: i64,
}
