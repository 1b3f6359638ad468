//! What repeats over several tasks: the ground on which a better prompt is proposed.

use super::Confidence;
use super::shape::{build, closed, list, said, text, within};
use crate::answer::bounds::Bounds;
use crate::answer::parse::Form;
use crate::answer::schema::{Schema, SchemaError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::LazyLock;

const MAX_PATTERNS: usize = 32;
const MAX_TASKS: usize = 64;
const MAX_TEXT: usize = 2048;
const MAX_NAME: usize = 128;

/// All patterns that were seen; none is an answer, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Patterns {
    pub patterns: Vec<Pattern>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Pattern {
    /// Each name once.
    pub name: String,
    pub description: String,
    pub confidence: Confidence,
    /// The tasks that show it, at least one: what no task shows is an opinion.
    pub tasks: Vec<String>,
    /// What to do about it.
    #[serde(default)]
    pub suggestion: Option<String>,
}

static SCHEMA: LazyLock<Result<Schema, SchemaError>> = LazyLock::new(|| {
    let tasks = json!({"type": "array", "minItems": 1, "maxItems": MAX_TASKS, "items": text(MAX_NAME)});
    let pattern = closed(
        &["name", "description", "confidence", "tasks"],
        &json!({
            "name": text(MAX_NAME),
            "description": text(MAX_TEXT),
            "confidence": Confidence::schema(),
            "tasks": tasks,
            "suggestion": {"type": ["string", "null"], "minLength": 1, "maxLength": MAX_TEXT},
        }),
    );
    build(&closed(&["patterns"], &json!({"patterns": list(MAX_PATTERNS, &pattern)})))
});

impl Form for Patterns {
    const BOUNDS: Bounds = Bounds { bytes: 256 * 1024, depth: 5, values: 8192 };

    fn schema() -> &'static Result<Schema, SchemaError> {
        &SCHEMA
    }

    fn check(&self) -> Result<(), String> {
        within("patterns", self.patterns.len(), MAX_PATTERNS)?;
        let mut names = std::collections::BTreeSet::new();
        for pattern in &self.patterns {
            said("patterns.name", &pattern.name, MAX_NAME)?;
            said("patterns.description", &pattern.description, MAX_TEXT)?;
            within("patterns.tasks", pattern.tasks.len(), MAX_TASKS)?;
            pattern.tasks.iter().try_for_each(|task| said("patterns.tasks", task, MAX_NAME))?;
            pattern.suggestion.iter().try_for_each(|text| said("patterns.suggestion", text, MAX_TEXT))?;
            if pattern.tasks.is_empty() {
                return Err(format!("pattern {:?} names no task that shows it", pattern.name));
            }
            if !names.insert(pattern.name.as_str()) {
                return Err(format!("pattern {:?} is named twice", pattern.name));
            }
        }
        Ok(())
    }
}
