//! A model's account of what several voters agree on. It explains; the decision is computed by `golden-consensus`.

use super::Confidence;
use super::shape::{build, closed, list, said, text, within};
use crate::answer::bounds::Bounds;
use crate::answer::parse::Form;
use crate::answer::schema::{Schema, SchemaError};
use golden_consensus::Verdict;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::LazyLock;

const MAX_REASONS: usize = 16;
const MAX_DISSENT: usize = 32;
const MAX_TEXT: usize = 2048;
const MAX_NAME: usize = 128;

/// What the voters came to, in a model's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Consensus {
    /// Where most of the arguments point.
    pub verdict: Verdict,
    pub confidence: Confidence,
    /// At least one.
    pub reasons: Vec<String>,
    #[serde(default)]
    pub dissent: Vec<Dissent>,
}

/// Who does not agree, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Dissent {
    pub voter: String,
    pub reason: String,
}

static SCHEMA: LazyLock<Result<Schema, SchemaError>> = LazyLock::new(|| {
    let dissent = closed(&["voter", "reason"], &json!({"voter": text(MAX_NAME), "reason": text(MAX_TEXT)}));
    let mut reasons = list(MAX_REASONS, &text(MAX_TEXT));
    if let Some(reasons) = reasons.as_object_mut() {
        reasons.insert("minItems".to_owned(), json!(1));
    }
    build(&closed(
        &["verdict", "confidence", "reasons"],
        &json!({
            "verdict": {"enum": ["Approve", "Reject", "Abstain"]},
            "confidence": Confidence::schema(),
            "reasons": reasons,
            "dissent": list(MAX_DISSENT, &dissent),
        }),
    ))
});

impl Form for Consensus {
    const BOUNDS: Bounds = Bounds { bytes: 128 * 1024, depth: 4, values: 1024 };

    fn schema() -> &'static Result<Schema, SchemaError> {
        &SCHEMA
    }

    fn check(&self) -> Result<(), String> {
        within("reasons", self.reasons.len(), MAX_REASONS)?;
        within("dissent", self.dissent.len(), MAX_DISSENT)?;
        if self.reasons.is_empty() {
            return Err("reasons is empty".to_owned());
        }
        for reason in &self.reasons {
            said("reasons", reason, MAX_TEXT)?;
        }
        for dissent in &self.dissent {
            said("dissent.voter", &dissent.voter, MAX_NAME)?;
            said("dissent.reason", &dissent.reason, MAX_TEXT)?;
        }
        Ok(())
    }
}
