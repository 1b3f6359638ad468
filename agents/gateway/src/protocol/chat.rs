//! OpenAI Chat Completions.

use super::client::{Asked, Cap, ClientProtocol, End, Reader, Seen};
use super::fields::Fields;
use super::outline::{Shape, outline};
use super::parts::Extent;
use super::{shape, tools};
use crate::error::CallError;
use golden_crds::model_provider::{OutputCapField, Protocol as ProviderProtocol};
use golden_ledger::Usage;
use serde_json::{Map, Value, json};

/// The type of this protocol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChatCompletions;

/// Fields that a provider charges for beyond prompt and output, or under another price.
const UNPRICED: [(&str, &str); 4] = [
    ("web_search_options", "searches have a price of their own"),
    ("audio", "only text is priced"),
    ("prediction", "rejected predictions are charged beyond the cap"),
    ("functions", "use tools"),
];

const SHAPE: Shape = Shape {
    turns: "messages",
    aside: &[
        "max_completion_tokens",
        "max_tokens",
        "metadata",
        "prompt_cache_key",
        "safety_identifier",
        "seed",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "top_p",
        "user",
    ],
    marked: &[],
    is_elsewhere: |_| false,
};

impl ClientProtocol for ChatCompletions {
    fn name(&self) -> &'static str {
        "OpenAI Chat Completions"
    }

    fn provider(&self) -> ProviderProtocol {
        ProviderProtocol::OpenAI
    }

    fn path(&self) -> &'static str {
        "chat/completions"
    }

    fn prepare(&self, request: &mut Fields<'_>, cap: Cap) -> Result<Asked, CallError> {
        let messages =
            request.raw("messages").ok_or_else(|| CallError::Malformed("messages are missing".into()))?;
        if !messages.get().starts_with('[') {
            return Err(CallError::Malformed("messages must be a list".into()));
        }
        let mut extent = Extent::default();
        let prompt = messages.get().as_bytes().to_vec();
        let outline = outline(request, &SHAPE, &mut extent)?;
        refuse_unpriced(request)?;
        refuse_tier(request)?;
        let stream = request.is_set("stream");
        let max_output = lower_cap(request, cap)?;
        let withheld = tools::withhold(request, |kind| matches!(kind, "function" | "custom"))?;
        let forward_usage = !stream || ask_usage(request)?;
        Ok(Asked { stream, forward_usage, max_output, extent, outline, prompt, withheld })
    }

    fn usage(&self, stated: &Value) -> Option<Usage> {
        usage(stated)
    }

    fn reader(&self, forward_usage: bool) -> Box<dyn Reader> {
        Box::new(Chunks { forward_usage, stated: None, done: false })
    }

    fn error(&self, error: &CallError) -> Value {
        shape::openai(error)
    }

    fn error_events(&self, error: &CallError) -> String {
        format!("data: {}\n\n", shape::openai(error))
    }

    fn ping(&self) -> &'static str {
        ": waiting for budget\n\n"
    }
}

/// The usage that an answer or a chunk states.
fn usage(usage: &Value) -> Option<Usage> {
    let count = |field: &str| usage.get(field).and_then(Value::as_i64);
    openai_usage(count("prompt_tokens")?, usage.get("prompt_tokens_details"), count("completion_tokens")?)
}

/// The usage that an input, its details and an output of OpenAI's protocols come to.
pub(crate) fn openai_usage(input: i64, details: Option<&Value>, output: i64) -> Option<Usage> {
    let count = |path: &str| details.and_then(|d| d.pointer(path)).and_then(Value::as_i64).unwrap_or(0);
    let (written, long) = (count("/cache_write_tokens"), count("/cache_write_tokens_details/ttl_12h_tokens"));
    Some(Usage {
        input_tokens: input,
        cached_input_tokens: count("/cached_tokens"),
        cache_write_tokens: written.checked_sub(long)?.max(0),
        long_cache_write_tokens: long,
        output_tokens: output,
    })
}

fn refuse_unpriced(request: &Fields<'_>) -> Result<(), CallError> {
    let unsupported =
        |field: &str, why: &str| Err(CallError::Unsupported { field: field.to_owned(), why: why.to_owned() });
    for (field, why) in UNPRICED {
        if request.raw(field).is_some() {
            return unsupported(field, why);
        }
    }
    for field in ["n", "best_of"] {
        if request.raw(field).is_some_and(|n| n.get() != "1") {
            return unsupported(field, "send one call per answer, each is paid by itself");
        }
    }
    Ok(())
}

