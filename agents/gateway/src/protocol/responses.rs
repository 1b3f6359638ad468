//! OpenAI Responses.

use super::chat::{openai_usage, refuse_tier};
use super::client::{Asked, Cap, ClientProtocol, End, Reader, Seen};
use super::fields::Fields;
use super::outline::{Shape, outline};
use super::parts::{Extent, survey};
use super::{shape, tools};
use crate::error::CallError;
use golden_crds::model_provider::Protocol as ProviderProtocol;
use golden_ledger::Usage;
use serde::Deserialize;
use serde_json::{Value, json};
use std::borrow::Cow;

/// The type of this protocol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Responses;

/// Fields whose input or work never passes here.
const ELSEWHERE: [(&str, &str); 2] = [
    (
        "conversation",
        "it is kept by the provider, in an account that tasks share; send the conversation as input",
    ),
    ("prompt", "its text is kept by the provider; send it as instructions and input"),
];

const SHAPE: Shape = Shape {
    turns: "input",
    aside: &[
        "client_metadata",
        "max_output_tokens",
        "metadata",
        "prompt_cache_key",
        "safety_identifier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "top_p",
        "user",
    ],
    marked: &[],
    is_elsewhere,
};

impl ClientProtocol for Responses {
    fn name(&self) -> &'static str {
        "OpenAI Responses"
    }

    fn provider(&self) -> ProviderProtocol {
        ProviderProtocol::OpenAI
    }

    fn path(&self) -> &'static str {
        "responses"
    }

    fn prepare(&self, request: &mut Fields<'_>, cap: Cap) -> Result<Asked, CallError> {
        for (field, why) in ELSEWHERE {
            if request.raw(field).is_some() {
                return Err(CallError::Unsupported { field: field.into(), why: why.into() });
            }
        }
        if request.is_set("background") {
            let why = "an answer is paid for in the call that asks for it";
            return Err(CallError::Unsupported { field: "background".into(), why: why.into() });
        }
        refuse_tier(request)?;
        // What was said before is the provider's to know; it went through here, but is not counted again.
        let earlier = request.raw("previous_response_id").is_some();
        let mut extent = Extent { open: earlier, ..Extent::default() };
        let mut prompt = Vec::new();
        for field in ["instructions", "input"] {
            prompt.extend_from_slice(request.raw(field).map_or(b"", |raw| raw.get().as_bytes()));
        }
        if let Some(instructions) = request.raw("instructions") {
            survey(instructions, &mut extent)?;
        }
        let outline = outline(request, &SHAPE, &mut extent)?;
        if prompt.is_empty() {
            return Err(CallError::Malformed("input is missing".into()));
        }
        let asked = request.count("max_output_tokens")?;
        let max_output = asked.unwrap_or(cap.most).min(cap.most);
        request.set("max_output_tokens", &max_output.into())?;
        let withheld = tools::withhold(request, is_clients)?;
        extent.untold =
            tools::untold(request, |kind| matches!(kind, "function" | "custom" | "namespace"), false)?;
        let stream = request.is_set("stream");
        Ok(Asked { stream, forward_usage: true, max_output, extent, outline, prompt, withheld })
    }

    fn usage(&self, stated: &Value) -> Option<Usage> {
        usage(stated)
    }

    fn reader(&self, _: bool) -> Box<dyn Reader> {
        Box::new(Events { usage: None })
    }

    fn error(&self, error: &CallError) -> Value {
        shape::openai(error)
    }

    /// The event `error` for clients that read that one, then the `response.failed` that ends a response.
    fn error_events(&self, error: &CallError) -> String {
        let (_, kind, code) = error.classify();
        let said = error.to_string();
        let first = json!({
            "type": "error", "sequence_number": 0, "code": code, "message": said, "param": null,
            "error": {"type": kind, "code": code, "message": said, "param": null},
        });
        let last = json!({"type": "response.failed", "sequence_number": 1, "response": {
            "id": "resp_golden", "object": "response", "created_at": 0, "status": "failed", "model": "", "output": [],
            "error": {"code": code, "message": said}, "incomplete_details": null, "usage": null,
            "parallel_tool_calls": true, "tool_choice": "auto", "tools": [],
        }});
        format!("event: error\ndata: {first}\n\nevent: response.failed\ndata: {last}\n\n")
    }

    /// A comment: an event before `response.created` is one too early for clients that build the response.
    fn ping(&self) -> &'static str {
        ": waiting for budget\n\n"
    }
}

/// What was said before is the provider's to know, or it leaves out what does not fit.
fn is_elsewhere(request: &Fields<'_>) -> bool {
    let cut = request.raw("truncation").is_some_and(|how| how.get() != "\"disabled\"");
    cut || ["previous_response_id", "context_management"].iter().any(|field| request.raw(field).is_some())
}

/// Tools that the client runs.
fn is_clients(kind: &str) -> bool {
    matches!(
        kind,
        "function"
            | "custom"
            | "namespace"
            | "local_shell"
            | "apply_patch"
            | "computer"
            | "computer_use_preview"
            | "tool_search"
    )
}

fn usage(usage: &Value) -> Option<Usage> {
    let count = |field: &str| usage.get(field).and_then(Value::as_i64);
    openai_usage(count("input_tokens")?, usage.get("input_tokens_details"), count("output_tokens")?)
}

/// A stream of typed events, closed by one that carries the whole response.
#[derive(Debug)]
struct Events {
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

impl Reader for Events {
    fn see(&mut self, data: &str) -> Seen {
        // Cheap first: almost every event is a piece of text, and none of these words is in it.
        let last = [
            "response.completed",
            "response.incomplete",
            "response.failed",
            "response.cancelled",
            "\"error\"",
        ];
        if !last.iter().any(|kind| data.contains(kind)) {
            return Seen::Passes;
        }
        let Ok(event) = serde_json::from_str::<Typed<'_>>(data) else { return Seen::Passes };
        let end = match event.kind.as_ref() {
            "response.completed" | "response.incomplete" => End::Answered,
            "response.failed" | "response.cancelled" | "error" => End::Failed,
            _ => return Seen::Passes,
        };
        let whole: Option<Value> = serde_json::from_str(data).ok();
        self.usage = whole.as_ref().and_then(|event| event.pointer("/response/usage")).and_then(usage);
        Seen::Last(end)
    }

    fn usage(&self) -> Option<Usage> {
        self.usage
    }
}
