use super::*;
use crate::protocol::{ChatCompletions, Embeddings, Messages, Responses};
use proptest::prelude::*;
use serde_json::{Value, json};

fn model() -> ModelSpec {
    ModelSpec {
        name: "standard".into(),
        upstream_name: None,
        context_window: 1000,
        max_output_tokens: 100,
        input_micro_usd_per_mtoken: Some(1_000_000),
        output_micro_usd_per_mtoken: Some(4_000_000),
        ..ModelSpec::default()
    }
}

fn request(protocol: Protocol, raw: &[u8], model: ModelSpec) -> Request {
    let raw = Bytes::copy_from_slice(raw);
    Request {
        protocol,
        raw,
        provider: "golden-system/shared".into(),
        model: Arc::new(model),
        cap_field: None,
    }
}

fn of(request: &Value) -> Result<Plan, CallError> {
    speaking(&ChatCompletions, request)
}

fn speaking(protocol: Protocol, ask: &Value) -> Result<Plan, CallError> {
    plan(&request(protocol, ask.to_string().as_bytes(), model()), None)
}

fn sent(plan: &Plan) -> Value {
    serde_json::from_slice(&plan.body).unwrap()
}

fn ask() -> Value {
    json!({"model": "whatever", "messages": [{"role": "user", "content": "hi"}], "seed": 7, "x_own": {"a": 1}})
}

#[test]
fn the_model_is_the_bindings_and_unknown_fields_pass() {
    let planned = of(&ask()).unwrap();
    let sent = sent(&planned);
    assert_eq!(
        (&sent["model"], &sent["seed"], &sent["x_own"]),
        (&json!("standard"), &json!(7), &json!({"a": 1}))
    );
    assert!(!planned.stream && planned.forward_usage);
    let renamed = ModelSpec { upstream_name: Some("vendor-large".into()), ..model() };
    let raw = ask().to_string();
    let renamed = plan(&request(&ChatCompletions, raw.as_bytes(), renamed), None).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&renamed.body).unwrap()["model"], "vendor-large");
}

#[test]
fn the_output_is_capped_in_the_field_the_client_used() {
    for (field, asked, want) in
        [("max_tokens", 5000, 100), ("max_completion_tokens", 5000, 100), ("max_tokens", 7, 7)]
    {
        let mut request = ask();
        request[field] = json!(asked);
        let plan = of(&request).unwrap();
        assert_eq!((plan.max_output, &sent(&plan)[field]), (want, &json!(want)));
    }
    let plain = of(&ask()).unwrap();
    assert_eq!((plain.max_output, &sent(&plain)["max_tokens"]), (100, &json!(100)));
}

#[test]
fn a_cap_goes_out_in_the_one_field_that_the_provider_takes() {
    use golden_crds::model_provider::OutputCapField::{MaxCompletionTokens, MaxTokens};
    let (newer, older) = ("max_completion_tokens", "max_tokens");
    for (taken, named, want) in [
        (MaxCompletionTokens, json!({older: 7}), json!({newer: 7})),
        (MaxCompletionTokens, json!({older: 5000}), json!({newer: 100})),
        (MaxCompletionTokens, json!({newer: 7}), json!({newer: 7})),
        (MaxCompletionTokens, json!({newer: 9, older: 7}), json!({newer: 7})),
        (MaxCompletionTokens, json!({newer: 7, older: 5000}), json!({newer: 7})),
        (MaxCompletionTokens, json!({older: null}), json!({newer: 100})),
        (MaxCompletionTokens, json!({}), json!({newer: 100})),
        (MaxTokens, json!({newer: 7}), json!({older: 7})),
        (MaxTokens, json!({newer: 7, older: null}), json!({older: 7})),
        (MaxTokens, json!({}), json!({older: 100})),
    ] {
        let mut ask = ask();
        ask.as_object_mut().unwrap().extend(named.as_object().unwrap().clone());
        let request = request(&ChatCompletions, ask.to_string().as_bytes(), model());
        let planned = plan(&Request { cap_field: Some(taken), ..request }, None).unwrap();
        let mut sent = sent(&planned);
        sent.as_object_mut().unwrap().retain(|field, _| field == newer || field == older);
        assert_eq!(sent, want, "{taken:?} {named}");
        let field = want.as_object().unwrap().values().next().unwrap();
        assert_eq!(Some(planned.max_output), field.as_u64(), "what is reserved is what is asked for");
    }
}

#[test]
fn the_bound_counts_every_byte_up_to_the_context_window() {
    let small = of(&ask()).unwrap();
    assert_eq!(small.max_input, small.body.len() as u64);
    assert_eq!(small.bound.tokens, i64::try_from(small.body.len()).unwrap() + 100);
    assert_eq!(small.bound.cost.0, i64::try_from(small.body.len()).unwrap() + 400);
    let mut large = ask();
    large["messages"][0]["content"] = json!("x".repeat(5000));
    assert_eq!(of(&large).unwrap().max_input, 1000);
}

