//! The top level of a request: fields in their order, values as the client wrote them, byte for byte. Only what the
//! gateway must change is written anew, so that images, tools and unknown fields reach the provider unharmed.

use crate::error::CallError;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use std::borrow::Cow;
use std::fmt;

/// Fields of one request; a real one has about twenty.
const MOST: usize = 256;

/// A JSON object, one level deep.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    list: Vec<(Cow<'a, str>, Cow<'a, RawValue>)>,
}

impl<'a> Fields<'a> {
    /// Reads an object. A field that is there twice is refused: the provider might follow the other one.
    pub(crate) fn parse(raw: &'a [u8]) -> Result<Self, CallError> {
        serde_json::from_slice(raw).map_err(|e| CallError::Malformed(e.to_string()))
    }

    /// The value as it is written; nothing if it is absent or null.
    pub(crate) fn raw(&self, name: &str) -> Option<&RawValue> {
        let found = self.list.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_ref());
        found.filter(|value| value.get() != "null")
    }

    /// All of them, as they are written and in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.list.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// The value, read; nothing if it is absent or null.
    pub(crate) fn value(&self, name: &str) -> Result<Option<Value>, CallError> {
        let read = self.raw(name).map(|raw| serde_json::from_str(raw.get()));
        read.transpose().map_err(|e| CallError::Malformed(format!("{name}: {e}")))
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, CallError> {
        Ok(self.value(name)?.and_then(|v| v.as_str().map(ToOwned::to_owned)))
    }

    /// Whether the field is `true`.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.raw(name).is_some_and(|value| value.get() == "true")
    }

    /// A number of tokens.
    pub(crate) fn count(&self, name: &str) -> Result<Option<u64>, CallError> {
        let whole = |value: Value| {
            value.as_u64().ok_or_else(|| CallError::Malformed(format!("{name} must be a whole number")))
        };
        self.value(name)?.map(whole).transpose()
    }

    /// Writes a value, in its field's place or at the end.
    pub(crate) fn set(&mut self, name: &'static str, value: &Value) -> Result<(), CallError> {
        let raw = to_raw_value(value).map_err(|e| CallError::Malformed(format!("{name}: {e}")))?;
        match self.list.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => *old = Cow::Owned(raw),
            None => self.list.push((Cow::Borrowed(name), Cow::Owned(raw))),
        }
        Ok(())
    }

    /// Gives a field another name, in its place; where one of that name is there too, that one alone stays.
    pub(crate) fn rename(&mut self, from: &str, to: &'static str) {
        if self.list.iter().any(|(name, _)| name == to) {
            self.list.retain(|(name, _)| name != from);
        } else if let Some((name, _)) = self.list.iter_mut().find(|(name, _)| name == from) {
            *name = Cow::Borrowed(to);
        }
    }

    /// Writes text that is JSON already.
    pub(crate) fn set_raw(&mut self, name: &str, json: String) -> Result<(), CallError> {
        let raw = RawValue::from_string(json).map_err(|e| CallError::Malformed(format!("{name}: {e}")))?;
        if let Some((_, old)) = self.list.iter_mut().find(|(n, _)| n == name) {
            *old = Cow::Owned(raw);
        }
        Ok(())
    }

    /// The object again.
    pub(crate) fn render(&self) -> Vec<u8> {
        let size = self.list.iter().map(|(name, value)| name.len() + value.get().len() + 4).sum::<usize>();
        let mut out = Vec::with_capacity(size + 2);
        out.push(b'{');
        for (at, (name, value)) in self.list.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            // Into memory: it cannot fail.
            let _ = serde_json::to_writer(&mut out, name);
            out.push(b':');
            out.extend_from_slice(value.get().as_bytes());
        }
        out.push(b'}');
        out
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reading)
    }
}

struct Reading;

#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for Reading {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut list: Vec<(Cow<'de, str>, Cow<'de, RawValue>)> = Vec::with_capacity(16);
        while let Some(Name(name)) = map.next_key()? {
            if list.len() == MOST {
                return Err(A::Error::custom(format!("more than {MOST} fields")));
            }
            if list.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom(format!("field {name:?} is there twice")));
            }
            list.push((name, Cow::Borrowed(map.next_value::<&'de RawValue>()?)));
        }
        Ok(Fields { list })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_is_not_set_stays_byte_for_byte() {
        let raw = br#"{"z": 1.50e3, "model":"a", "image": "\u00e9\/AAAA==", "big": 123456789012345678901234567890, "n": null}"#;
        let mut fields = Fields::parse(raw).unwrap();
        fields.set("model", &json!("b")).unwrap();
        fields.set("new", &json!([1])).unwrap();
        let want = r#"{"z":1.50e3,"model":"b","image":"\u00e9\/AAAA==","big":123456789012345678901234567890,"n":null,"new":[1]}"#;
        assert_eq!(String::from_utf8(fields.render()).unwrap(), want);
        assert!(fields.raw("n").is_none() && fields.raw("absent").is_none());
    }

    #[test]
    fn a_field_that_is_there_twice_is_refused_also_when_it_is_spelled_otherwise() {
        let many: Vec<String> = (0..300).map(|n| format!("\"f{n}\":0")).collect();
        let many = format!("{{{}}}", many.join(","));
        for raw in [
            r#"{"max_tokens":1,"max_tokens":9}"#,
            r#"{"max_tokens":1,"max\u005ftokens":9}"#,
            "[]",
            "",
            "{}x",
            &many,
        ] {
            assert!(matches!(Fields::parse(raw.as_bytes()), Err(CallError::Malformed(_))), "{raw}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            let object = proptest::collection::hash_map(any::<String>(), inner.clone(), 0..6);
            prop_oneof![
                proptest::collection::vec(inner, 0..6).prop_map(Value::from),
                object.prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_object_comes_out_as_it_went_in_but_for_what_is_set(
            map in proptest::collection::hash_map("[a-z]{1,3}|\\PC{0,4}", any_json(), 0..20),
            cap in any::<u64>(),
        ) {
            let mut object: serde_json::Map<String, Value> = map.into_iter().collect();
            let raw = Value::Object(object.clone()).to_string();
            let mut fields = Fields::parse(raw.as_bytes()).unwrap();
            prop_assert_eq!(String::from_utf8(fields.render()).unwrap(), raw.clone());
            fields.set("max_tokens", &cap.into()).unwrap();
            object.insert("max_tokens".into(), cap.into());
            prop_assert_eq!(String::from_utf8(fields.render()).unwrap(), Value::Object(object).to_string());
        }

        #[test]
        fn no_bytes_make_it_panic(raw in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(fields) = Fields::parse(&raw) {
                prop_assert!(Fields::parse(&fields.render()).is_ok());
            }
        }
    }
}
