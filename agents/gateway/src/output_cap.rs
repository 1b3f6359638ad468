//! The field of a Chat Completions request in which an endpoint takes the output cap. Pure.
//!
//! OpenAI's reasoning models answer 400 to `max_tokens` ("Unsupported parameter: 'max_tokens' … Use
//! 'max_completion_tokens' instead"), on its own servers and on Azure's; other servers may not know the newer field, and
//! one that they pass over caps nothing. Clients write either.

use crate::secret::host;
use golden_crds::model_provider::{ModelProviderSpec, OutputCapField};

/// OpenAI's own host, and what the hosts of its models on Azure end in.
const OPENAI: &str = "api.openai.com";
const AZURE: &str = ".openai.azure.com";

/// The one field that the provider takes; nothing where the client's own choice stays.
pub(crate) fn field(provider: &ModelProviderSpec) -> Option<OutputCapField> {
    let by_host = || {
        let host = host(&provider.base_url)?;
        (host == OPENAI || host.ends_with(AZURE)).then_some(OutputCapField::MaxCompletionTokens)
    };
    provider.output_cap_field.or_else(by_host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn hosts_that_refuse_the_older_field_are_known_and_the_providers_own_word_counts_most() {
        let newer = Some(OutputCapField::MaxCompletionTokens);
        let older = Some(OutputCapField::MaxTokens);
        for (base, said, want) in [
            ("https://api.openai.com/v1", None, newer),
            ("https://API.openai.com:443", None, newer),
            ("https://team.openai.azure.com/openai/v1", None, newer),
            ("https://api.openai.com.evil/v1", None, None),
            ("https://evil/api.openai.com/v1", None, None),
            ("https://notopenai.azure.com/v1", None, None),
            ("https://api.openai.com/v1", Some("MaxTokens"), older),
            ("http://vllm:8000/v1", Some("MaxCompletionTokens"), newer),
            ("http://vllm:8000/v1", None, None),
        ] {
            let spec = json!({"protocol": "OpenAI", "baseURL": base, "models": [], "outputCapField": said});
            assert_eq!(field(&serde_json::from_value(spec).unwrap()), want, "{base} {said:?}");
        }
    }
}
