//! A voter's judgement.

use super::Confidence;
use super::shape::{build, closed, list, said, text, within};
use crate::answer::bounds::Bounds;
use crate::answer::parse::{Ambiguous, Form};
use crate::answer::schema::{Schema, SchemaError};
use golden_consensus::{Evidence, Severity, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::LazyLock;

/// Bounds of one vote; sizes are bytes. Wide: who judges a change must not be silenced by what is in it, and whoever keeps
/// a vote keeps less of it.
const MAX_EVIDENCE: usize = 64;
const MAX_RATIONALE: usize = 4096;
const MAX_QUOTE: usize = 8192;
/// A path has at most 1,024 bytes, and six times as many where each of its characters is hidden and shown spelled out.
const MAX_PATH: usize = 6 * 1024;

/// What a voter said, as far as it is the voter's to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Vote {
    pub verdict: Verdict,
    #[serde(default)]
    pub severity: Severity,
    pub confidence: Confidence,
    #[serde(default)]
    pub evidence: Vec<Place>,
    pub rationale: String,
}

/// Where a voter saw something, with its words there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Place {
    pub file: String,
    /// From 1.
    pub start_line: u32,
    /// Inclusive.
    pub end_line: u32,
    pub quote: String,
}

impl From<Place> for Evidence {
    /// Not verified: that is never the voter's to say.
    fn from(place: Place) -> Self {
        Self {
            file: place.file,
            start_line: place.start_line,
            end_line: place.end_line,
            quote: place.quote,
            verified: false,
        }
    }
}

static SCHEMA: LazyLock<Result<Schema, SchemaError>> = LazyLock::new(|| {
    let line = json!({"type": "integer", "minimum": 1, "maximum": u32::MAX});
    let place = closed(
        &["file", "startLine", "endLine", "quote"],
        &json!({"file": {"type": "string", "maxLength": MAX_PATH}, "startLine": line, "endLine": line,
                "quote": {"type": "string", "maxLength": MAX_QUOTE}}),
    );
    build(&closed(
        &["verdict", "confidence", "rationale"],
        &json!({
            "verdict": {"enum": ["Approve", "Reject", "Abstain"]},
            "severity": {"enum": ["Info", "Minor", "Major", "Blocker"]},
            "confidence": Confidence::schema(),
            "evidence": list(MAX_EVIDENCE, &place),
            "rationale": text(MAX_RATIONALE),
        }),
    ))
});

impl Form for Vote {
    const BOUNDS: Bounds = Bounds { bytes: 128 * 1024, depth: 4, values: 1024 };
    const AMBIGUOUS: Ambiguous = Ambiguous::Refused;

    fn schema() -> &'static Result<Schema, SchemaError> {
        &SCHEMA
    }

    fn check(&self) -> Result<(), String> {
        said("rationale", &self.rationale, MAX_RATIONALE)?;
        within("evidence", self.evidence.len(), MAX_EVIDENCE)?;
        for (index, place) in self.evidence.iter().enumerate() {
            within("evidence.file", place.file.len(), MAX_PATH)?;
            within("evidence.quote", place.quote.len(), MAX_QUOTE)?;
            if place.start_line == 0 || place.end_line < place.start_line {
                return Err(format!(
                    "evidence {index}: lines count from 1, and endLine is not before startLine"
                ));
            }
        }
        Ok(())
    }
}
