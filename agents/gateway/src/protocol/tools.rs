//! Tools that the provider runs by itself. They have prices of their own and reach networks that the task may not, so
//! they are withheld: agent command lines offer them by default and work without. A call that is about nothing else
//! is refused instead.

use super::fields::Fields;
use crate::error::CallError;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Names listed in an answer's header, and bytes of each.
const MOST_NAMED: usize = 8;
const LONGEST_NAME: usize = 64;

#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<Cow<'a, str>>,
    /// Of a namespace: the tools in it.
    #[serde(borrow, default)]
    tools: Option<Vec<Tool<'a>>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
}

/// The most tokens of one tool whose form the provider defines. Anthropic documents 1,234 for the largest, its prompt for
/// it included.
const DEFINED: u64 = 2_048;
/// Of what the provider tells its model about using tools at all. Anthropic documents 530 at most.
const TOLD: u64 = 1_024;

/// Tokens of tools that the request's bytes do not bound: of each that is not `described` in the request itself (known by
/// type), and of how to use tools, where the protocol has them `told`.
pub(crate) fn untold(
    request: &Fields<'_>,
    described: fn(&str) -> bool,
    told: bool,
) -> Result<u64, CallError> {
    let Some(raw) = request.raw("tools") else { return Ok(0) };
    let list: Vec<Tool<'_>> = read(raw)?;
    let defined = list.iter().map(|tool| defined(tool, described)).sum::<u64>();
    let told = if told && !list.is_empty() { TOLD } else { 0 };
    Ok(defined.saturating_mul(DEFINED).saturating_add(told))
}

fn defined(tool: &Tool<'_>, described: fn(&str) -> bool) -> u64 {
    let inner = tool.tools.iter().flatten().map(|tool| defined(tool, described)).sum::<u64>();
    inner + u64::from(!described(tool.kind.as_deref().unwrap_or_default()))
}

/// Takes the tools out of `tools` that are not `ours` (run by the client, known by type). Says which.
pub(crate) fn withhold(request: &mut Fields<'_>, ours: fn(&str) -> bool) -> Result<Vec<String>, CallError> {
    let Some(raw) = request.raw("tools") else { return Ok(Vec::new()) };
    let list: Vec<&RawValue> = read(raw)?;
    let mut kept = Vec::with_capacity(list.len());
    let mut withheld: Vec<String> = Vec::new();
    for raw in list {
        let tool: Tool<'_> = read(raw)?;
        if is_ours(&tool, ours, 0) {
            kept.push(raw.get());
        } else {
            withheld.push(shown(tool.kind.as_deref().unwrap_or_default()));
        }
    }
    if withheld.is_empty() {
        return Ok(withheld);
    }
    if kept.is_empty() || is_forced(request, &withheld)? {
        return Err(CallError::Unsupported {
            field: format!("the tool {}", withheld.join(", ")),
            why: "the provider runs it itself, at a price of its own and on networks that the task may not reach"
                .into(),
        });
    }
    let kept = format!("[{}]", kept.join(","));
    request.set_raw("tools", kept)?;
    withheld.dedup();
    withheld.truncate(MOST_NAMED);
    Ok(withheld)
}

fn is_ours(tool: &Tool<'_>, ours: fn(&str) -> bool, depth: usize) -> bool {
    let inner = tool.tools.iter().flatten();
    depth < 4
        && ours(tool.kind.as_deref().unwrap_or_default())
        && inner.into_iter().all(|t| is_ours(t, ours, depth + 1))
}

/// Whether the request insists on a withheld tool, by its type or by the name that its type begins with.
fn is_forced(request: &Fields<'_>, withheld: &[String]) -> Result<bool, CallError> {
    let Some(raw) = request.raw("tool_choice").filter(|raw| raw.get().starts_with('{')) else {
        return Ok(false);
    };
    let choice: Choice<'_> = read(raw)?;
    let wanted = [choice.kind, choice.name].into_iter().flatten();
    Ok(wanted.into_iter().any(|wanted| withheld.iter().any(|kind| kind.starts_with(wanted.as_ref()))))
}

/// A type as it may stand in a header.
fn shown(kind: &str) -> String {
    kind.chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        .take(LONGEST_NAME)
        .collect()
}

fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, CallError> {
    serde_json::from_str(raw.get()).map_err(|e| CallError::Malformed(format!("tools: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn ours(kind: &str) -> bool {
        matches!(kind, "function" | "namespace")
    }

    fn of(request: &Value) -> Result<(Vec<String>, Value), CallError> {
        let raw = request.to_string();
        let mut fields = Fields::parse(raw.as_bytes()).unwrap();
        let withheld = withhold(&mut fields, ours)?;
        Ok((withheld, serde_json::from_slice(&fields.render()).unwrap()))
    }

    #[test]
    fn the_providers_own_tools_are_withheld_and_the_others_pass_in_order() {
        let functions = json!({"type": "namespace", "tools": [{"type": "function", "name": "b"}]});
        let (withheld, sent) = of(&json!({"tool_choice": "auto", "tools": [
            {"type": "function", "name": "a"}, {"type": "web_search"}, functions,
            {"type": "namespace", "tools": [{"type": "mcp", "server_url": "https://x"}]}]}))
        .unwrap();
        assert_eq!(withheld, ["web_search", "namespace"]);
        assert_eq!(sent["tools"], json!([{"type": "function", "name": "a"}, functions]));
        assert_eq!(of(&json!({"tools": [functions]})).unwrap().0, Vec::<String>::new());
    }

    #[test]
    fn tools_that_the_provider_describes_to_its_model_are_counted() {
        let of = |tools: Value| {
            let raw = json!({"tools": tools}).to_string();
            untold(&Fields::parse(raw.as_bytes()).unwrap(), ours, true).unwrap()
        };
        assert_eq!(of(json!(null)), 0);
        assert_eq!(of(json!([])), 0);
        assert_eq!(of(json!([{"type": "function", "name": "f"}])), TOLD);
        let inner = json!({"type": "namespace", "tools": [{"type": "function"}, {"type": "bash_1"}]});
        assert_eq!(of(json!([inner, {"type": "computer_1"}])), TOLD + 2 * DEFINED);
        let raw = json!({"tools": [{"type": "function"}]}).to_string();
        assert_eq!(untold(&Fields::parse(raw.as_bytes()).unwrap(), ours, false).unwrap(), 0);
    }

    #[test]
    fn a_call_that_is_about_such_a_tool_is_refused() {
        for request in [
            json!({"tools": [{"type": "web_search"}]}),
            json!({"tools": [{"type": "function"}, {"type": "web_search_2025"}], "tool_choice": {"type": "tool", "name": "web_search"}}),
        ] {
            assert!(matches!(of(&request), Err(CallError::Unsupported { .. })), "{request}");
        }
        assert!(matches!(of(&json!({"tools": 3})), Err(CallError::Malformed(_))));
    }
}