#[test]
fn usage_is_always_asked_for_and_passed_on_only_when_wanted() {
    let mut request = ask();
    request["stream"] = json!(true);
    let quiet = of(&request).unwrap();
    assert_eq!((quiet.stream, quiet.forward_usage), (true, false));
    assert_eq!(sent(&quiet)["stream_options"], json!({"include_usage": true}));
    request["stream_options"] = json!({"include_usage": true});
    assert!(of(&request).unwrap().forward_usage);
}

#[test]
fn what_has_no_price_is_refused() {
    let mut free = model();
    free.output_micro_usd_per_mtoken = None;
    let error = plan(&request(&ChatCompletions, ask().to_string().as_bytes(), free), None).unwrap_err();
    assert_eq!(error.classify().2, "model_unpriced");
    for (field, value) in [
        ("n", json!(2)),
        ("web_search_options", json!({})),
        ("audio", json!({"voice": "x"})),
        ("service_tier", json!("priority")),
        (
            "messages",
            json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}]),
        ),
    ] {
        let mut request = ask();
        request[field] = value;
        let error = of(&request).unwrap_err();
        assert_eq!(error.classify().2, "unsupported", "{field}");
    }
}

#[test]
fn a_malformed_request_is_told_apart() {
    for raw in ["", "[]", "{}", r#"{"messages": 3}"#, r#"{"messages": [], "max_tokens": -1}"#] {
        let error = plan(&request(&ChatCompletions, raw.as_bytes(), model()), None).unwrap_err();
        assert_eq!(error.classify().2, "malformed", "{raw}");
    }
}

#[test]
fn the_same_bytes_have_the_same_request_hash() {
    let mut other = ask();
    other["seed"] = json!(8);
    assert_eq!(of(&ask()).unwrap().request_hash, of(&ask()).unwrap().request_hash);
    assert_ne!(of(&ask()).unwrap().request_hash, of(&other).unwrap().request_hash);
    assert_eq!(of(&ask()).unwrap().prompt_digest, of(&other).unwrap().prompt_digest);
}

#[test]
fn each_protocol_is_capped_in_its_own_field() {
    let input = json!({"model": "x", "input": "hi", "tools": [{"type": "function", "name": "f"}]});
    let messages = json!({"model": "x", "messages": [{"role": "user", "content": "hi"}]});
    for (protocol, ask, field) in [
        (&Responses as Protocol, input, "max_output_tokens"),
        (&Messages as Protocol, messages, "max_tokens"),
    ] {
        for (asked, want) in [(json!(null), 100), (json!(64_000), 100), (json!(7), 7)] {
            let mut ask = ask.clone();
            ask[field] = asked;
            let plan = speaking(protocol, &ask).unwrap();
            assert_eq!((plan.max_output, &sent(&plan)[field]), (want, &json!(want)), "{field}");
        }
        let mut wrong = ask.clone();
        wrong[field] = json!("many");
        assert_eq!(speaking(protocol, &wrong).unwrap_err().classify().2, "malformed");
    }
    let embedded = speaking(&Embeddings, &json!({"input": ["a", "b"], "dimensions": 8})).unwrap();
    assert_eq!(
        (embedded.max_output, embedded.bound.tokens),
        (0, i64::try_from(embedded.body.len()).unwrap())
    );
}

#[test]
fn what_the_provider_tells_its_model_about_tools_is_in_the_bound() {
    let beyond = |protocol: Protocol, kind: &str| {
        let tools = json!([{"type": kind, "name": "x"}]);
        let ask = json!({"messages": [], "input": "", "tools": tools});
        let large = ModelSpec { context_window: 200_000, ..model() };
        let plan = plan(&request(protocol, ask.to_string().as_bytes(), large), None).unwrap();
        plan.max_input - plan.body.len() as u64
    };
    assert_eq!(beyond(&ChatCompletions, "function"), 0);
    assert_eq!(beyond(&Responses, "function"), 0);
    assert_eq!(beyond(&Messages, "custom"), 1_024);
    assert!(beyond(&Messages, "bash_20250124") > 245 + 530, "of 39 bytes");
    assert!(beyond(&Responses, "local_shell") > 1_000);
}

