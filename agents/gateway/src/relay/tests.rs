use super::*;
use crate::protocol::{ChatCompletions, ClientProtocol, Messages, Protocol, Responses, stated};

/// What the client gets before the settlement, and the relay, for a stream cut into pieces.
fn relay(protocol: &dyn ClientProtocol, forward: bool, stream: &str, piece: usize) -> (String, Relay) {
    let mut relay = Relay::new(protocol.reader(forward));
    let out = stream.as_bytes().chunks(piece).flat_map(|p| relay.feed(p).unwrap()).collect();
    (String::from_utf8(out).unwrap(), relay)
}

const CHAT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}],\"usage\":null}\n\n\
                    data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,\
                    \"prompt_tokens_details\":{\"cached_tokens\":2}}}\n\ndata: [DONE]\n\n";

#[test]
fn chat_usage_is_found_and_kept_from_a_client_that_did_not_ask() {
    for piece in [1, 7, 1000] {
        let (said, relay) = relay(&ChatCompletions, false, CHAT, piece);
        assert!(said.contains("hi") && !said.contains("prompt_tokens") && !said.contains("DONE"), "{said}");
        let usage = relay.usage().unwrap();
        assert_eq!((usage.input_tokens, usage.cached_input_tokens, usage.output_tokens), (7, 2, 3));
        assert_eq!(relay.end(), Some(End::Answered));
        assert_eq!(relay.closing(), b"data: [DONE]\n\n");
    }
    assert!(relay(&ChatCompletions, true, CHAT, 9).0.contains("prompt_tokens"));
}

#[test]
fn a_usage_beside_content_is_passed_on() {
    let mut relay = Relay::new(ChatCompletions.reader(false));
    let event =
        b"data: {\"choices\":[{\"delta\":{}}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\n";
    assert_eq!(relay.feed(event).unwrap(), event);
    relay.feed(b"data: [DONE]\n\n").unwrap();
    assert!(relay.usage().is_some());
}

#[test]
fn a_chats_usage_is_whole_only_when_its_answer_is() {
    let part = |output: u64, finish: Option<&str>| {
        let choice = serde_json::json!({"delta": {"content": "hi"}, "finish_reason": finish});
        let usage = serde_json::json!({"prompt_tokens": 7, "completion_tokens": output});
        format!("data: {}\n\n", serde_json::json!({"choices": [choice], "usage": usage}))
    };
    let bare = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}]}\n\n";
    let alone = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\n";
    let error = "data: {\"error\":{\"message\":\"out of memory\"}}\n\n";
    let done = "data: [DONE]\n\n";
    let (first, second, last) = (part(0, None), part(1, None), part(3, Some("stop")));
    for (stream, want) in [
        (vec![&*first], None),
        (vec![&first, &second], None),
        (vec![&first, &second, &last], Some(3)),
        (vec![&first, &second, &last, alone, done], Some(3)),
        (vec![&first, &second, done], Some(1)),
        (vec![bare, alone], Some(3)),
        (vec![bare, &last, bare], None),
        (vec![bare, &last, bare, done], Some(3)),
        (vec![&first, bare, bare], None),
        (vec![&first, bare, done], None),
        (vec![&first, &second, error, done], None),
        (vec![alone, bare], None),
        (vec![bare, done], None),
    ] {
        let (_, relay) = relay(&ChatCompletions, true, &stream.concat(), 5000);
        assert_eq!(relay.usage().map(|u| u.output_tokens), want, "{stream:?}");
    }
}

const RESPONSES: &str = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"error\":null,\
    \"usage\":null}}\n\nevent: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\
    \"say response.completed \\\"error\\\"\"}\n\nevent: response.completed\ndata: {\"type\":\"response.completed\",\
    \"response\":{\"usage\":{\"input_tokens\":9,\"input_tokens_details\":{\"cached_tokens\":4},\
    \"output_tokens\":5}}}\n\n";

#[test]
fn the_event_that_completes_a_response_waits_for_its_settlement() {
    for piece in [1, 13, 5000] {
        let (said, relay) = relay(&Responses, true, RESPONSES, piece);
        assert!(said.contains("say response.completed") && said.contains("response.created"), "{said}");
        assert!(!said.contains("event: response.completed"), "{said}");
        let usage = relay.usage().unwrap();
        assert_eq!((usage.input_tokens, usage.cached_input_tokens, usage.output_tokens), (9, 4, 5));
        assert_eq!(relay.end(), Some(End::Answered));
        assert!(String::from_utf8(relay.closing()).unwrap().starts_with("event: response.completed\ndata: "));
    }
    let failed = "data: {\"type\":\"response.failed\",\"response\":{\"usage\":null}}\n\n";
    let (_, relay) = relay(&Responses, true, failed, 50);
    assert_eq!((relay.end(), relay.usage()), (Some(End::Failed), None));
}

