//! OpenAI Embeddings: paid for by their input alone.

use super::client::{Asked, Cap, ClientProtocol, Reader};
use super::fields::Fields;
use super::parts::Extent;
use super::{ChatCompletions, shape};
use crate::error::CallError;
use golden_crds::model_provider::Protocol as ProviderProtocol;
use golden_ledger::Usage;
use serde_json::Value;

/// The type of this protocol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Embeddings;

impl ClientProtocol for Embeddings {
    fn name(&self) -> &'static str {
        "OpenAI Embeddings"
    }

    fn provider(&self) -> ProviderProtocol {
        ProviderProtocol::OpenAI
    }

    fn path(&self) -> &'static str {
        "embeddings"
    }

    /// A role is bound to the one model it talks to, which is seldom one that embeds.
    fn client_names_model(&self) -> bool {
        true
    }

    fn prepare(&self, request: &mut Fields<'_>, _: Cap) -> Result<Asked, CallError> {
        let input = request.raw("input").ok_or_else(|| CallError::Malformed("input is missing".into()))?;
        let prompt = input.get().as_bytes().to_vec();
        let extent = Extent { many: true, ..Extent::default() };
        Ok(Asked { prompt, forward_usage: true, extent, ..Asked::default() })
    }

    fn usage(&self, stated: &Value) -> Option<Usage> {
        let input_tokens = stated.get("prompt_tokens").and_then(Value::as_i64)?;
        Some(Usage { input_tokens, ..Usage::default() })
    }

    /// There is none: an answer comes in one piece.
    fn reader(&self, forward_usage: bool) -> Box<dyn Reader> {
        ChatCompletions.reader(forward_usage)
    }

    fn error(&self, error: &CallError) -> Value {
        shape::openai(error)
    }

    fn error_events(&self, error: &CallError) -> String {
        ChatCompletions.error_events(error)
    }

    fn ping(&self) -> &'static str {
        ChatCompletions.ping()
    }
}
