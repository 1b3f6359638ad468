//! How the gateway tells its callers which model answered: the names of its headers, and what is read from them. Pure.

use http::HeaderMap;

/// Which ModelProvider the words are of, as `namespace/name`.
pub const ANSWERED_PROVIDER: &str = "x-golden-provider";
/// The answering model's name in that ModelProvider.
pub const ANSWERED_MODEL: &str = "x-golden-model";
/// The name that model is sent under, where that is another.
pub const ANSWERED_UPSTREAM: &str = "x-golden-upstream-model";

/// The names of the model that answered, each as `namespace/provider/name`: two at most. None of a gateway that does not
/// say.
pub fn answered_by(headers: &HeaderMap) -> Vec<String> {
    let text = |header: &str| Some(String::from_utf8_lossy(headers.get(header)?.as_bytes()).into_owned());
    let (Some(provider), Some(model)) = (text(ANSWERED_PROVIDER), text(ANSWERED_MODEL)) else {
        return vec![];
    };
    let names = std::iter::once(model).chain(text(ANSWERED_UPSTREAM));
    names.map(|name| format!("{provider}/{name}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_of_the_model_are_read_and_an_older_gateway_says_nothing() {
        let mut headers = HeaderMap::new();
        headers.insert(ANSWERED_PROVIDER, "ns/p".parse().unwrap());
        assert!(answered_by(&headers).is_empty());
        headers.insert(ANSWERED_MODEL, "m".parse().unwrap());
        assert_eq!(answered_by(&headers), ["ns/p/m"]);
        headers.insert(ANSWERED_UPSTREAM, "Vendor/M-2".parse().unwrap());
        assert_eq!(answered_by(&headers), ["ns/p/m", "ns/p/Vendor/M-2"]);
    }
}