const MESSAGES: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":10,\
    \"cache_read_input_tokens\":100,\"cache_creation_input_tokens\":30,\"cache_creation\":{\
    \"ephemeral_5m_input_tokens\":20,\"ephemeral_1h_input_tokens\":10},\"output_tokens\":1}}}\n\n\
    event: ping\ndata: {\"type\":\"ping\"}\n\n\
    event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"message_stop\"}}\n\n\
    event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\
    \"usage\":{\"input_tokens\":0,\"output_tokens\":42}}\n\n\
    event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

#[test]
fn a_messages_usage_is_whole_only_when_its_answer_is() {
    for piece in [1, 11, 5000] {
        let (said, relay) = relay(&Messages, true, MESSAGES, piece);
        assert!(said.contains("event: ping") && said.contains("message_delta"), "{said}");
        assert!(!said.contains("event: message_stop"), "{said}");
        let want = Usage {
            input_tokens: 140,
            cached_input_tokens: 100,
            cache_write_tokens: 20,
            long_cache_write_tokens: 10,
            output_tokens: 42,
        };
        assert_eq!(relay.usage(), Some(want));
        assert_eq!(relay.closing(), b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    }
    // What was counted before the stop reason is not what the answer costs.
    let half = MESSAGES.split("event: message_delta").next().unwrap();
    let (_, half) = relay(&Messages, true, half, 5000);
    assert_eq!((half.end(), half.usage()), (None, None));
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n";
    assert_eq!(relay(&Messages, true, error, 7).1.end(), Some(End::Failed));
}

#[test]
fn a_whole_answer_states_its_usage_in_its_own_words() {
    let of = |protocol: Protocol, text: &str| {
        stated(protocol, text.as_bytes())
            .unwrap()
            .map(|u| (u.input_tokens, u.cached_input_tokens, u.output_tokens))
    };
    let input = r#"{"usage": {"input_tokens": 5, "output_tokens": 3}}"#;
    assert_eq!(of(&Responses, input), Some((5, 0, 3)));
    assert_eq!(of(&Messages, input), Some((5, 0, 3)));
    assert_eq!(of(&ChatCompletions, input), None);
    assert_eq!(of(&Responses, r#"{"usage": null}"#), None);
    assert_eq!(of(&Responses, " {}\n"), None);
    let written = r#"{"usage": {"input_tokens": 50, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 7,
        "cache_write_tokens": 30, "cache_write_tokens_details": {"ttl_12h_tokens": 10, "ttl_30m_tokens": 20}}}}"#;
    let usage = stated(&Responses, written.as_bytes()).unwrap().unwrap();
    assert_eq!((usage.input_tokens, usage.cached_input_tokens), (50, 7));
    assert_eq!((usage.cache_write_tokens, usage.long_cache_write_tokens), (20, 10));
    let compacted = r#"{"usage": {"input_tokens": 5, "output_tokens": 3, "iterations": [
        {"type": "message", "input_tokens": 5, "output_tokens": 3},
        {"type": "compaction", "input_tokens": 100, "cache_read_input_tokens": 10, "output_tokens": 20}]}}"#;
    assert_eq!(
        of(&Messages, compacted),
        Some((115, 10, 23)),
        "compactions are charged beside what is stated"
    );
    let cached = r#"{"usage": {"input_tokens": 5, "cache_read_input_tokens": 7, "cache_creation_input_tokens": null, "output_tokens": 3}}"#;
    assert_eq!(of(&Messages, cached), Some((12, 7, 3)));
}

#[test]
fn what_is_not_one_whole_object_is_no_answer() {
    for text in [
        "",
        " \n",
        "<!doctype html><html></html>",
        "null",
        "\"busy\"",
        "[{\"input_tokens\": 5, \"output_tokens\": 3}]",
        "{\"choices\": [], \"usage\": {\"prompt_tokens\": 7, \"completion_to",
        "{\"usage\": null} {\"usage\": null}",
    ] {
        for protocol in [&ChatCompletions as Protocol, &Responses, &Messages] {
            let why = stated(protocol, text.as_bytes()).unwrap_err();
            assert!(why.contains(&format!("{} bytes", text.len())), "{text}: {why}");
        }
    }
}
