//! What a conversation holds beside text. A token of text is at least one byte of the request; images and files cost
//! tokens that their bytes do not bound, and some parts cannot be had at all.
//!
//! What lies elsewhere is refused: the provider would fetch it for an agent whose own network is closed, or take it
//! from the store of an account that all tasks share.

use crate::error::CallError;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Parts within parts: a message, a tool's result in it, a document in that, and its content.
const DEEPEST: usize = 6;

/// Input beyond the bytes of the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Images, each of at most the tokens that its protocol charges for one.
    pub(crate) images: u64,
    /// Tokens of what the provider itself tells its model: how to use tools, and what those are whose form it defines.
    pub(crate) untold: u64,
    /// The request does not say how much there is: up to the whole context window.
    pub(crate) open: bool,
    /// Several inputs in one call, each of which may fill the context window: it bounds nothing.
    pub(crate) many: bool,
}

/// The fields that parts of all protocols have in common, as far as they matter.
#[derive(Deserialize)]
struct Part<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    output: Option<&'a RawValue>,
    /// OpenAI: an object with a `url`, or the URL itself.
    #[serde(borrow, default)]
    image_url: Option<&'a RawValue>,
    /// Anthropic.
    #[serde(borrow, default)]
    source: Option<&'a RawValue>,
    /// Chat Completions.
    #[serde(borrow, default)]
    file: Option<&'a RawValue>,
    #[serde(default)]
    file_id: Option<IgnoredAny>,
    #[serde(default)]
    file_url: Option<IgnoredAny>,
    /// OpenAI: thinking of an earlier answer, as the client keeps it.
    #[serde(default)]
    encrypted_content: Option<IgnoredAny>,
}

/// Where something is.
#[derive(Deserialize)]
struct Place<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    url: Option<&'a RawValue>,
    #[serde(default)]
    file_id: Option<IgnoredAny>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
}

impl Extent {
    pub(crate) fn add(&mut self, other: Self) {
        self.images = self.images.saturating_add(other.images);
        self.untold = self.untold.saturating_add(other.untold);
        self.open |= other.open;
        self.many |= other.many;
    }
}

/// Adds up what a conversation, a message's content or a tool's result holds.
pub(crate) fn survey(raw: &RawValue, extent: &mut Extent) -> Result<(), CallError> {
    walk(raw, extent, 0)
}

/// The same of one turn of a conversation.
pub(crate) fn survey_turn(raw: &RawValue, extent: &mut Extent) -> Result<(), CallError> {
    walk(raw, extent, 1)
}

fn walk(raw: &RawValue, extent: &mut Extent, depth: usize) -> Result<(), CallError> {
    let text = raw.get();
    if depth > DEEPEST {
        return Err(CallError::Malformed("message parts are nested too deeply".to_owned()));
    }
    if text.starts_with('[') {
        let parts: Vec<&RawValue> = read(text)?;
        return parts.into_iter().try_for_each(|part| walk(part, extent, depth + 1));
    }
    if text.starts_with('{') {
        let part: Part<'_> = read(text)?;
        look(&part, extent)?;
        let inner = [part.content, part.output].into_iter().flatten();
        return inner.into_iter().try_for_each(|inner| walk(inner, extent, depth + 1));
    }
    Ok(())
}

fn look(part: &Part<'_>, extent: &mut Extent) -> Result<(), CallError> {
    let kind = part.kind.as_deref().unwrap_or_default();
    let remote = || CallError::Unsupported {
        field: format!("a part of type {kind:?} that lies elsewhere"),
        why: "put its bytes into the request; the provider fetches nothing for a task".into(),
    };
    if part.file_id.is_some() || part.file_url.is_some() {
        return Err(remote());
    }
    match kind {
        _ if is_text(kind) => Ok(()),
        "reasoning" => {
            // Named only: the provider puts in what it has kept.
            let nothing = part.content.is_none_or(|content| content.get() == "[]");
            extent.open |= part.encrypted_content.is_none() && nothing;
            Ok(())
        }
        "image_url" | "input_image" | "image" | "computer_screenshot" => {
            extent.images += 1;
            if is_inline(part)? { Ok(()) } else { Err(remote()) }
        }
        "document" | "file" | "input_file" => {
            extent.open = true;
            if is_inline(part)? { Ok(()) } else { Err(remote()) }
        }
        "input_audio" | "audio" => Err(CallError::Unsupported {
            field: format!("a part of type {kind:?}"),
            why: "this version prices text, images and documents only".into(),
        }),
        // Also `tool_reference`: the definition that it stands for counts from there on.
        _ => {
            extent.open = true;
            Ok(())
        }
    }
}

