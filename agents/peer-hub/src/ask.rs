//! Calls of the gateway on behalf of a voter.

use crate::answer;
use crate::question::Asked;
use golden_platform::http::{CallError, ServiceClient, answered_by};
use http::Method;
use std::time::Duration;
use uuid::Uuid;

/// Largest answer read, in bytes.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// Longest single call: one that waits for money may wait long. The review's own time bounds it from outside.
const CALL: Duration = Duration::from_hours(1);
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(15);

/// For whom a call is made.
#[derive(Clone, Debug)]
pub(crate) struct Voice {
    pub(crate) team: Uuid,
    pub(crate) task: Uuid,
    pub(crate) attempt: u32,
    pub(crate) role: String,
    /// Stable: a repeated call is the same operation.
    pub(crate) operation: String,
}

/// What came of a call.
pub(crate) struct Answered {
    pub(crate) text: String,
    /// The names of the model that gave it; none of a gateway that does not say.
    pub(crate) by: Vec<String>,
}

/// Why a voter has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// Another try may succeed, until the review closes.
    #[error("{0}")]
    Passing(String),
    #[error("{0}")]
    Lasting(String),
}

/// The gateway.
#[derive(Clone)]
pub struct Gateway {
    service: ServiceClient,
}

impl Gateway {
    pub fn new(service: ServiceClient) -> Self {
        Self { service }
    }

    /// Asks until there is an answer or an error that will not pass. The caller bounds it in time.
    pub(crate) async fn ask(&self, voice: &Voice, asked: &Asked) -> Result<Answered, String> {
        let mut pause = FIRST;
        loop {
            match self.once(voice, asked).await {
                Ok(answer) => return Ok(answer),
                Err(AskError::Lasting(why)) => return Err(why),
                Err(AskError::Passing(why)) => {
                    tracing::warn!(role = voice.role, why, ?pause, "a voter will be asked again");
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST);
        }
    }

    async fn once(&self, voice: &Voice, asked: &Asked) -> Result<Answered, AskError> {
        let request =
            self.service.request(Method::POST, "/v1/chat/completions").await.map_err(|e| sort(&e))?;
        let request = request
            .header("x-golden-team", voice.team.to_string())
            .header("x-golden-task", voice.task.to_string())
            .header("x-golden-attempt", voice.attempt)
            .header("x-golden-role", &voice.role)
            .header("x-golden-operation", &voice.operation)
            .timeout(CALL)
            .json(&asked.body());
        let mut response = self.service.send(request).await.map_err(|e| sort(&e))?;
        let by = answered_by(response.headers());
        let mut body = Vec::new();
        while let Some(bytes) = response.chunk().await.map_err(|e| AskError::Passing(e.to_string()))? {
            if body.len() + bytes.len() > MAX_ANSWER {
                return Err(AskError::Lasting(format!("the answer is longer than {MAX_ANSWER} bytes")));
            }
            body.extend_from_slice(&bytes);
        }
        let text = answer::text(&body)
            .map_err(|e| AskError::Lasting(format!("the answer is not Chat Completions: {e}")))?;
        Ok(Answered { text, by })
    }
}

fn sort(error: &CallError) -> AskError {
    match error {
        CallError::Refused { status: 401 | 408 | 425 | 429 | 500.., .. }
        | CallError::Unreachable { .. }
        | CallError::Token { .. } => AskError::Passing(error.to_string()),
        CallError::Refused { .. } | CallError::Malformed { .. } => AskError::Lasting(error.to_string()),
    }
}
