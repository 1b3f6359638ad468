//! JSON schemas of answers.

use serde_json::Value;
use std::fmt;

/// Violations shown, and bytes of one.
const SHOWN: usize = 8;
const MAX_LINE: usize = 256;
/// Largest regular expression of a schema, in bytes of its compiled form.
const MAX_PATTERN: usize = 1 << 20;

/// A schema, ready to check values.
#[derive(Clone, Debug)]
pub struct Schema(jsonschema::Validator);

/// A schema that is none, or refers to something outside of itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the schema cannot be used: {0}")]
pub struct SchemaError(pub String);

/// What a value violates: a few lines for whoever is to mend it, each with the place. Values are not repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violations(Vec<String>);

impl Violations {
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

impl Schema {
    /// Prepares a schema. It may refer to its own parts only, and its patterns are those of an engine that does not
    /// backtrack.
    pub fn new(schema: &Value) -> Result<Self, SchemaError> {
        let patterns = jsonschema::PatternOptions::regex().size_limit(MAX_PATTERN);
        let options = jsonschema::options().offline().with_pattern_options(patterns);
        options.build(schema).map(Self).map_err(|error| SchemaError(clip(error.to_string(), MAX_LINE)))
    }

    /// Whether a value fits, and if not, why not.
    pub fn check(&self, value: &Value) -> Result<(), Violations> {
        let told = |error: jsonschema::ValidationError<'_>| {
            let place = error.instance_path().to_string();
            let place = if place.is_empty() { "/".to_owned() } else { place };
            clip(format!("{place}: {}", error.masked()), MAX_LINE)
        };
        let lines: Vec<String> = self.0.iter_errors(value).take(SHOWN).map(told).collect();
        if lines.is_empty() { Ok(()) } else { Err(Violations(lines)) }
    }
}

/// At most `limit` bytes of a text, cut between characters.
pub(super) fn clip(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let mut end = limit.saturating_sub('…'.len_utf8());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}
