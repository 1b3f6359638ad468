//! Anthropic Messages.

use super::client::{Asked, Cap, ClientProtocol, End, Reader, Seen};
use super::fields::Fields;
use super::outline::{Shape, outline};
use super::parts::{Extent, survey};
use super::{cached, shape, tools};
use crate::error::CallError;
use golden_crds::model_provider::Protocol as ProviderProtocol;
use golden_ledger::{CacheWrites, Usage};
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;

/// The type of this protocol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Messages;

/// Fields that a provider charges for beyond prompt and output, or under another price.
const UNPRICED: [(&str, &str); 4] = [
    ("fallbacks", "another model has other prices; bind the role to it"),
    ("billing_policy", "the provider's key says who is billed"),
    ("mcp_servers", "the provider would call servers that the task may not reach; let the agent call them"),
    ("container", "containers have a price of their own"),
];
/// The least that thinking may be given.
const LEAST_THINKING: u64 = 1024;

const SHAPE: Shape = Shape {
    turns: "messages",
    aside: &["cache_control", "max_tokens", "metadata", "stream", "temperature", "top_k", "top_p"],
    marked: &["system", "tools"],
    is_elsewhere,
};

impl ClientProtocol for Messages {
    fn name(&self) -> &'static str {
        "Anthropic Messages"
    }

    fn provider(&self) -> ProviderProtocol {
        ProviderProtocol::Anthropic
    }

    fn path(&self) -> &'static str {
        "messages"
    }

    fn prepare(&self, request: &mut Fields<'_>, cap: Cap) -> Result<Asked, CallError> {
        refuse_unpriced(request)?;
        let messages =
            request.raw("messages").ok_or_else(|| CallError::Malformed("messages are missing".into()))?;
        if !messages.get().starts_with('[') {
            return Err(CallError::Malformed("messages must be a list".into()));
        }
        // What was said before is the provider's to know; it went through here, but is not counted again.
        let mut extent = Extent { open: request.raw("thread").is_some(), ..Extent::default() };
        let mut prompt = Vec::new();
        for raw in [request.raw("system"), Some(messages)].into_iter().flatten() {
            prompt.extend_from_slice(raw.get().as_bytes());
        }
        if let Some(system) = request.raw("system") {
            survey(system, &mut extent)?;
        }
        let outline = outline(request, &SHAPE, &mut extent)?;
        let asked = request.count("max_tokens")?;
        let max_output = asked.unwrap_or(cap.most).min(cap.most);
        request.set("max_tokens", &max_output.into())?;
        fit_thinking(request, max_output)?;
        let withheld = tools::withhold(request, is_clients)?;
        extent.untold = tools::untold(request, |kind| matches!(kind, "" | "custom"), true)?;
        let stream = request.is_set("stream");
        Ok(Asked { stream, forward_usage: true, max_output, extent, outline, prompt, withheld })
    }

    fn cache_writes(&self, request: &[u8]) -> CacheWrites {
        cached::asked(request)
    }

    fn usage(&self, stated: &Value) -> Option<Usage> {
        Counts::of(stated).usage()
    }

    fn reader(&self, _: bool) -> Box<dyn Reader> {
        Box::new(Events { counts: Counts::default(), stopped: false })
    }

    fn error(&self, error: &CallError) -> Value {
        shape::anthropic(error)
    }

    fn error_events(&self, error: &CallError) -> String {
        format!("event: error\ndata: {}\n\n", shape::anthropic(error))
    }

    fn ping(&self) -> &'static str {
        "event: ping\ndata: {\"type\": \"ping\"}\n\n"
    }
}

/// What was said before is the provider's to know, or it edits it. What it takes out of earlier thinking stays out.
fn is_elsewhere(request: &Fields<'_>) -> bool {
    let takes_out = |edit: &Value| {
        edit.get("type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("clear_thinking_"))
    };
    let edited = match request.value("context_management") {
        Ok(None) => false,
        Ok(Some(how)) => {
            let edits = how.get("edits").and_then(Value::as_array);
            how.as_object().is_none_or(|how| how.len() > 1) || edits.is_none_or(|e| !e.iter().all(takes_out))
        }
        Err(_) => true,
    };
    edited || request.raw("thread").is_some()
}

fn refuse_unpriced(request: &Fields<'_>) -> Result<(), CallError> {
    let unsupported =
        |field: &str, why: &str| Err(CallError::Unsupported { field: field.into(), why: why.into() });
    for (field, why) in UNPRICED {
        if request.raw(field).is_some_and(|value| value.get() != "[]") {
            return unsupported(field, why);
        }
    }
    // What it summarises and writes is a call of its own, beyond this one's cap.
    if request.raw("context_management").is_some_and(|edits| edits.get().contains("\"compact")) {
        return unsupported("context_management: compact", "let the agent summarise in a call of its own");
    }
    if request.text("speed")?.is_some_and(|speed| speed != "standard") {
        return unsupported("speed", "faster answers have another price");
    }
    match request.text("inference_geo")?.as_deref() {
        None | Some("global") => Ok(()),
        Some(_) => unsupported("inference_geo", "a place of one's choice has another price"),
    }
}

/// Tools that the client runs: its own, and those whose form Anthropic defines.
fn is_clients(kind: &str) -> bool {
    const DEFINED: [&str; 6] =
        ["bash_", "text_editor_", "computer_", "browser_", "memory_", "tool_search_tool_"];
    matches!(kind, "" | "custom") || DEFINED.iter().any(|defined| kind.starts_with(defined))
}

/// Thinking is part of the output and must have less than all of it, or the provider refuses the call.
fn fit_thinking(request: &mut Fields<'_>, max_output: u64) -> Result<(), CallError> {
    let Some(Value::Object(mut thinking)) = request.value("thinking")? else { return Ok(()) };
    let Some(budget) = thinking.get("budget_tokens").and_then(Value::as_u64) else { return Ok(()) };
    if budget < max_output {
        return Ok(());
    }
    if max_output <= LEAST_THINKING {
        return Err(CallError::Unsupported {
            field: "thinking.budget_tokens".into(),
            why: format!(
                "this call may have {max_output} tokens of output, thinking alone needs {LEAST_THINKING}"
            ),
        });
    }
    thinking.insert("budget_tokens".into(), (max_output / 2).max(LEAST_THINKING).into());
    request.set("thinking", &Value::Object(thinking))
}

/// What a usage states; in a stream it comes in two parts, the later of which may repeat the earlier one.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    /// Neither read from the cache nor written to it.
    fresh: Option<i64>,
    cache_read: i64,
    cache_write: i64,
    long_cache_write: i64,
    output: Option<i64>,
}

