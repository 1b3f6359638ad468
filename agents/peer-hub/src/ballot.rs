//! A voter's words become a ballot, or a message that says what is wrong with them. Pure and strict: what does
//! not fit the schema is not guessed.

use golden_consensus::{Evidence, Severity, Verdict};
use serde::Deserialize;

/// Bounds of one ballot. Sizes are bytes.
const MAX_TEXT: usize = 32 * 1024;
const MAX_EVIDENCE: usize = 16;
const MAX_RATIONALE: usize = 4096;
const MAX_QUOTE: usize = 2048;
const MAX_PATH: usize = 512;

/// What a voter said, as far as it is the voter's to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub verdict: Verdict,
    pub severity: Severity,
    pub confidence: u8,
    pub evidence: Vec<Evidence>,
    pub rationale: String,
}

/// Why an answer is no ballot. The text is for the voter, who may mend it once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the answer has {0} bytes, at most {MAX_TEXT} are read")]
    TooLong(usize),
    #[error("there is no JSON object in it")]
    NoObject,
    #[error("{0}")]
    Schema(String),
    #[error("{field} is longer than {limit}")]
    Bound { field: &'static str, limit: usize },
    #[error("confidence {0} is not within 0 to 100")]
    Confidence(String),
    #[error("rationale is empty")]
    NoRationale,
    #[error("evidence {0}: lines count from 1, and endLine is not before startLine")]
    Lines(usize),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Raw {
    verdict: Verdict,
    #[serde(default)]
    severity: Severity,
    confidence: serde_json::Number,
    #[serde(default)]
    evidence: Vec<RawEvidence>,
    rationale: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RawEvidence {
    file: String,
    start_line: u32,
    end_line: u32,
    quote: String,
}

/// Reads an answer: a bare JSON object, or one in a fenced block.
pub fn parse(answer: &str) -> Result<Said, Unreadable> {
    if answer.len() > MAX_TEXT {
        return Err(Unreadable::TooLong(answer.len()));
    }
    let object = object(answer).ok_or(Unreadable::NoObject)?;
    let raw: Raw = serde_json::from_str(object).map_err(|e| Unreadable::Schema(e.to_string()))?;
    within("rationale", raw.rationale.len(), MAX_RATIONALE)?;
    within("evidence", raw.evidence.len(), MAX_EVIDENCE)?;
    if raw.rationale.trim().is_empty() {
        return Err(Unreadable::NoRationale);
    }
    Ok(Said {
        verdict: raw.verdict,
        severity: raw.severity,
        confidence: percent(&raw.confidence)?,
        evidence: raw.evidence.into_iter().enumerate().map(evidence).collect::<Result<_, _>>()?,
        rationale: raw.rationale,
    })
}

/// The text of the object: within the first fenced block if there is one, else from the first brace to the last.
fn object(answer: &str) -> Option<&str> {
    let text = match answer.split_once("```") {
        Some((_, rest)) => rest.split_once("```").map_or(rest, |(block, _)| block),
        None => answer,
    };
    text.get(text.find('{')?..=text.rfind('}')?)
}

fn evidence((index, raw): (usize, RawEvidence)) -> Result<Evidence, Unreadable> {
    within("evidence.file", raw.file.len(), MAX_PATH)?;
    within("evidence.quote", raw.quote.len(), MAX_QUOTE)?;
    if raw.start_line == 0 || raw.end_line < raw.start_line {
        return Err(Unreadable::Lines(index));
    }
    Ok(Evidence {
        file: raw.file,
        start_line: raw.start_line,
        end_line: raw.end_line,
        quote: raw.quote,
        verified: false,
    })
}

/// Percent; a number with a decimal point up to 1 is a share.
fn percent(number: &serde_json::Number) -> Result<u8, Unreadable> {
    let fault = || Unreadable::Confidence(number.to_string());
    if let Some(whole) = number.as_u64() {
        return u8::try_from(whole).ok().filter(|p| *p <= 100).ok_or_else(fault);
    }
    let share = number.as_f64().filter(|s| (0.0..=1.0).contains(s)).ok_or_else(fault)?;
    (0..=100u8).find(|p| f64::from(*p) + 0.5 > share * 100.0).ok_or_else(fault)
}

fn within(field: &'static str, size: usize, limit: usize) -> Result<(), Unreadable> {
    if size > limit { Err(Unreadable::Bound { field, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"verdict":"Reject","severity":"Minor","confidence":70,
        "evidence":[{"file":"a.py","startLine":1,"endLine":2,"quote":"x"}],"rationale":"because"}"#;

    #[test]
    fn a_ballot_is_read_bare_fenced_or_with_words_around_it() {
        for text in [
            GOOD.to_owned(),
            format!("```json\n{GOOD}\n```"),
            format!("Here is my vote:\n```\n{GOOD}\n```\nThanks."),
            format!("I thought about it. {GOOD}"),
        ] {
            let said = parse(&text).unwrap();
            assert_eq!((said.verdict, said.confidence, said.evidence.len()), (Verdict::Reject, 70, 1));
            assert!(!said.evidence[0].verified);
        }
        assert_eq!(parse(&GOOD.replace("70", "0.7")).unwrap().confidence, 70);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_said() {
        let cases = [
            ("I approve".to_owned(), "no JSON object"),
            (GOOD.replace("Reject", "Yes"), "unknown variant"),
            (GOOD.replace("70", "170"), "not within"),
            (GOOD.replace("70", "-1"), "not within"),
            (GOOD.replace("because", " "), "rationale is empty"),
            (GOOD.replace("\"startLine\":1", "\"startLine\":3"), "lines count"),
            (GOOD.replace("\"quote\":\"x\"", "\"quote\":\"x\",\"verified\":true"), "unknown field"),
            (GOOD.replace("\"rationale\"", "\"weight\":99,\"rationale\""), "unknown field"),
            (GOOD.replace("because", &"x".repeat(MAX_RATIONALE + 1)), "longer than"),
            (format!("{GOOD}{GOOD}"), "trailing"),
            ("x".repeat(MAX_TEXT + 1), "at most"),
        ];
        for (text, part) in cases {
            let fault = parse(&text).unwrap_err().to_string();
            assert!(fault.contains(part), "{fault:?} lacks {part:?}");
        }
    }
}
