//! The calls that are made: Chat Completions of one length, each a little different, since the gateway takes two equal
//! ones for one that was sent again.

use bytes::Bytes;
use hyper::header::HeaderValue;
use uuid::Uuid;

/// Most tokens of an answer that a call asks for.
pub(crate) const MAX_TOKENS: i64 = 100;
/// What a token of the prompt and one of the answer cost, in micro-USD.
pub(crate) const INPUT_PRICE: i64 = 1;
pub(crate) const OUTPUT_PRICE: i64 = 4;
/// A bearer's token is as long as a projected one of a service account: it is sent, read and hashed in each call.
const TOKEN: usize = 1000;
/// The upstream refuses a call that has this in it: a request that is at fault.
pub(crate) const REFUSED: &str = "to be refused";

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) bearer: HeaderValue,
    pub(crate) session: Option<HeaderValue>,
    pub(crate) body: Bytes,
}

/// The body of call number `n`, with further fields and further words. The recorded model knows the task by the words
/// of its goal.
pub(crate) fn body(n: u64, stream: bool, fields: &str, words: &str) -> Bytes {
    let stream = if stream { r#""stream":true,"stream_options":{"include_usage":true},"# } else { "" };
    format!(
        r#"{{"model":"standard",{stream}"max_tokens":{MAX_TOKENS},{fields}"messages":[{{"role":"system","content":"Role: developer\nAttempt: 1"}},{{"role":"user","content":"slugify() drops non-ASCII letters. Transliterate them. Call {n:010}{words}."}}]}}"#
    )
    .into()
}

/// The token of a pod, or of a service.
pub(crate) fn token(of: Uuid) -> String {
    let part = of.simple().to_string();
    part.chars().cycle().take(TOKEN).collect()
}

/// As it stands in a request's header.
pub(crate) fn bearer(token: &str) -> anyhow::Result<HeaderValue> {
    Ok(HeaderValue::try_from(format!("Bearer {token}"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_differ_and_are_of_one_length() {
        let (one, other) = (body(1, false, "", ""), body(99_999, false, "", ""));
        assert!(one != other && one.len() == other.len());
        let read: serde_json::Value =
            serde_json::from_slice(&body(7, true, r#""user":"somebody","#, REFUSED)).unwrap();
        assert_eq!((&read["stream"], &read["user"]), (&true.into(), &"somebody".into()));
        assert_eq!(read["max_tokens"], MAX_TOKENS);
        assert!(read["messages"][1]["content"].as_str().unwrap().contains(REFUSED));
    }

    #[test]
    fn tokens_are_as_long_as_real_ones_and_each_ones_own() {
        let (one, other) = (token(Uuid::new_v4()), token(Uuid::new_v4()));
        assert!(one.len() == TOKEN && one != other);
    }
}
