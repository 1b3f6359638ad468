//! What is sent upstream and what it can cost at most. Pure.
//!
//! The bound is true, not likely: a token is at least one byte of the request's body (its JSON framing is
//! longer than the model's own), the prompt fits the context window or is refused by the provider, and the
//! output is capped in the request itself. Whatever a provider charges beyond prompt and output is refused.

use crate::error::CallError;
use golden_crds::model_provider::ModelSpec;
use golden_ledger::{Amount, Prices, bound, request_hash};
use serde_json::{Map, Value, json};

/// Largest body of a request, in bytes.
pub(crate) const MAX_BODY: usize = 8 * 1024 * 1024;

/// A call, ready to be paid and sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    /// The request as the provider gets it.
    pub body: Vec<u8>,
    pub stream: bool,
    /// Whether the client itself asked for the usage of a stream.
    pub forward_usage: bool,
    /// Digest of the request as the client sent it: the same for a client that sends again.
    pub request_hash: String,
    /// Digest of the messages alone.
    pub prompt_digest: String,
    pub prices: Prices,
    /// The most it can use.
    pub bound: Amount,
    pub max_input: u64,
    pub max_output: u64,
}

/// Fields that a provider charges for beyond prompt and output, or under another price.
const UNPRICED: [(&str, &str); 4] = [
    ("web_search_options", "searches have a price of their own"),
    ("audio", "only text is priced"),
    ("prediction", "rejected predictions are charged beyond the cap"),
    ("functions", "use tools"),
];

/// Plans a call of `model`. `modern_cap`: the provider wants `max_completion_tokens` where the client names no cap.
pub(crate) fn plan(
    raw: &[u8],
    provider: &str,
    model: &ModelSpec,
    modern_cap: bool,
) -> Result<Plan, CallError> {
    let malformed = |why: &str| CallError::Malformed(why.to_owned());
    let mut request: Map<String, Value> =
        serde_json::from_slice(raw).map_err(|e| CallError::Malformed(e.to_string()))?;
    let prices = prices(provider, model)?;
    let messages = request.get("messages").ok_or_else(|| malformed("messages are missing"))?;
    let messages = messages.as_array().ok_or_else(|| malformed("messages must be a list"))?;
    messages.iter().try_for_each(only_text)?;
    let prompt_digest = request_hash(Value::from(messages.clone()).to_string().as_bytes());
    refuse_unpriced(&request)?;
    let stream = request.get("stream").is_some_and(|s| s == true);
    let upstream = model.upstream_name.as_ref().unwrap_or(&model.name);
    request.insert("model".into(), upstream.clone().into());
    let max_output = cap(&mut request, model, modern_cap)?;
    let forward_usage = if stream { ask_usage(&mut request) } else { true };
    let body = Value::Object(request).to_string().into_bytes();
    let max_input = (body.len() as u64).min(tokens(model.context_window));
    let bound = bound(max_input, max_output, &prices).map_err(|e| CallError::Provider {
        namespace: String::new(),
        name: provider.to_owned(),
        why: format!("cannot be priced: {e}"),
    })?;
    let request_hash = request_hash(raw);
    Ok(Plan {
        body,
        stream,
        forward_usage,
        request_hash,
        prompt_digest,
        prices,
        bound,
        max_input,
        max_output,
    })
}

fn prices(provider: &str, model: &ModelSpec) -> Result<Prices, CallError> {
    match (model.input_micro_usd_per_mtoken, model.output_micro_usd_per_mtoken) {
        (Some(input), Some(output)) => Ok(Prices { input, output, cached_input: None }),
        _ => Err(CallError::Unpriced { provider: provider.to_owned(), model: model.name.clone() }),
    }
}

/// Images, sounds and files cost tokens that their bytes do not bound.
fn only_text(message: &Value) -> Result<(), CallError> {
    let parts = message.get("content").and_then(Value::as_array);
    match parts.into_iter().flatten().find(|p| !matches!(kind(p), "text" | "refusal")) {
        None => Ok(()),
        Some(part) => Err(CallError::Unsupported {
            field: format!("a message part of type {:?}", kind(part)),
            why: "this version prices text only".into(),
        }),
    }
}

