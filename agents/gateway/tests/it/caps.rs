//! The output cap reaches the provider in the field that it takes.

use crate::world::{Setup, World, ask, serve};
use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use golden_crds::model_provider::Protocol;
use serde_json::{Value, json};

/// A server that takes the cap in one field and refuses the other, in OpenAI's words.
pub(crate) async fn takes(field: &'static str, other: &'static str) -> String {
    let answer = async move |body: Bytes| {
        let asked: Value = serde_json::from_slice(&body).unwrap();
        if asked.get(other).is_some() {
            let message = format!(
                "Unsupported parameter: '{other}' is not supported with this model. Use '{field}' instead."
            );
            let error = json!({"message": message, "type": "invalid_request_error", "param": other,
                               "code": "unsupported_parameter"});
            return (StatusCode::BAD_REQUEST, axum::Json(json!({"error": error})));
        }
        let usage = json!({"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10});
        (StatusCode::OK, axum::Json(json!({"choices": [], "usage": usage, "cap": asked[field]})))
    };
    format!("{}/v1", serve(Router::new().route("/v1/chat/completions", post(answer))).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_is_sent_in_the_field_that_the_provider_takes_whatever_the_client_names() {
    let (newer, older) = ("max_completion_tokens", "max_tokens");
    for (taken, field, other) in [("MaxCompletionTokens", newer, older), ("MaxTokens", older, newer)] {
        let url = takes(field, other).await;
        let world = World::with(Setup { base_url: Some(url.clone()), ..Setup::default() }).await;
        world.task(0).await;
        let mut named = ask(0, false);
        named.as_object_mut().unwrap().remove(older);
        named[other] = 500.into();
        let refused = world.call(0, &named).send().await.unwrap();
        assert_eq!(refused.status(), 400, "nothing is known of this server");
        assert!(refused.text().await.unwrap().contains("Unsupported parameter"));

        world.provider("shared", &url, Protocol::OpenAI, &json!({"outputCapField": taken}));
        named["user"] = "another call".into();
        let answered = world.call(0, &named).send().await.unwrap();
        assert_eq!(answered.status(), 200, "{taken}");
        assert_eq!(answered.json::<Value>().await.unwrap()["cap"], 500);
        named.as_object_mut().unwrap().remove(other);
        let answered = world.call(0, &named).send().await.unwrap();
        assert_eq!(answered.json::<Value>().await.unwrap()["cap"], 4096, "the model's own");
        world.adds_up().await;
    }
}
