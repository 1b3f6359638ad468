//! Which model answers, by the name that a client asks for. Pure.
//!
//! In a cluster a role's binding says it, whatever the client names. Outside there are no roles: clients of both
//! families may share one gateway, and name models that are not of its providers.

use crate::error::CallError;
use crate::protocol::ClientProtocol;
use golden_crds::model_provider::Protocol;
use golden_platform::wire::ModelBinding;

/// A model and what its provider speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) binding: ModelBinding,
    pub(crate) speaks: Protocol,
}

/// One line of the map: a name, or the beginning of names and a `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) asked: String,
    pub(crate) target: Target,
}

impl Rule {
    fn answers(&self, asked: &str) -> bool {
        self.asked.strip_suffix('*').map_or(self.asked == asked, |beginning| asked.starts_with(beginning))
    }

    /// Answers whatever is asked for.
    pub(crate) fn answers_all(&self) -> bool {
        self.asked == "*"
    }
}

/// All models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Models {
    /// The closest first: a whole name, then the longest beginning.
    rules: Vec<Rule>,
    /// Of all providers.
    known: Vec<Target>,
}

impl Models {
    /// Of the map's lines and of all that the providers have.
    pub(crate) fn new(mut rules: Vec<Rule>, known: Vec<Target>) -> Self {
        rules.sort_by_key(|rule| (rule.asked.ends_with('*'), std::cmp::Reverse(rule.asked.len())));
        Self { rules, known }
    }

    /// The model that answers. Only those count whose provider speaks what the client does, so that one name may
    /// lead to a model of either family.
    pub(crate) fn binding(
        &self,
        protocol: &dyn ClientProtocol,
        asked: Option<&str>,
    ) -> Result<&ModelBinding, CallError> {
        let (name, speaks) = (asked.unwrap_or_default(), protocol.provider());
        // What embeds is seldom what talks: the line for any name is not about it.
        let found = if protocol.client_names_model() {
            let own = || self.known.iter().find(|t| t.speaks == speaks && t.binding.model == name);
            self.rule(name, speaks).filter(|rule| !rule.answers_all()).map(|rule| &rule.target).or_else(own)
        } else {
            self.rule(name, speaks).map(|rule| &rule.target)
        };
        found.map(|target| &target.binding).ok_or_else(|| CallError::NotMapped {
            model: name.chars().take(128).collect(),
            protocol: protocol.name(),
            known: self.shown(speaks),
        })
    }

    fn rule(&self, asked: &str, speaks: Protocol) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.target.speaks == speaks && rule.answers(asked))
    }

    /// Names that are answered, each with the model that does, for a client of this family.
    pub(crate) fn listed(&self, speaks: Protocol) -> Vec<(&str, &ModelBinding)> {
        let whole = self.rules(speaks).map(|rule| rule.asked.as_str()).filter(|asked| !asked.ends_with('*'));
        let own = self.known.iter().filter(|target| target.speaks == speaks);
        let own = own.map(|target| target.binding.model.as_str());
        let mut listed: Vec<(&str, &ModelBinding)> = Vec::new();
        for name in whole.chain(own) {
            if let Some(rule) = self.rule(name, speaks)
                && listed.iter().all(|(known, _)| *known != name)
            {
                listed.push((name, &rule.target.binding));
            }
        }
        listed
    }

    /// The model for any name, or else the first there is.
    pub(crate) fn first(&self) -> Option<&ModelBinding> {
        let rule = self.rules.iter().find(|rule| rule.answers_all()).or(self.rules.first());
        rule.map(|rule| &rule.target.binding)
    }

    /// The map's lines for one family, the closest first.
    pub(crate) fn rules(&self, speaks: Protocol) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(move |rule| rule.target.speaks == speaks)
    }

    fn shown(&self, speaks: Protocol) -> String {
        let names: Vec<&str> = self.rules(speaks).map(|rule| rule.asked.as_str()).collect();
        if names.is_empty() { "none in it".to_owned() } else { names.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ChatCompletions, Embeddings, Messages, Responses};

    fn target(model: &str, speaks: Protocol) -> Target {
        let provider = format!("{speaks:?}").to_lowercase();
        Target {
            binding: ModelBinding {
                namespace: "local".into(),
                provider,
                model: model.into(),
                context_window: None,
            },
            speaks,
        }
    }

    fn models(rules: &[(&str, &str, Protocol)]) -> Models {
        let known =
            [("gpt", Protocol::OpenAI), ("embedder", Protocol::OpenAI), ("claude", Protocol::Anthropic)];
        Models::new(
            rules
                .iter()
                .map(|(asked, model, speaks)| Rule { asked: (*asked).into(), target: target(model, *speaks) })
                .collect(),
            known.iter().map(|(model, speaks)| target(model, *speaks)).collect(),
        )
    }

    const BOTH: [(&str, &str, Protocol); 5] = [
        ("*", "gpt", Protocol::OpenAI),
        ("claude-*", "claude", Protocol::Anthropic),
        ("claude-haiku*", "small", Protocol::Anthropic),
        ("claude-haiku", "exact", Protocol::Anthropic),
        ("claude-*", "gpt", Protocol::OpenAI),
    ];

    #[test]
    fn the_closest_line_of_the_clients_family_answers() {
        let models = models(&BOTH);
        let of = |protocol: &dyn ClientProtocol, asked| {
            models.binding(protocol, asked).map(|binding| binding.model.clone()).map_err(|e| e.to_string())
        };
        for (protocol, asked, want) in [
            (&Messages as &dyn ClientProtocol, "claude-haiku", "exact"),
            (&Messages, "claude-haiku-4", "small"),
            (&Messages, "claude-sonnet", "claude"),
            (&ChatCompletions, "claude-sonnet", "gpt"),
            (&Responses, "o9", "gpt"),
            (&Embeddings, "embedder", "embedder"),
        ] {
            assert_eq!(of(protocol, Some(asked)).as_deref(), Ok(want), "{asked} in {}", protocol.name());
        }
        assert_eq!(of(&ChatCompletions, None).as_deref(), Ok("gpt"), "no name is any name");
        for (protocol, asked) in [(&Messages as &dyn ClientProtocol, "gpt-5"), (&Embeddings, "unknown")] {
            let told = of(protocol, Some(asked)).unwrap_err();
            for word in [asked, protocol.name(), "*"] {
                assert!(told.contains(word), "{told}");
            }
        }
    }

    #[test]
    fn only_what_is_answered_is_listed_and_once() {
        let models = models(&BOTH);
        let listed = |speaks| models.listed(speaks).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(listed(Protocol::Anthropic), ["claude-haiku"]);
        assert_eq!(listed(Protocol::OpenAI), ["gpt", "embedder"]);
    }
}
