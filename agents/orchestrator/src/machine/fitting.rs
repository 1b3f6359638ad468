//! A review in the size of one entry of the record: what its ballots say is there for good, however long they quote.

use super::reasons::bounded;
use serde_json::{Value, json};

/// Bytes of JSON that ballots and decision may take together. An entry has a MiB; the guards' outcomes take the rest.
const ROOM: usize = 640 * 1024;
/// What quotes are cut to, in bytes, and how many pieces of evidence a ballot keeps: the first pair that is enough. Evidence
/// that was found comes first in a ballot.
const CUTS: [(usize, usize); 3] = [(512, 32), (96, 32), (96, 4)];

/// Cuts the quotes of a review that is too large, in the ballots and in the decision alike, so that one still follows from the
/// other. Says to what they were cut.
pub(super) fn fit(decision: &mut Value, ballots: &mut [Value]) -> Option<Value> {
    let mut done = None;
    for (quote, pieces) in CUTS {
        if size(decision) + ballots.iter().map(size).sum::<usize>() <= ROOM {
            break;
        }
        let dissent = decision.get_mut("dissent").and_then(Value::as_array_mut);
        dissent.into_iter().flatten().chain(ballots.iter_mut()).for_each(|b| cut(b, quote, pieces));
        done = Some(json!({"quoteBytes": quote, "evidence": pieces}));
    }
    done
}

fn cut(ballot: &mut Value, quote: usize, pieces: usize) {
    let Some(evidence) = ballot.get_mut("evidence").and_then(Value::as_array_mut) else { return };
    evidence.truncate(pieces);
    for piece in evidence {
        if let Some(text) = piece.get_mut("quote")
            && let Some(long) = text.as_str().filter(|text| text.len() > quote)
        {
            *text = json!(bounded(long, quote));
        }
    }
}

fn size(value: &Value) -> usize {
    value.to_string().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ballot(pieces: usize, quote: usize) -> Value {
        let piece =
            json!({"file": "f".repeat(512), "startLine": 1, "endLine": 2, "quote": "q".repeat(quote)});
        json!({"voter": "v", "rationale": "r".repeat(4096), "evidence": vec![piece; pieces]})
    }

    fn review(voters: usize, pieces: usize, quote: usize) -> (Value, Vec<Value>) {
        let ballots = vec![ballot(pieces, quote); voters];
        (json!({"dissent": ballots}), ballots)
    }

    #[test]
    fn the_largest_review_there_can_be_fits() {
        let (mut decision, mut ballots) = review(33, 32, 2048);
        assert_eq!(fit(&mut decision, &mut ballots), Some(json!({"quoteBytes": 96, "evidence": 4})));
        assert!(size(&decision) + ballots.iter().map(size).sum::<usize>() <= ROOM);
        assert_eq!(decision["dissent"], json!(ballots), "one still follows from the other");
    }

    #[test]
    fn what_fits_stays_whole_and_no_more_is_cut_than_must_be() {
        let (mut decision, mut ballots) = review(4, 8, 2048);
        let before = (decision.clone(), ballots.clone());
        assert_eq!(fit(&mut decision, &mut ballots), None);
        assert_eq!((decision, ballots), before);
        let (mut decision, mut ballots) = review(7, 32, 2048);
        assert_eq!(fit(&mut decision, &mut ballots), Some(json!({"quoteBytes": 512, "evidence": 32})));
    }
}
