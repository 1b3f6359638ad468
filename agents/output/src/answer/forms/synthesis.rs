//! One account of several: what they agree on, where they part, and what follows.

use super::shape::{build, closed, list, said, text, within};
use crate::answer::bounds::Bounds;
use crate::answer::parse::Form;
use crate::answer::schema::{Schema, SchemaError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::LazyLock;

const MAX_SUMMARY: usize = 8192;
const MAX_POINTS: usize = 32;
const MAX_TEXT: usize = 2048;
const MAX_SOURCES: usize = 32;
const MAX_NAME: usize = 128;

/// A synthesis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Synthesis {
    pub summary: String,
    #[serde(default)]
    pub agreements: Vec<Agreement>,
    #[serde(default)]
    pub disagreements: Vec<Agreement>,
    /// What to do next; empty if nothing.
    #[serde(default)]
    pub next_steps: Vec<String>,
}

/// A statement, and by whom it is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Agreement {
    pub statement: String,
    /// Names of voters, roles or documents.
    #[serde(default)]
    pub sources: Vec<String>,
}

static SCHEMA: LazyLock<Result<Schema, SchemaError>> = LazyLock::new(|| {
    let point = closed(
        &["statement"],
        &json!({"statement": text(MAX_TEXT), "sources": list(MAX_SOURCES, &text(MAX_NAME))}),
    );
    build(&closed(
        &["summary"],
        &json!({
            "summary": text(MAX_SUMMARY),
            "agreements": list(MAX_POINTS, &point),
            "disagreements": list(MAX_POINTS, &point),
            "nextSteps": list(MAX_POINTS, &text(MAX_TEXT)),
        }),
    ))
});

impl Form for Synthesis {
    const BOUNDS: Bounds = Bounds { bytes: 256 * 1024, depth: 5, values: 4096 };

    fn schema() -> &'static Result<Schema, SchemaError> {
        &SCHEMA
    }

    fn check(&self) -> Result<(), String> {
        said("summary", &self.summary, MAX_SUMMARY)?;
        points("agreements", &self.agreements)?;
        points("disagreements", &self.disagreements)?;
        within("nextSteps", self.next_steps.len(), MAX_POINTS)?;
        self.next_steps.iter().try_for_each(|step| said("nextSteps", step, MAX_TEXT))
    }
}

fn points(field: &str, points: &[Agreement]) -> Result<(), String> {
    within(field, points.len(), MAX_POINTS)?;
    for point in points {
        said(&format!("{field}.statement"), &point.statement, MAX_TEXT)?;
        within(&format!("{field}.sources"), point.sources.len(), MAX_SOURCES)?;
        point.sources.iter().try_for_each(|source| said(&format!("{field}.sources"), source, MAX_NAME))?;
    }
    Ok(())
}
