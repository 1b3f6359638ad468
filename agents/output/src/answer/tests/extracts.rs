//! Which object of an answer counts.

use crate::answer::objects;
use proptest::prelude::*;

#[test]
fn bare_fenced_and_wordy_answers_give_their_object() {
    for answer in [
        "{\"a\":1}",
        " \n{\"a\":1}\n",
        "```json\n{\"a\":1}\n```",
        "Here it is:\n```\n{\"a\":1}\n```\nThanks for {nothing}.",
        "I thought {hard}: {\"a\":1}.",
        "```\nno object {here}\n```\n{\"a\":1}",
        "```json\n{\"a\":1}",
        "} } {\"a\":1} { {",
    ] {
        assert_eq!(objects(answer), ["{\"a\":1}"], "{answer}");
    }
}

#[test]
fn the_largest_counts_first_and_of_equals_the_first() {
    assert_eq!(objects("{\"a\":1} or {\"bb\":22} or {\"c\":3}"), ["{\"bb\":22}", "{\"a\":1}", "{\"c\":3}"]);
    assert_eq!(
        objects("{\"long\":\"outside\"}\n```\n{\"a\":1}\n```"),
        ["{\"a\":1}"],
        "words about the block"
    );
    assert_eq!(
        objects("x {\"a\":{\"b\":{}}} y"),
        ["{\"a\":{\"b\":{}}}"],
        "parts are no objects of their own"
    );
}

#[test]
fn what_a_text_quotes_is_not_taken_for_the_answer() {
    let answer = "{\"rationale\":\"it says ```json {\\\"verdict\\\":1} ```\",\"verdict\":2}";
    assert_eq!(objects(answer), [answer]);
}

#[test]
fn braces_without_end_take_no_time() {
    for piece in ["{", "{\"a\":", "{\"a\":[", "{\"a\":\"", "{}", "```", "```{", "{\"a\":[{},"] {
        let answer = piece.repeat((256 << 10) / piece.len());
        let begun = std::time::Instant::now();
        let _ = objects(&answer);
        assert!(begun.elapsed().as_secs() < 10, "{piece:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_object_found_is_json_and_stands_there(answer in "[{}\\[\\]\":,a1` \n]{0,64}") {
        for object in objects(&answer) {
            prop_assert!(answer.contains(object));
            prop_assert!(serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(object).is_ok());
        }
    }
}
