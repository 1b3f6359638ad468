//! Whether what a provider answers with can be an answer at all, by its content type. Pure.
//!
//! A status of 200 says little: the page of a proxy or a login has it too, where a `baseURL` leads past the API.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// Characters of a content type that are shown.
const SHOWN: usize = 100;

/// How an answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Events,
    Whole,
}

/// The form of an answer with these headers; why it is none, where that is so. A stream was asked for: `stream`. JSON in
/// its place is taken too, since servers say so what went wrong, and an answer that names no type may be JSON.
pub(crate) fn form(headers: &HeaderMap, stream: bool) -> Result<Form, String> {
    let Some(named) = headers.get(CONTENT_TYPE) else { return Ok(Form::Whole) };
    let named = String::from_utf8_lossy(named.as_bytes());
    let kind = named.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "text/event-stream" if stream => Ok(Form::Events),
        "application/json" | "text/json" => Ok(Form::Whole),
        _ if kind.starts_with("application/") && kind.ends_with("+json") => Ok(Form::Whole),
        _ => Err(why(&named, stream)),
    }
}

fn why(named: &str, stream: bool) -> String {
    let shown: String = named.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    let wanted = if stream { "text/event-stream or application/json" } else { "application/json" };
    format!(
        "it answered with content type {shown:?} where {wanted} was asked for, so that this is no model's answer; look \
         whether its baseURL has the API's whole path (most end in /v1) and leads to no proxy's or login's page"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: &str, stream: bool) -> Result<Form, String> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, kind.parse().unwrap());
        form(&headers, stream)
    }

    #[test]
    fn only_what_was_asked_for_and_json_is_an_answer() {
        for (kind, stream, want) in [
            ("text/event-stream", true, Some(Form::Events)),
            ("Text/Event-Stream;charset=utf-8", true, Some(Form::Events)),
            ("text/event-stream", false, None),
            ("application/json", false, Some(Form::Whole)),
            ("application/json; charset=utf-8", true, Some(Form::Whole)),
            ("APPLICATION/JSON", false, Some(Form::Whole)),
            ("text/json", false, Some(Form::Whole)),
            ("application/vnd.api+json", false, Some(Form::Whole)),
            ("application/jsonp", false, None),
            ("application/octet-stream", false, None),
            ("text/html; charset=utf-8", false, None),
            ("text/html", true, None),
            ("text/plain", true, None),
            ("", false, None),
        ] {
            assert_eq!(of(kind, stream).ok(), want, "{kind} {stream}");
        }
        assert_eq!(form(&HeaderMap::new(), true), Ok(Form::Whole), "its body decides");
        let why = of("text/html", false).unwrap_err();
        assert!(why.contains("text/html") && why.contains("baseURL"), "{why}");
        let long = "x".repeat(4000);
        assert!(of(&long, false).unwrap_err().len() < 400);
    }
}
