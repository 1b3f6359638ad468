//! Which headers pass, in each direction. Pure.

use golden_crds::model_provider::ModelSpec;
use golden_platform::http::{ANSWERED_MODEL, ANSWERED_PROVIDER, ANSWERED_UPSTREAM};
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};

/// What Golden's own headers begin with: nobody else's pass under it, in either direction.
const OURS: &str = "x-golden-";

/// Never passed on to the provider: between hops, the caller's own identity, and what chooses who is billed.
const KEPT_FROM_PROVIDER: [&str; 23] = [
    "authorization",
    "api-key",
    "x-api-key",
    "openai-organization",
    "openai-project",
    "anthropic-workspace-id",
    "anthropic-user-profile-id",
    "cookie",
    "host",
    "content-length",
    "content-type",
    "accept-encoding",
    "connection",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "forwarded",
    "via",
    "x-client-request-id",
];

/// Never passed back to the client.
const KEPT_FROM_CLIENT: [&str; 7] =
    ["set-cookie", "content-length", "connection", "keep-alive", "transfer-encoding", "trailer", "upgrade"];

/// Headers of the client that the provider gets.
pub(crate) fn to_provider(headers: &HeaderMap) -> HeaderMap {
    pass(headers, |name| {
        !KEPT_FROM_PROVIDER.contains(&name.as_str())
            && !name.as_str().starts_with(OURS)
            && !name.as_str().starts_with("x-forwarded-")
    })
}

/// Headers of the provider that the client gets.
pub(crate) fn to_client(headers: &HeaderMap) -> HeaderMap {
    pass(headers, |name| !KEPT_FROM_CLIENT.contains(&name.as_str()) && !name.as_str().starts_with(OURS))
}

/// Says to the client whose words it gets.
pub(crate) fn name_provider(headers: &mut HeaderMap, provider: &str) {
    name(headers, ANSWERED_PROVIDER, provider);
}

/// Says to the client which model answered.
pub(crate) fn name_model(headers: &mut HeaderMap, model: &ModelSpec) {
    name(headers, ANSWERED_MODEL, &model.name);
    if let Some(upstream) = model.upstream_name.as_ref().filter(|upstream| **upstream != model.name) {
        name(headers, ANSWERED_UPSTREAM, upstream);
    }
}

fn name(headers: &mut HeaderMap, header: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(header, value);
    }
}

fn pass(headers: &HeaderMap, keep: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    headers.iter().filter(|(name, _)| keep(name)).map(|(n, v)| (n.clone(), v.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_stays_here_and_unknown_headers_pass() {
        let mut headers = HeaderMap::new();
        for name in [
            "authorization",
            "x-golden-task",
            "openai-organization",
            "anthropic-workspace-id",
            "x-forwarded-for",
            "x-stainless-lang",
        ] {
            headers.insert(name, "v".parse().unwrap());
        }
        let passed = to_provider(&headers);
        assert_eq!(passed.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-stainless-lang"]);
        headers.insert("set-cookie", "v".parse().unwrap());
        headers.insert(ANSWERED_UPSTREAM, "forged".parse().unwrap());
        let told = to_client(&headers);
        assert!(!told.contains_key("set-cookie"));
        assert!(!told.keys().any(|name| name.as_str().starts_with(OURS)), "{told:?}");
    }
}
