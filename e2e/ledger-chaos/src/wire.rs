//! One operation of the ledger over HTTP, written by hand: what is judged must not be told by the code that is judged.

use serde_json::{Value, json};

/// Where operations are asked for, below the service's address.
pub const PATH: &str = "v1/operations";

/// A request with one operation: `reserve`, `dispatch`, `settle`, `release` or `abandon`.
pub fn request(operation: &str, body: &Value) -> Value {
    json!({"operations": [{operation: body}]})
}

/// The one answer, as if it had a request of its own: its status, and the answer or the refusal.
pub fn answer(status: u16, body: &Value) -> (u16, Value) {
    let alone = body["answers"].as_array().filter(|answers| answers.len() == 1);
    let Some(answer) = alone.and_then(|answers| answers.first()) else { return (status, body.clone()) };
    for said in ["reserved", "moved"] {
        if let Some(said) = answer.get(said) {
            return (status, said.clone());
        }
    }
    let refused = &answer["refused"];
    let told = refused["status"].as_u64().and_then(|status| u16::try_from(status).ok());
    told.map_or((status, body.clone()), |status| (status, json!({"error": refused})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_answer_counts_and_several_or_none_do_not() {
        let several = json!({"answers": [{"moved": {"state": "Settled"}}, {"moved": {"state": "Settled"}}]});
        let refused = json!({"status": 409, "reason": "IllegalTransition", "message": "m"});
        let fault = json!({"error": {"reason": "Unavailable", "message": "m"}});
        for (status, body, want) in [
            (200, json!({"answers": [{"moved": {"state": "Settled"}}]}), (200, json!({"state": "Settled"}))),
            (200, json!({"answers": [{"refused": refused}]}), (409, json!({"error": refused}))),
            (200, json!({"answers": []}), (200, json!({"answers": []}))),
            (200, several.clone(), (200, several)),
            (503, fault.clone(), (503, fault)),
        ] {
            assert_eq!(answer(status, &body), want);
        }
    }
}
