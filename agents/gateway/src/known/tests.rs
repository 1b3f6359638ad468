use super::*;
use crate::protocol::{Cap, Fields, Messages, Protocol, Responses};
use proptest::prelude::*;
use serde_json::{Value, json};

fn scope(model: &str) -> Scope {
    Scope::new(model, "https://provider/v1/messages", &HeaderMap::new())
}

fn outline_of(protocol: Protocol, request: &Value) -> Outline {
    let raw = request.to_string();
    let mut fields = Fields::parse(raw.as_bytes()).unwrap();
    protocol.prepare(&mut fields, Cap { most: 100, field: None }).unwrap().outline.unwrap()
}

/// A session of so many turns, each of so many bytes, under instructions of their own.
fn outline(instructions: &str, turns: &[String]) -> Outline {
    let role = |at: usize| if at.is_multiple_of(2) { "user" } else { "assistant" };
    let turns: Vec<Value> =
        turns.iter().enumerate().map(|(at, text)| json!({"role": role(at), "content": text})).collect();
    outline_of(&Messages, &json!({"system": instructions, "messages": turns}))
}

fn turns(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{n:>200}")).collect()
}

fn bytes(turns: &[crate::protocol::Turn]) -> u64 {
    turns.iter().map(|turn| turn.bytes).sum()
}

#[test]
fn what_was_counted_bounds_the_longer_prompt_and_the_same_one() {
    let (known, now) = (Known::default(), Instant::now());
    let (first, next) = (outline("instructions", &turns(1)), outline("instructions", &turns(3)));
    assert_eq!(known.most(scope("m"), &next, 0, now), None, "nothing is known yet");
    known.learn(scope("m"), &first, 70, now);
    assert_eq!(known.most(scope("m"), &first, 0, now), Some(70 + SEAM));
    assert_eq!(known.most(scope("m"), &next, 0, now), Some(70 + bytes(&next.turns[1..]) + SEAM));
    known.learn(scope("m"), &next, 150, now);
    let longer = outline("instructions", &turns(5));
    assert_eq!(known.most(scope("m"), &longer, 0, now), Some(150 + bytes(&longer.turns[3..]) + SEAM));
}

#[test]
fn another_session_is_bounded_by_the_instructions_it_has_in_common() {
    let (known, now) = (Known::default(), Instant::now());
    let long = "An instruction. ".repeat(100);
    for (words, tokens) in [("one", 500), ("two", 480), ("three", 900)] {
        known.learn(scope("m"), &outline(&long, &[words.to_owned()]), tokens, now);
    }
    let other = outline(&long, &["four".to_owned()]);
    assert_eq!(known.most(scope("m"), &other, 0, now), Some(480 + bytes(&other.turns) + SEAM), "the lowest");
    assert_eq!(known.most(scope("m"), &outline("others", &["four".to_owned()]), 0, now), None);
}

#[test]
fn instructions_are_bounded_only_by_prompts_in_which_a_user_spoke() {
    let (known, now) = (Known::default(), Instant::now());
    let developer = json!({"type": "message", "role": "developer", "content": "x"});
    let with = |item: Value| outline_of(&Responses, &json!({"input": [developer, item]}));
    known.learn(scope("m"), &with(json!({"type": "message", "role": "assistant", "content": "x"})), 40, now);
    let other = with(json!({"type": "message", "role": "user", "content": "y"}));
    assert_eq!(known.most(scope("m"), &other, 0, now), None, "some models are told of tools there");
    known.learn(scope("m"), &other, 41, now);
    let third = with(json!({"type": "message", "role": "user", "content": "z"}));
    assert_eq!(known.most(scope("m"), &third, 0, now), Some(41 + bytes(&third.turns[1..]) + SEAM));
}

#[test]
fn another_model_or_variant_is_counted_otherwise() {
    let (known, now) = (Known::default(), Instant::now());
    let prompt = outline("x", &turns(1));
    let mut headers = HeaderMap::new();
    headers.insert("anthropic-beta", "tools-told-otherwise".parse().unwrap());
    headers.insert("x-client-request-id", "1".parse().unwrap());
    let variant = Scope::new("m", "https://provider/v1/messages", &headers);
    known.learn(variant, &prompt, 70, now);
    assert_eq!(known.most(scope("m"), &prompt, 0, now), None);
    headers.insert("x-client-request-id", "2".parse().unwrap());
    assert_eq!(Scope::new("m", "https://provider/v1/messages", &headers), variant, "of no variant");
    assert_ne!(Scope::new("m", "https://provider/v1/messages?beta=true", &headers), variant);
    assert_ne!(Scope::new("n", "https://provider/v1/messages", &headers), variant);
}