#[test]
fn what_the_gateway_does_not_change_is_sent_byte_for_byte() {
    let raw = r#"{"input":[{"role":"user","content":[{"type":"input_image","image_url":"data:image\/png;base64,iVBOR+\u002f=="}]}],"x": 1.0e2,"model":"m","max_output_tokens":5}"#;
    let plan = plan(&request(&Responses, raw.as_bytes(), model()), None).unwrap();
    let want = raw.replace(r#""model":"m""#, r#""model":"standard""#).replace("\"x\": 1", "\"x\":1");
    assert_eq!(std::str::from_utf8(&plan.body).unwrap(), want);
}

#[test]
fn an_image_is_paid_for_up_to_its_protocols_most_and_a_file_up_to_the_window() {
    let large = ModelSpec { context_window: 200_000, ..model() };
    let of = |protocol: Protocol, ask: &Value| {
        let plan = plan(&request(protocol, ask.to_string().as_bytes(), large.clone()), None).unwrap();
        plan.max_input - if plan.max_input == 200_000 { 0 } else { plan.body.len() as u64 }
    };
    let source = json!({"type": "base64", "media_type": "image/png", "data": "AAAA"});
    let part =
        |kind: &str| json!({"messages": [{"role": "user", "content": [{"type": kind, "source": source}]}]});
    assert_eq!(of(&Messages, &part("image")), ANTHROPIC_IMAGE);
    assert_eq!(of(&Messages, &part("document")), 200_000);
    let image =
        json!({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:x"}]}]});
    assert_eq!(of(&Responses, &image), OPENAI_IMAGE);
    assert_eq!(of(&Responses, &json!({"input": "go on", "previous_response_id": "resp_1"})), 200_000);
}

#[test]
fn thinking_fits_the_cap_that_it_is_part_of() {
    let large = ModelSpec { context_window: 100_000, max_output_tokens: 8_000, ..model() };
    let ask = json!({"messages": [], "max_tokens": 64_000, "thinking": {"type": "enabled", "budget_tokens": 31_999}});
    let plan = |limit| plan(&request(&Messages, ask.to_string().as_bytes(), large.clone()), limit);
    assert_eq!(sent(&plan(None).unwrap())["thinking"], json!({"type": "enabled", "budget_tokens": 4_000}));
    assert_eq!(sent(&plan(Some(1_500)).unwrap())["thinking"]["budget_tokens"], 1_024);
    assert_eq!(plan(Some(1_024)).unwrap_err().classify().2, "unsupported");
}

fn generous() -> ModelSpec {
    ModelSpec { context_window: 200_000, max_output_tokens: 64_000, ..model() }
}

#[test]
fn what_cannot_be_paid_in_full_is_made_with_the_output_that_can_be() {
    let request = request(&ChatCompletions, ask().to_string().as_bytes(), generous());
    let whole = Arc::new(plan(&request, None).unwrap());
    let Amount { cost, tokens } = whole.bound;
    // Output costs 4 micro-USD a token here.
    let less = fitted(&request, &whole, Amount::new(cost.0 - 200_000, tokens)).unwrap();
    assert_eq!(less.max_output, 64_000 - 50_000);
    assert_eq!(sent(&less)["max_tokens"], 14_000);
    assert_eq!(less.request_hash, whole.request_hash, "it is the same call");
    assert_eq!(less.outline, whole.outline, "and the same prompt");
    let by_tokens = fitted(&request, &whole, Amount::new(cost.0, tokens - 59_000)).unwrap();
    assert_eq!(by_tokens.max_output, 5_000);
    assert_eq!(fitted(&request, &whole, whole.least).unwrap().max_output, LEAST_OUTPUT);
    assert!(Arc::ptr_eq(&fitted(&request, &whole, whole.bound).unwrap(), &whole));
    assert!(fitted(&request, &whole, Amount::ZERO).is_none(), "not even its prompt");
}

#[test]
fn the_least_is_the_whole_of_a_call_that_asks_for_little() {
    let asked = |most: u64| {
        let mut ask = ask();
        ask["max_tokens"] = json!(most);
        plan(&request(&ChatCompletions, ask.to_string().as_bytes(), generous()), None).unwrap()
    };
    let small = asked(100);
    assert_eq!(small.least, small.bound);
    let large = asked(10_000);
    assert_eq!(large.bound.cost.0 - large.least.cost.0, 4 * (10_000 - 4_096));
}

#[test]
fn what_is_known_of_a_prompt_takes_the_place_of_its_bytes_if_it_is_less() {
    let request = request(&ChatCompletions, ask().to_string().as_bytes(), generous());
    let plan = plan(&request, None).unwrap();
    let known = plan.clone().within(10);
    assert_eq!((known.max_input, known.bound.cost.0), (10, 10 + 4 * 64_000));
    assert_eq!(known.least.tokens, 10 + 4_096);
    assert_eq!(plan.clone().within(100_000), plan);
    let whole = Arc::new(known);
    let less = fitted(&request, &whole, whole.least).unwrap();
    assert_eq!((less.max_input, less.bound), (10, whole.least), "also with less output");
}

#[test]
fn anthropics_cache_has_its_own_prices_and_what_is_not_asked_for_is_not_reserved() {
    let ask = |ttl: Option<&str>| {
        let mark = ttl.map(|ttl| json!({"type": "ephemeral", "ttl": ttl}));
        json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": mark}]}],
               "max_tokens": 1})
    };
    let of = |spec: ModelSpec, ask: &Value| {
        plan(&request(&Messages, ask.to_string().as_bytes(), spec), None).unwrap()
    };
    for (ttl, quarters) in [(None, 4), (Some("5m"), 5), (Some("1h"), 8)] {
        let plan = of(model(), &ask(ttl));
        let want = (quarters * i64::try_from(plan.body.len()).unwrap()).unsigned_abs().div_ceil(4) + 4;
        assert_eq!(plan.bound.cost.0.unsigned_abs(), want, "{ttl:?}");
        let reported = (plan.prices.cache_write, plan.prices.long_cache_write);
        assert_eq!(reported, (Some(1_250_000), Some(2_000_000)), "what is reported counts all the same");
        assert_eq!(plan.prices.cached_input, None);
    }
    let free = ModelSpec {
        cached_input_micro_usd_per_mtoken: Some(100_000),
        cache_write_micro_usd_per_mtoken: Some(0),
        long_cache_write_micro_usd_per_mtoken: Some(0),
        ..model()
    };
    let own = of(free, &ask(Some("1h")));
    assert_eq!(own.bound.cost.0, i64::try_from(own.body.len()).unwrap() + 4, "no lower than other input");
    assert_eq!(own.prices.cached_input, Some(100_000));
    assert_eq!(speaking(&ChatCompletions, &ask(None)).unwrap().prices.cache_write, None);
    // Of OpenAI's protocol the client does not say what is written: what has a price is reserved for.
    let dear = ModelSpec { cache_write_micro_usd_per_mtoken: Some(3_000_000), ..model() };
    let chat = plan(&request(&ChatCompletions, ask(None).to_string().as_bytes(), dear), None).unwrap();
    assert_eq!(chat.bound.cost.0, 3 * i64::try_from(chat.body.len()).unwrap() + 4);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_call_that_is_paid_in_part_costs_no_more_than_that(part in 0.0..=1.0f64, known in proptest::option::of(0u64..100), free in any::<bool>()) {
        let price = if free { 0 } else { 4_000_001 };
        let spec = ModelSpec { output_micro_usd_per_mtoken: Some(price), ..generous() };
        let request = request(&ChatCompletions, ask().to_string().as_bytes(), spec);
        let whole = Arc::new(plan(&request, None).unwrap().within(known.unwrap_or(u64::MAX)));
        let (least, most) = (whole.least, whole.bound);
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
        let at = |least: i64, most: i64| least + ((most - least) as f64 * part) as i64;
        let granted = Amount::new(at(least.cost.0, most.cost.0), at(least.tokens, most.tokens));
        let paid = fitted(&request, &whole, granted).unwrap();
        prop_assert!(paid.bound.cost <= granted.cost && paid.bound.tokens <= granted.tokens);
        prop_assert!((LEAST_OUTPUT..=64_000).contains(&paid.max_output));
        prop_assert_eq!(&sent(&paid)["max_tokens"], paid.max_output);
    }
}

#[test]
fn what_a_protocol_charges_apart_is_refused() {
    let messages = |field: &str, value: Value| json!({"messages": [], field: value});
    let input = |field: &str, value: Value| json!({"input": "hi", field: value});
    for (protocol, ask) in [
        (&Messages as Protocol, messages("speed", json!("fast"))),
        (&Messages, messages("inference_geo", json!("us"))),
        (&Messages, messages("mcp_servers", json!([{"url": "https://x"}]))),
        (&Messages, messages("container", json!("c"))),
        (&Messages, messages("fallbacks", json!("default"))),
        (&Messages, messages("billing_policy", json!({"bill_to": "user_profile"}))),
        (&Messages, messages("context_management", json!({"edits": [{"type": "compact_20260112"}]}))),
        (&Responses, input("background", json!(true))),
        (&Responses, input("conversation", json!("conv_1"))),
        (&Responses, input("prompt", json!({"id": "p"}))),
        (&Responses, input("service_tier", json!("priority"))),
        (&Responses, input("tools", json!([{"type": "web_search"}]))),
    ] {
        assert_eq!(speaking(protocol, &ask).unwrap_err().classify().2, "unsupported", "{ask}");
    }
    let codex = json!({"input": "hi", "tool_choice": "auto", "tools": [{"type": "function"}, {"type": "web_search"}]});
    let plan = speaking(&Responses, &codex).unwrap();
    assert_eq!(plan.withheld, ["web_search"]);
    assert_eq!(sent(&plan)["tools"], json!([{"type": "function"}]));
    assert!(speaking(&Messages, &messages("mcp_servers", json!([]))).is_ok());
    let clearing = json!({"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]});
    assert!(speaking(&Messages, &messages("context_management", clearing)).is_ok());
}