fn kind(part: &Value) -> &str {
    part.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn refuse_unpriced(request: &Map<String, Value>) -> Result<(), CallError> {
    let unsupported =
        |field: &str, why: &str| Err(CallError::Unsupported { field: field.to_owned(), why: why.to_owned() });
    for (field, why) in UNPRICED {
        if request.get(field).is_some_and(|v| !v.is_null()) {
            return unsupported(field, why);
        }
    }
    for field in ["n", "best_of"] {
        if request.get(field).is_some_and(|n| !n.is_null() && n != 1) {
            return unsupported(field, "send one call per answer, each is paid by itself");
        }
    }
    match request.get("service_tier").and_then(Value::as_str) {
        None | Some("auto" | "default" | "flex") => Ok(()),
        Some(_) => unsupported("service_tier", "other tiers have other prices"),
    }
}

/// Lowers the request's own cap to the model's, in the field it is written in.
fn cap(request: &mut Map<String, Value>, model: &ModelSpec, modern: bool) -> Result<u64, CallError> {
    let most = tokens(model.max_output_tokens).min(tokens(model.context_window));
    let mut capped = None;
    for field in ["max_completion_tokens", "max_tokens"] {
        let Some(value) = request.get(field).filter(|v| !v.is_null()) else {
            continue;
        };
        let asked =
            value.as_u64().ok_or_else(|| CallError::Malformed(format!("{field} must be a whole number")))?;
        let allowed = asked.min(most);
        request.insert(field.into(), allowed.into());
        // Where both are named, the provider may follow either.
        capped = Some(capped.unwrap_or(0).max(allowed));
    }
    if capped.is_none() {
        let field = if modern { "max_completion_tokens" } else { "max_tokens" };
        request.insert(field.into(), most.into());
    }
    Ok(capped.unwrap_or(most))
}

/// Makes a stream end with its usage; says whether the client had asked for it.
fn ask_usage(request: &mut Map<String, Value>) -> bool {
    let options = request.entry("stream_options").or_insert_with(|| json!({}));
    let asked = options.get("include_usage").is_some_and(|v| v == true);
    match options.as_object_mut() {
        Some(fields) => drop(fields.insert("include_usage".into(), true.into())),
        None => *options = json!({"include_usage": true}),
    }
    asked
}

fn tokens(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> ModelSpec {
        ModelSpec {
            name: "standard".into(),
            upstream_name: None,
            context_window: 1000,
            max_output_tokens: 100,
            input_micro_usd_per_mtoken: Some(1_000_000),
            output_micro_usd_per_mtoken: Some(4_000_000),
        }
    }

    fn of(request: &Value) -> Result<Plan, CallError> {
        plan(request.to_string().as_bytes(), "shared", &model(), false)
    }

    fn sent(plan: &Plan) -> Value {
        serde_json::from_slice(&plan.body).unwrap()
    }

    fn ask() -> Value {
        json!({"model": "whatever", "messages": [{"role": "user", "content": "hi"}], "seed": 7, "x_own": {"a": 1}})
    }

    #[test]
    fn the_model_is_the_bindings_and_unknown_fields_pass() {
        let plan = of(&ask()).unwrap();
        let sent = sent(&plan);
        assert_eq!(
            (&sent["model"], &sent["seed"], &sent["x_own"]),
            (&json!("standard"), &json!(7), &json!({"a": 1}))
        );
        assert!(!plan.stream && plan.forward_usage);
        let renamed = ModelSpec { upstream_name: Some("vendor-large".into()), ..model() };
        let raw = ask().to_string();
        let renamed = super::plan(raw.as_bytes(), "p", &renamed, false).unwrap();
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
        let modern = plan(ask().to_string().as_bytes(), "p", &model(), true).unwrap();
        assert_eq!(sent(&modern)["max_completion_tokens"], json!(100));
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
        let error = plan(ask().to_string().as_bytes(), "shared", &free, false).unwrap_err();
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
            let error = plan(raw.as_bytes(), "p", &model(), false).unwrap_err();
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
}
