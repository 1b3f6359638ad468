use crate::{CanonicalError, MAX_DEPTH, canonical, digest};
use proptest::prelude::*;
use serde_json::{Value, json};

fn of(text: &str) -> Result<String, CanonicalError> {
    canonical(&serde_json::from_str(text).unwrap())
}

#[test]
fn members_are_sorted_by_utf_16_and_nothing_is_optional() {
    // From RFC 8785, section 3.2.3: U+1F600 is two code units from D800 on and so before U+FB33.
    let sorted =
        of(r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#).unwrap();
    assert_eq!(sorted, "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}");
    assert_eq!(
        of(r#" { "b" : [ 1 , true , null ] , "a" : { } } "#).unwrap(),
        r#"{"a":{},"b":[1,true,null]}"#
    );
}

#[test]
fn strings_have_one_spelling() {
    assert_eq!(
        of(r#""\u0041\/\u000a\u001f\u0022\u005c\b\f\t\r\u007f""#).unwrap(),
        "\"A/\\n\\u001f\\\"\\\\\\b\\f\\t\\r\u{7f}\""
    );
}

#[test]
fn integers_of_64_bits_are_numbers_and_floats_are_refused() {
    assert_eq!(
        of("[-9223372036854775808,18446744073709551615,0]").unwrap(),
        "[-9223372036854775808,18446744073709551615,0]"
    );
    for float in ["1.5", "1.0", "1e2", "-0.0", "18446744073709551616"] {
        assert!(matches!(of(float), Err(CanonicalError::NotInteger(_))), "{float}");
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    assert!(canonical(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(canonical(&nested(MAX_DEPTH + 1)), Err(CanonicalError::TooDeep));
}

#[test]
fn digest_is_sha_256() {
    assert_eq!(digest(b"abc"), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((".{0,6}", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn canonical_form_is_the_same_value_and_a_fixed_point(value in any_json()) {
        let text = canonical(&value).unwrap();
        let back: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&back, &value);
        prop_assert_eq!(canonical(&back).unwrap(), text);
    }
}
