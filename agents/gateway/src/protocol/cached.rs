//! What a request of Anthropic's protocol asks to be written to the provider's cache: writing costs more than other
//! input, and nothing is written unasked. Pure.

use golden_ledger::CacheWrites;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// The key that asks, wherever it stands: before all fields, in instructions, tools, messages and parts of them.
const MARK: &str = "cache_control";

/// What a request asks for. The dearest where it cannot be told: what is not understood here may be there.
pub(crate) fn asked(request: &[u8]) -> CacheWrites {
    if !may_ask(request) {
        return CacheWrites::None;
    }
    let mut found = CacheWrites::None;
    let mut json = serde_json::Deserializer::from_slice(request);
    let read = Search(&mut found).deserialize(&mut json);
    if read.is_err() { CacheWrites::Long } else { found }
}

/// Cheap first. A key may be spelled with escapes.
fn may_ask(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    text.contains(MARK) || text.contains("\\u")
}

/// What one key asks for.
fn of_mark(mark: &Value) -> CacheWrites {
    match (mark, mark.get("ttl").map(Value::as_str)) {
        (Value::Null, _) => CacheWrites::None,
        (Value::Object(_), None | Some(Some("5m"))) => CacheWrites::Short,
        _ => CacheWrites::Long,
    }
}

/// Looks at every key of a value, and keeps nothing of it.
struct Search<'a>(&'a mut CacheWrites);

#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> DeserializeSeed<'de> for Search<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Search<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = map.next_key()? {
            if name == MARK {
                *self.0 = (*self.0).max(of_mark(&map.next_value()?));
            } else {
                map.next_value_seed(Search(self.0))?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Search(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn of(request: &Value) -> CacheWrites {
        asked(request.to_string().as_bytes())
    }

    #[test]
    fn keys_ask_wherever_they_stand_and_words_do_not() {
        let mark = json!({"type": "ephemeral"});
        for request in [
            json!({"cache_control": mark}),
            json!({"system": [{"type": "text", "text": "x", "cache_control": mark}]}),
            json!({"tools": [{"name": "f", "cache_control": mark}]}),
            json!({"messages": [{"role": "user", "content": [{"type": "tool_result", "content": [
                {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "5m"}}]}]}]}),
            json!({"a_field_of_the_future": {"deep": [[{"cache_control": mark}]]}}),
        ] {
            assert_eq!(of(&request), CacheWrites::Short, "{request}");
        }
        for request in [
            json!({"messages": [{"role": "user", "content": "\"cache_control\": {\"ttl\": \"1h\"}"}]}),
            json!({"system": "cache_control", "n": [1, -1, 1.5, true, null]}),
            json!({"cache_control": null}),
            json!({}),
        ] {
            assert_eq!(of(&request), CacheWrites::None, "{request}");
        }
    }

    #[test]
    fn the_longest_counts_and_what_is_not_understood_is_the_dearest() {
        let ask = |mark: Value| {
            of(&json!({"a": [{"cache_control": {"type": "ephemeral"}}, {"cache_control": mark}]}))
        };
        for mark in [
            json!({"ttl": "1h"}),
            json!({"ttl": "1d"}),
            json!({"ttl": 3600}),
            json!({"ttl": null}),
            json!(true),
        ] {
            assert_eq!(ask(mark.clone()), CacheWrites::Long, "{mark}");
        }
        assert_eq!(ask(json!(null)), CacheWrites::Short);
        assert_eq!(
            asked(br#"{"a": {"cache\u005fcontrol": {"ttl": "1\u0068"}}}"#),
            CacheWrites::Long,
            "spelled otherwise"
        );
        assert_eq!(asked(br#"{"cache_control": {"ttl": "5m"}"#), CacheWrites::Long, "cut off");
        assert_eq!(
            asked(br#"{"n": 1e999, "cache_control": {}}"#),
            CacheWrites::Long,
            "a number no float holds"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_depth_hides_a_key(depth in 0usize..200, list in any::<bool>()) {
            let (open, close) = if list { ("[", "]") } else { (r#"{"x":"#, "}") };
            let mark = r#"{"cache_control":{"type":"ephemeral"}}"#;
            let request = format!("{}{mark}{}", open.repeat(depth), close.repeat(depth));
            prop_assert!(asked(request.as_bytes()) >= CacheWrites::Short);
        }
    }
}