#[test]
fn images_count_with_their_most_and_a_file_with_the_window() {
    let (known, now) = (Known::default(), Instant::now());
    let data = json!({"type": "base64", "media_type": "image/png", "data": "AAAA"});
    let with = |kinds: &[&str]| {
        let part = |(at, kind): (usize, &&str)| {
            let role = if at.is_multiple_of(2) { "user" } else { "assistant" };
            json!({"role": role, "content": [{"type": kind, "source": data, "text": "x"}]})
        };
        let turns: Vec<Value> = kinds.iter().enumerate().map(part).collect();
        outline_of(&Messages, &json!({"messages": turns}))
    };
    known.learn(scope("m"), &with(&["image"]), 3_000, now);
    let next = with(&["image", "text", "image"]);
    let want = 3_000 + bytes(&next.turns[1..]) + 8_192 + SEAM;
    assert_eq!(known.most(scope("m"), &next, 8_192, now), Some(want), "the first image is counted already");
    let document = with(&["image", "text", "document"]);
    assert_eq!(known.most(scope("m"), &document, 8_192, now), None, "nobody knows how long it is");
    known.learn(scope("m"), &document, 20_000, now);
    let after = with(&["image", "text", "document", "text"]);
    let want = 20_000 + bytes(&after.turns[3..]) + SEAM;
    assert_eq!(known.most(scope("m"), &after, 8_192, now), Some(want), "until it was counted");
}

#[test]
fn a_count_is_forgotten_with_its_time_its_place_and_its_provider() {
    let (known, now) = (Known::default(), Instant::now());
    let prompt = outline("x", &turns(1));
    known.learn(scope("m"), &prompt, 70, now);
    assert_eq!(known.most(scope("m"), &prompt, 0, now + FRESH), None);
    let late = FRESH.checked_sub(Duration::from_secs(1)).unwrap();
    assert!(known.most(scope("m"), &prompt, 0, now + late).is_some());
    known.learn(scope("m"), &prompt, 75, now + FRESH);
    assert_eq!(known.most(scope("m"), &prompt, 0, now + FRESH), Some(75 + SEAM), "an old one is replaced");
    for n in 0..2 * MANY {
        known.learn(scope("m"), &outline("y", &[format!("{n:>100}")]), 70, now + FRESH);
    }
    assert_eq!(known.most(scope("m"), &prompt, 0, now + FRESH), None);
    let kept = known.kept();
    assert!(kept.young.len() <= MANY && kept.old.len() <= MANY);
    drop(kept);
    let last = outline("y", &[format!("{:>100}", 2 * MANY - 1)]);
    assert!(known.most(scope("m"), &last, 0, now + FRESH).is_some());
    known.forget();
    assert_eq!(known.most(scope("m"), &last, 0, now + FRESH), None);
}

#[test]
fn a_count_that_leaves_out_most_of_the_prompt_is_not_believed() {
    let (known, now) = (Known::default(), Instant::now());
    let prompt = outline(&"word ".repeat(1000), &turns(1));
    known.learn(scope("m"), &prompt, 12, now);
    assert_eq!(known.most(scope("m"), &prompt, 0, now), None, "a provider that counts without its cache");
    known.learn(scope("m"), &prompt, 1_100, now);
    assert!(known.most(scope("m"), &prompt, 0, now).is_some());
}

/// Tokens of a text, by a tokenizer that nobody knows: at least one, at most one for each byte of a turn as it is sent.
fn tokens(text: &str, seed: u64) -> u64 {
    let mixed = text.bytes().fold(seed, |sum, byte| sum.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte));
    1 + mixed % (text.len() as u64 + 20)
}

/// What an honest provider counts: each turn by itself, and the line before an answer.
fn counted(instructions: &str, turns: &[String], seed: u64) -> u64 {
    let all = std::iter::once(instructions).chain(turns.iter().map(String::as_str));
    3 + all.map(|text| tokens(text, seed)).sum::<u64>()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Sessions that grow, fork, shrink and begin anew, over few instructions and words, so that they meet often.
    #[test]
    fn a_bound_is_never_below_what_an_honest_provider_counts(
        seed in any::<u64>(),
        sessions in proptest::collection::vec(
            (0usize..3, proptest::collection::vec("[ab]{0,3}", 1..8)), 1..40,
        ),
    ) {
        let (known, now) = (Known::default(), Instant::now());
        for (instructions, turns) in &sessions {
            let instructions = ["", "x", "yz"][*instructions];
            let prompt = outline(instructions, turns);
            let tokens = counted(instructions, turns, seed);
            if let Some(most) = known.most(scope("m"), &prompt, 0, now) {
                prop_assert!(most >= tokens, "{most} for {tokens}");
            }
            known.learn(scope("m"), &prompt, tokens, now);
        }
    }
}
