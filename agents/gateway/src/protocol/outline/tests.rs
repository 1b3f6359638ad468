use super::*;
use crate::protocol::{Cap, ChatCompletions, ClientProtocol as _, Messages, Protocol, Responses};
use serde_json::{Value, json};

fn of(protocol: Protocol, request: &Value) -> Option<Outline> {
    let raw = request.to_string();
    let mut fields = Fields::parse(raw.as_bytes()).unwrap();
    protocol.prepare(&mut fields, Cap { most: 100, field: None }).unwrap().outline
}

fn messages(request: &Value) -> Outline {
    of(&Messages, request).unwrap()
}

/// As Claude Code sends it: the mark of what to cache is on the last turn, whose words are a part then.
fn session(turns: &[&str]) -> Value {
    let last = turns.len() - 1;
    let turn = |(at, words): (usize, &&str)| {
        let role = if at % 2 == 0 { "user" } else { "assistant" };
        let part = json!([{"type": "text", "text": words, "cache_control": {"type": "ephemeral"}}]);
        json!({"role": role, "content": if at == last { part } else { json!(words) }})
    };
    json!({
        "model": "m", "max_tokens": 64_000, "metadata": {"user_id": turns.concat()}, "stream": true,
        "system": [
            {"type": "text", "text": format!("x-anthropic-billing-header: cc_version=2.1.{};", turns[0])},
            {"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral"}},
        ],
        "tools": [{"name": "Bash", "description": "runs", "input_schema": {"type": "object"}}],
        "thinking": {"type": "adaptive"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "messages": turns.iter().enumerate().map(turn).collect::<Vec<_>>(),
    })
}

#[test]
fn a_longer_prompt_begins_with_the_digests_of_the_shorter_one() {
    let (short, long) = (messages(&session(&["a"])), messages(&session(&["a", "b", "c"])));
    assert_eq!(short.prefixes, long.prefixes[..2]);
    assert_eq!((long.prefixes.len(), long.turns.len(), long.preamble), (4, 3, 0));
    let other = messages(&session(&["z", "b", "c"]));
    assert_eq!(other.prefixes[0], long.prefixes[0], "the label of a session is no instruction");
    assert!(other.prefixes[1..].iter().zip(&long.prefixes[1..]).all(|(a, b)| a != b));
    let label = &session(&["a"])["system"][0].to_string();
    assert_eq!(long.apart, label.len() as u64, "and is paid for anew");
}

#[test]
fn what_makes_tokens_is_in_the_digests() {
    let (plain, request) = (messages(&session(&["a"])), session(&["a"]));
    for (at, value) in [
        ("/system/1/text", json!("You are another.")),
        ("/tools/0/description", json!("runs it")),
        ("/tools/0/input_schema/type", json!("string")),
        ("/thinking", json!({"type": "disabled"})),
        ("/messages/0/content/0/text", json!("A")),
        ("/messages/0/role", json!("assistant")),
    ] {
        let mut other = request.clone();
        *other.pointer_mut(at).unwrap() = value;
        assert_ne!(messages(&other).prefixes, plain.prefixes, "{at}");
    }
    let mut more = request.clone();
    more["tool_choice"] = json!({"type": "any"});
    assert_ne!(messages(&more).prefixes, plain.prefixes);
    for (at, value) in [
        ("/model", json!("other")),
        ("/max_tokens", json!(1)),
        ("/metadata", json!({})),
        ("/system/1/cache_control", json!({"type": "ephemeral", "ttl": "1h"})),
    ] {
        let mut other = request.clone();
        *other.pointer_mut(at).unwrap() = value;
        assert_eq!(messages(&other).prefixes, plain.prefixes, "{at}");
    }
}

#[test]
fn pieces_do_not_reach_into_each_other() {
    let of = |content: Value| messages(&json!({"messages": [{"role": "user", "content": content}]})).prefixes;
    let text = |words: &str| json!({"type": "text", "text": words});
    assert_eq!(of(json!("ab")), of(json!([text("ab")])), "words alone are one part");
    assert_ne!(of(json!("ab")), of(json!([text("a"), text("b")])));
    assert_ne!(of(json!([text("a"), text("b")])), of(json!([[text("a")], text("b")])));
    let result = |content: Value| json!([{"type": "tool_result", "tool_use_id": "t", "content": content}]);
    assert_eq!(of(result(json!("x"))), of(result(json!([text("x")]))));
    let marked = json!([{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]);
    assert_eq!(of(result(marked)), of(result(json!("x"))));
    // What only looks like a mark is an argument of a tool.
    let input = |input: Value| of(json!([{"type": "tool_use", "id": "t", "name": "f", "input": input}]));
    assert_ne!(input(json!({"cache_control": 1})), input(json!({})));
}

#[test]
fn instructions_before_the_first_turn_of_a_user_are_told_apart() {
    let item = |kind: &str, role: &str| json!({"type": kind, "role": role, "content": "x"});
    let codex = json!({"input": [item("message", "developer"), item("message", "developer"), item("message", "user"),
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "x"}], "prompt_cache_key": "k"});
    let outline = of(&Responses, &codex).unwrap();
    assert_eq!((outline.preamble, outline.turns.len()), (2, 5));
    assert!(outline.turns[2].is_users() && !outline.turns[4].is_users());
    assert!(!outline.is_seam(1), "two of one kind may reach the model as one");
    assert!([0, 2, 3, 4, 5].into_iter().all(|at| outline.is_seam(at)));
    let chat = json!({"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "y"}]});
    assert_eq!(of(&ChatCompletions, &chat).unwrap().preamble, 1);
    assert_eq!(of(&Responses, &json!({"input": "hi"})).unwrap().turns.len(), 1);
}

#[test]
fn what_is_not_all_in_the_request_has_no_outline() {
    let ask = |field: &str, value: Value| json!({"messages": [{"role": "user", "content": "x"}], "input": "x", field: value});
    for (protocol, request) in [
        (&Messages as Protocol, ask("thread", json!("t"))),
        (&Messages, ask("context_management", json!({"edits": [{"type": "clear_tool_uses_20250919"}]}))),
        (&Messages, ask("context_management", json!({"edits": [], "other": 1}))),
        (&Responses, ask("previous_response_id", json!("r"))),
        (&Responses, ask("truncation", json!("auto"))),
        (&Responses, ask("context_management", json!([{"type": "compaction"}]))),
    ] {
        assert_eq!(of(protocol, &request), None, "{request}");
    }
    assert!(of(&Responses, &ask("truncation", json!("disabled"))).is_some());
    let many: Vec<Value> = (0..=MOST_TURNS).map(|_| json!({"role": "user", "content": ""})).collect();
    assert_eq!(of(&ChatCompletions, &json!({"messages": many})), None);
    let twice = r#"{"messages": [{"role": "user", "content": "x", "x": 1, "x": 2}]}"#;
    let mut fields = Fields::parse(twice.as_bytes()).unwrap();
    assert_eq!(Messages.prepare(&mut fields, Cap { most: 1, field: None }).unwrap().outline, None);
}

#[test]
fn images_belong_to_their_turn() {
    let image = json!([{"type": "image", "source": {"type": "base64", "data": "AAAA"}}]);
    let outline = messages(
        &json!({"messages": [{"role": "user", "content": image}, {"role": "user", "content": "x"}]}),
    );
    assert_eq!(outline.turns.iter().map(|turn| turn.extent.images).collect::<Vec<_>>(), [1, 0]);
}