impl Counts {
    fn stated(usage: &Value) -> Self {
        let count = |field: &str| usage.pointer(field).and_then(Value::as_i64);
        Self {
            fresh: count("/input_tokens"),
            cache_read: count("/cache_read_input_tokens").unwrap_or(0),
            cache_write: count("/cache_creation_input_tokens").unwrap_or(0),
            long_cache_write: count("/cache_creation/ephemeral_1h_input_tokens").unwrap_or(0),
            output: count("/output_tokens"),
        }
    }

    /// A usage with the compactions that it lists: they are charged beside what it states.
    fn of(usage: &Value) -> Self {
        let mut counts = Self::stated(usage);
        let iterations = usage.get("iterations").and_then(Value::as_array).into_iter().flatten();
        for compaction in iterations.filter(|i| i.get("type").is_some_and(|t| t == "compaction")) {
            let more = Self::stated(compaction);
            counts.fresh = Some(counts.fresh.unwrap_or(0).saturating_add(more.fresh.unwrap_or(0)));
            counts.cache_read = counts.cache_read.saturating_add(more.cache_read);
            counts.cache_write = counts.cache_write.saturating_add(more.cache_write);
            counts.long_cache_write = counts.long_cache_write.saturating_add(more.long_cache_write);
            counts.output = Some(counts.output.unwrap_or(0).saturating_add(more.output.unwrap_or(0)));
        }
        counts
    }

    /// What both parts of a stream say: the later one is cumulative, but may leave something out.
    fn join(&mut self, later: Self) {
        self.fresh = self.fresh.max(later.fresh);
        self.cache_read = self.cache_read.max(later.cache_read);
        self.cache_write = self.cache_write.max(later.cache_write);
        self.long_cache_write = self.long_cache_write.max(later.long_cache_write);
        self.output = self.output.max(later.output);
    }

    fn usage(&self) -> Option<Usage> {
        let fresh = self.fresh?;
        Some(Usage {
            input_tokens: fresh.saturating_add(self.cache_read).saturating_add(self.cache_write),
            cached_input_tokens: self.cache_read,
            cache_write_tokens: self.cache_write.saturating_sub(self.long_cache_write).max(0),
            long_cache_write_tokens: self.long_cache_write,
            output_tokens: self.output?,
        })
    }
}

/// A stream of typed events, closed by `message_stop`.
#[derive(Debug)]
struct Events {
    counts: Counts,
    /// The answer has its stop reason: what is counted now is the whole.
    stopped: bool,
}

#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(default)]
    message: Option<Value>,
    #[serde(default)]
    delta: Option<Value>,
    #[serde(default)]
    usage: Option<Value>,
}

impl Reader for Events {
    fn see(&mut self, data: &str) -> Seen {
        // Cheap first: almost every event is a piece of a block.
        if !["message_", "\"error\""].iter().any(|kind| data.contains(kind)) {
            return Seen::Passes;
        }
        let Ok(event) = serde_json::from_str::<Typed<'_>>(data) else { return Seen::Passes };
        match event.kind.as_ref() {
            "message_start" => {
                if let Some(usage) = event.message.as_ref().and_then(|m| m.get("usage")) {
                    self.counts.join(Counts::of(usage));
                }
            }
            "message_delta" => {
                if let Some(usage) = &event.usage {
                    self.counts.join(Counts::of(usage));
                    let reason = event.delta.as_ref().and_then(|d| d.get("stop_reason"));
                    self.stopped |= reason.is_some_and(|r| !r.is_null());
                }
            }
            "message_stop" => return Seen::Last(End::Answered),
            "error" => return Seen::Last(End::Failed),
            _ => {}
        }
        Seen::Passes
    }

    fn usage(&self) -> Option<Usage> {
        self.counts.usage().filter(|_| self.stopped)
    }
}