/// Parts of which each token is at least one byte of the request.
fn is_text(kind: &str) -> bool {
    matches!(
        kind,
        // A message, or words in one of its forms.
        "" | "message"
            | "text"
            | "input_text"
            | "output_text"
            | "summary_text"
            | "reasoning_text"
            | "refusal"
            | "thinking"
            | "redacted_thinking"
            | "tool_use"
            | "tool_result"
            | "search_result"
            | "function_call"
            | "function_call_output"
            | "custom_tool_call"
            | "custom_tool_call_output"
            | "local_shell_call"
            | "local_shell_call_output"
            | "shell_call"
            | "shell_call_output"
            | "apply_patch_call"
            | "apply_patch_call_output"
            | "computer_call"
            | "computer_call_output"
            | "compaction"
    )
}

/// Whether the bytes of an image or document are in the request itself.
fn is_inline(part: &Part<'_>) -> Result<bool, CallError> {
    if let Some(image) = part.image_url {
        let text = image.get();
        let url: Option<&RawValue> =
            if text.starts_with('{') { read::<Place<'_>>(text)?.url } else { Some(image) };
        return Ok(url.is_some_and(|url| url.get().starts_with("\"data:")));
    }
    if let Some(source) = part.source {
        let source: Place<'_> = read(source.get())?;
        let elsewhere = source.url.is_some() || source.file_id.is_some();
        let nested = source.content.is_none_or(|c| !c.get().contains("\"url\""));
        return Ok(!elsewhere
            && nested
            && matches!(source.kind.as_deref(), Some("base64" | "text" | "content")));
    }
    let file: Option<Place<'_>> = part.file.map(|file| read(file.get())).transpose()?;
    Ok(file.is_none_or(|file| file.file_id.is_none()))
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, CallError> {
    serde_json::from_str(text).map_err(|e| CallError::Malformed(format!("a message part: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn of(value: &Value) -> Result<Extent, CallError> {
        let raw = RawValue::from_string(value.to_string()).unwrap();
        let mut extent = Extent::default();
        survey(&raw, &mut extent).map(|()| extent)
    }

    fn extent(images: u64, open: bool) -> Extent {
        Extent { images, open, ..Extent::default() }
    }

    #[test]
    fn images_are_counted_wherever_they_are_and_files_leave_the_size_open() {
        let data = "data:image/png;base64,AAAA";
        let own = json!({"type": "image", "source": {"type": "base64", "data": "AAAA"}});
        for (conversation, want) in [
            (json!("hi"), extent(0, false)),
            (json!([{"role": "user", "content": "hi"}]), extent(0, false)),
            (json!([{"content": [{"type": "image_url", "image_url": {"url": data}}]}]), extent(1, false)),
            (
                json!([{"type": "message", "content": [{"type": "input_image", "image_url": data}]}]),
                extent(1, false),
            ),
            (
                json!([{"type": "function_call_output", "output": [{"type": "input_image", "image_url": data}]}]),
                extent(1, false),
            ),
            (
                json!([{"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": data}}]),
                extent(1, false),
            ),
            (json!([{"content": [{"type": "tool_result", "content": [own, own]}]}]), extent(2, false)),
            (
                json!([{"content": [{"type": "document", "source": {"type": "base64", "data": "AA"}}]}]),
                extent(0, true),
            ),
            (json!([{"content": [{"type": "file", "file": {"file_data": data}}]}]), extent(0, true)),
            (json!([{"type": "of_the_future", "x": 1}]), extent(0, true)),
            (json!([{"type": "tool_reference", "tool_name": "deferred"}]), extent(0, true)),
            (json!([{"type": "reasoning", "id": "rs_1", "summary": []}]), extent(0, true)),
            (json!([{"type": "reasoning", "encrypted_content": "gAAA", "content": null}]), extent(0, false)),
            (
                json!([{"type": "reasoning", "content": [{"type": "reasoning_text", "text": "so"}]}]),
                extent(0, false),
            ),
        ] {
            assert_eq!(of(&conversation), Ok(want), "{conversation}");
        }
    }

    #[test]
    fn what_lies_elsewhere_is_not_fetched_for_an_agent_and_sounds_are_refused() {
        for part in [
            json!({"type": "image_url", "image_url": {"url": "https://x/?leak=1"}}),
            json!({"type": "input_image", "image_url": "https://x/"}),
            json!({"type": "input_image", "file_id": "file-1"}),
            json!({"type": "image", "source": {"type": "url", "url": "https://x/"}}),
            json!({"type": "image", "source": {"type": "file", "file_id": "file-1"}}),
            json!({"type": "document", "source": {"type": "content", "content": [
                {"type": "image", "source": {"type": "url", "url": "https://x/"}}]}}),
            json!({"type": "input_file", "file_url": "https://x/"}),
            json!({"type": "file", "file": {"file_id": "file-1"}}),
            json!({"type": "input_audio", "input_audio": {}}),
        ] {
            let found = of(&json!([{"role": "user", "content": [part]}]));
            assert!(matches!(found, Err(CallError::Unsupported { .. })), "{part}: {found:?}");
        }
        let deep = (0..20).fold(json!("x"), |inner, _| json!([{"content": inner}]));
        assert!(matches!(of(&deep), Err(CallError::Malformed(_))));
    }
}