/// OpenAI's tiers above the default are dearer.
pub(crate) fn refuse_tier(request: &Fields<'_>) -> Result<(), CallError> {
    match request.text("service_tier")?.as_deref() {
        None | Some("auto" | "default" | "flex") => Ok(()),
        Some(_) => Err(CallError::Unsupported {
            field: "service_tier".into(),
            why: "other tiers have other prices".into(),
        }),
    }
}

/// The fields that may carry the cap, the newer one first.
const NEWER: &str = "max_completion_tokens";
const OLDER: &str = "max_tokens";

/// Lowers the request's own cap: in the field it is written in, or in the one that the provider takes.
fn lower_cap(request: &mut Fields<'_>, cap: Cap) -> Result<u64, CallError> {
    match cap.field {
        Some(OutputCapField::MaxCompletionTokens) => move_cap(request, cap.most, OLDER, NEWER),
        Some(OutputCapField::MaxTokens) => move_cap(request, cap.most, NEWER, OLDER),
        None => lower_where_named(request, cap.most),
    }
}

/// Writes the cap into field `to` alone. Where both are named, neither is exceeded.
fn move_cap(
    request: &mut Fields<'_>,
    most: u64,
    from: &'static str,
    to: &'static str,
) -> Result<u64, CallError> {
    let asked = [request.count(from)?, request.count(to)?].into_iter().flatten().min();
    let allowed = asked.unwrap_or(most).min(most);
    request.rename(from, to);
    request.set(to, &allowed.into())?;
    Ok(allowed)
}

fn lower_where_named(request: &mut Fields<'_>, most: u64) -> Result<u64, CallError> {
    let mut capped: Option<u64> = None;
    for field in [NEWER, OLDER] {
        let Some(asked) = request.count(field)? else { continue };
        let allowed = asked.min(most);
        request.set(field, &allowed.into())?;
        // Where both are named, the provider may follow either.
        capped = Some(capped.unwrap_or(0).max(allowed));
    }
    if let Some(capped) = capped {
        return Ok(capped);
    }
    request.set(OLDER, &most.into())?;
    Ok(most)
}

/// Makes a stream end with its usage; says whether the client had asked for it.
fn ask_usage(request: &mut Fields<'_>) -> Result<bool, CallError> {
    let options = request.value("stream_options")?;
    let mut options = match options {
        Some(Value::Object(options)) => options,
        _ => Map::new(),
    };
    let asked = options.insert("include_usage".into(), true.into()) == Some(json!(true));
    if !asked {
        request.set("stream_options", &Value::Object(options))?;
    }
    Ok(asked)
}

/// A stream of chunks, closed by `[DONE]`.
///
/// Some servers state the usage so far in every chunk (vLLM's `continuous_usage_stats`): one in the middle of an answer
/// is no answer's usage, and a stream that broke behind it would be nearly free. So it is believed of a stream that
/// ended if its last chunk stated it, or one that closes an answer; of a stream that broke off only if both.
#[derive(Debug)]
struct Chunks {
    forward_usage: bool,
    stated: Option<Stated>,
    done: bool,
}

/// The usage that was stated last.
#[derive(Debug)]
struct Stated {
    usage: Usage,
    /// Its chunk closes an answer: it has a finish reason, or nothing but the usage.
    closes: bool,
    /// No chunk came after it.
    latest: bool,
}

impl Reader for Chunks {
    fn see(&mut self, data: &str) -> Seen {
        if data.trim() == "[DONE]" {
            self.done = true;
            return Seen::Last(End::Answered);
        }
        if let Some(stated) = &mut self.stated {
            stated.latest = false;
        }
        // Cheap first: almost every chunk is without usage.
        if !data.contains("\"usage\"") {
            return Seen::Passes;
        }
        let Ok(chunk) = serde_json::from_str::<Value>(data) else { return Seen::Passes };
        let Some(usage) = chunk.get("usage").and_then(usage) else { return Seen::Passes };
        let choices = chunk.get("choices").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let has_ended = |choice: &Value| choice.get("finish_reason").is_some_and(|reason| !reason.is_null());
        self.stated = Some(Stated { usage, closes: choices.iter().all(has_ended), latest: true });
        // The extra chunk with the usage alone is ours if the client did not ask for it.
        if choices.is_empty() && !self.forward_usage { Seen::Ours } else { Seen::Passes }
    }

    fn usage(&self) -> Option<Usage> {
        let Stated { usage, closes, latest } = self.stated.as_ref()?;
        let is_whole = if self.done { *closes || *latest } else { *closes && *latest };
        is_whole.then_some(*usage)
    }
}
