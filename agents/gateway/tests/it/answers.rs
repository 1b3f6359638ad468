//! What a provider may say instead of an answer, and what of it is believed.

use crate::faulty::{Does, Faulty};
use crate::world::{Reservation, Setup, World, ask};
use golden_crds::model_provider::Protocol;
use serde_json::json;

async fn world(url: &str, protocol: Protocol) -> World {
    let setup = Setup { base_url: Some(url.to_owned()), protocol, ..Setup::default() };
    let world = World::with(setup).await;
    world.task(0).await;
    world
}

/// Whether a call was charged its bound, as one of which nobody knows what it cost.
fn is_unknown(row: &Reservation) -> bool {
    row.state == "Unknown" && row.actual_cost == Some(row.cost)
}

/// Chunks of a stream, each with the usage so far and perhaps a finish reason.
fn chunks(parts: &[(u64, Option<&str>)]) -> Does {
    let chunk = |(output, finish): &(u64, Option<&str>)| {
        let choice = json!({"index": 0, "delta": {"content": "word "}, "finish_reason": finish});
        let usage = json!({"prompt_tokens": 7, "completion_tokens": output});
        format!("data: {}\n\n", json!({"choices": [choice], "usage": usage}))
    };
    Does::Says("text/event-stream", parts.iter().map(chunk).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_usage_so_far_is_no_price_of_a_stream_that_broke() {
    for (parts, want) in
        [(vec![(1, None), (2, None)], None), (vec![(1, None), (2, None), (3, Some("stop"))], Some((7, 3)))]
    {
        let faulty = Faulty::start(chunks(&parts)).await;
        let world = world(&faulty.url, Protocol::OpenAI).await;
        let response = world.call(0, &ask(0, true)).send().await.unwrap();
        assert!(response.text().await.is_err(), "it ended before its answer did");
        let row = world.reservations().await.remove(0);
        match want {
            None => assert!(is_unknown(&row), "{row:?}"),
            Some((input, output)) => {
                assert_eq!((row.input_tokens, row.output_tokens), (Some(input), Some(output)));
                assert_eq!((row.state.as_str(), row.actual_cost), ("Settled", Some(input + 4 * output)));
            }
        }
        world.adds_up().await;
    }
}
