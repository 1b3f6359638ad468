//! A voter's words become a ballot, or a message that says what is wrong with them. Pure and strict: what does
//! not fit the form is not guessed, and of two votes in one answer none counts.

use golden_output::{Unreadable, Vote, read};

/// Reads an answer: a bare JSON object, one in a fenced block, or one with words around it.
pub(crate) fn parse(answer: &str) -> Result<Vote, Unreadable> {
    read(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use golden_consensus::{Evidence, Verdict};

    const MAX_TEXT: usize = 128 * 1024;
    const MAX_RATIONALE: usize = 4096;

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
            let evidence: Vec<Evidence> = said.evidence.into_iter().map(Evidence::from).collect();
            assert_eq!((said.verdict, said.confidence.percent(), evidence.len()), (Verdict::Reject, 70, 1));
            assert!(!evidence[0].verified);
        }
        assert_eq!(parse(&GOOD.replace("70", "0.7")).unwrap().confidence.percent(), 70);
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
