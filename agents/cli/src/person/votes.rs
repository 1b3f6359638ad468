//! `golden votes`: who voted how, with evidence, dissent and each vote's impact.

use super::escalations::{answer, why};
use super::one_task::OneTask;
use super::output::{Format, Table, json};
use golden_consensus::SeatWeight;
use serde_json::Value;

pub(crate) async fn run(args: OneTask) -> anyhow::Result<u8> {
    let cluster = args.connection.connect().await?;
    let votes: Value = cluster.get(&format!("tasks/{}/votes", args.name)).await?;
    if args.output == Format::Json {
        return json(&votes);
    }
    print!("{}", render(&votes));
    Ok(0)
}

/// The votes as tables, one a round.
pub(crate) fn render(votes: &Value) -> String {
    let mut text = String::new();
    for review in list(votes, "reviews") {
        let decision = &review["decision"];
        text.push_str(&format!(
            "attempt {}, round {}, on {}: {}\n",
            review["attempt"],
            review["round"],
            short(review["digest"].as_str().unwrap_or_default()),
            decision.get("reason").and_then(Value::as_str).unwrap_or("not decided yet"),
        ));
        let mut others = String::new();
        let mut table =
            Table::new(&["VOTER", "VERDICT", "SEVERITY", "POWER", "IMPACT", "EVIDENCE", "RATIONALE"]);
        let ballots = list(votes, "ballots");
        // As it was when they decided; the task's rules alone tell it of a review that is open, and of older ones.
        let seats = if decision.get("power").is_some() { decision } else { votes };
        for ballot in
            ballots.iter().filter(|b| b["attempt"] == review["attempt"] && b["round"] == review["round"])
        {
            let name = ballot["voter"].as_str().unwrap_or_default();
            let b = &ballot["ballot"];
            others.extend(elsewhere(name, b));
            table.row([
                name.to_owned(),
                b["verdict"].as_str().unwrap_or_default().to_owned(),
                b["severity"].as_str().unwrap_or_default().to_owned(),
                power(seats, b["role"].as_str().unwrap_or_default()),
                impact(decision, name),
                evidence(b),
                one_line(b["rationale"].as_str().unwrap_or_default(), 80),
            ]);
        }
        text.push_str(&table.render());
        text.push_str(&others);
        for line in weights(&review) {
            text.push_str(&line);
        }
        if let Some(line) = flip(decision) {
            text.push_str(&line);
        }
        text.push('\n');
    }
    for escalation in list(votes, "escalations") {
        text.push_str(&escalated(&escalation));
    }
    if text.is_empty() { "no review yet\n".into() } else { text }
}

/// Which models of another provider than the voter's own answered for it, as `namespace/provider/model`: its fallbacks.
fn elsewhere(voter: &str, ballot: &Value) -> Option<String> {
    let own = ballot["model"].as_str()?.split_once('/')?.0;
    let names = list(ballot, "answeredBy");
    let names = names.iter().filter_map(Value::as_str).filter(|name| name.split('/').nth(1) != Some(own));
    let names: Vec<String> = names.map(|name| one_line(name, 120)).collect();
    (!names.is_empty()).then(|| format!("answered for {}: {}\n", one_line(voter, 60), names.join(", ")))
}

/// A question to people: why it was asked, and what was answered, or who has until when.
fn escalated(escalation: &Value) -> String {
    let of = |key: &str| one_line(escalation[key].as_str().unwrap_or_default(), 80);
    let end = match answer(escalation) {
        Some(answer) => format!(": {answer}"),
        None if escalation["state"] == "Open" => {
            let (owner, deadline, default) = (of("owner"), of("deadline"), of("defaultOption"));
            format!(": team {owner} is asked until {deadline}, then {default} counts")
        }
        None => String::new(),
    };
    format!("escalated ({}): {}\n{}{end}\n", of("reason"), why(escalation, 400), of("state"))
}

/// The part of all orders of joining in which the role's seat turns the scale (Shapley and Shubik), in percent.
fn power(seats: &Value, role: &str) -> String {
    let seat = list(seats, "power").into_iter().find(|seat| seat["role"] == role);
    let share = seat.as_ref().and_then(|seat| seat["shapleyShubik"].as_str());
    let parts = share.and_then(|share| share.split_once('/'));
    let per_mille = parts.and_then(|(a, b)| {
        let (a, b): (u128, u128) = (a.parse().ok()?, b.parse().ok()?);
        a.checked_mul(1000)?.checked_add(b / 2)?.checked_div(b)
    });
    per_mille.map_or_else(String::new, |share| format!("{}.{} %", share / 10, share % 10))
}

/// What opinions weigh by track record; nothing where that is the policy's to say.
fn weights(review: &Value) -> Vec<String> {
    let seats: Vec<SeatWeight> = serde_json::from_value(review["weights"].clone()).unwrap_or_default();
    seats.iter().map(|seat| format!("by track record: {}\n", one_line(&seat.to_string(), 120))).collect()
}

/// The fewest ballots that would have turned the decision.
fn flip(decision: &Value) -> Option<String> {
    let found = decision.get("minimalFlip").filter(|found| found.is_object())?;
    let voters: Vec<String> =
        list(found, "voters").iter().filter_map(Value::as_str).map(|voter| one_line(voter, 60)).collect();
    let verb = if voters.len() == 1 { "its opposite" } else { "their opposites" };
    Some(format!(
        "turned by {verb}: {} → {}\n",
        voters.join(", "),
        found["outcome"].as_str().unwrap_or_default()
    ))
}

/// What the vote changed: without it, and with its opposite.
fn impact(decision: &Value, voter: &str) -> String {
    let Some(found) = list(decision, "impact").into_iter().find(|i| i["voter"] == voter) else {
        return String::new();
    };
    let of = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    let kind = if found["pivotal"] == Value::Bool(true) { "pivotal" } else { "not pivotal" };
    format!("{kind}; without: {}; opposite: {}", of("without"), of("opposite"))
}

fn evidence(ballot: &Value) -> String {
    let places: Vec<String> = list(ballot, "evidence")
        .iter()
        .map(|e| {
            let mark = if e["verified"] == Value::Bool(true) { "" } else { " (unverified)" };
            format!("{}:{}{mark}", e["file"].as_str().unwrap_or("?"), e["startLine"])
        })
        .collect();
    places.join(", ")
}

fn list(value: &Value, key: &str) -> Vec<Value> {
    value.get(key).and_then(Value::as_array).cloned().unwrap_or_default()
}

/// A digest short enough for a table.
pub(crate) fn short(digest: &str) -> String {
    digest.chars().take("sha256:".len() + 12).collect()
}

/// Untrusted text on one line, without control characters, bounded.
pub(crate) fn one_line(text: &str, most: usize) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clean.chars().count() <= most {
        return clean;
    }
    clean.chars().take(most - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_fallback_that_answered_is_named() {
        let ballot = |by: Value| serde_json::json!({"model": "shared/large", "answeredBy": by});
        let own = serde_json::json!(["golden-system/shared/large", "golden-system/shared/large-2026"]);
        assert_eq!(elsewhere("architect", &ballot(own)), None);
        let other = serde_json::json!(["golden-system/shared/large", "shop/spare/small"]);
        let told = elsewhere("architect", &ballot(other)).unwrap();
        assert_eq!(told, "answered for architect: shop/spare/small\n");
        assert_eq!(elsewhere("architect", &serde_json::json!({"model": "shared/large"})), None);
    }

    #[test]
    fn a_question_says_why_and_who_is_asked_until_when() {
        let mut asked = json!({"reason": "ReviewTied", "state": "Open", "owner": "core", "chosen": null,
            "deadline": "2026-01-01T00:00:00Z", "defaultOption": "Reject", "evidence": {"message": "2 against 2"}});
        let of = |asked: &Value| render(&json!({"escalations": [asked]}));
        let open = "escalated (ReviewTied): 2 against 2\n\
                    Open: team core is asked until 2026-01-01T00:00:00Z, then Reject counts\n";
        assert_eq!(of(&asked), open);
        asked["state"] = "Withdrawn".into();
        assert!(of(&asked).ends_with("\nWithdrawn\n"));
        asked["state"] = "Resolved".into();
        asked["chosen"] = "Accept".into();
        asked["resolvedBy"] = "bob".into();
        assert!(of(&asked).ends_with("\nResolved: Accept by bob\n"));
    }

    #[test]
    fn a_dissent_is_shown_with_its_evidence_and_impact() {
        let votes = json!({
            "reviews": [{"attempt": 2, "round": 1, "digest": "sha256:0123456789abcdef",
                "weights": [{"role": "architect", "model": "p/m", "perMille": 500, "rightPpm": 620_000,
                    "observations": 40, "usualPpm": 901_000}], "decision": {
                "reason": "5 of 6 approve",
                "minimalFlip": {"voters": ["reviewer", "tester"], "outcome": "ChangesRequested"},
                "impact": [{"voter": "architect", "without": "Approved", "opposite": "Approved", "pivotal": false}]}}],
            "power": [{"role": "architect", "shapleyShubik": "1/12", "banzhaf": "1/10"}],
            "ballots": [{"attempt": 2, "round": 1, "voter": "architect", "ballot": {
                "role": "architect", "verdict": "Reject", "severity": "Minor", "rationale": "a\u{1b}[31mb",
                "evidence": [{"file": "shop/slug.py", "startLine": 6, "verified": true}]}}],
        });
        let text = render(&votes);
        assert!(
            text.contains("architect   Reject    Minor      8.3 %   not pivotal; without: Approved"),
            "{text}"
        );
        assert!(text.contains("shop/slug.py:6 "), "{text}");
        let weighed = "by track record: architect × 0.5: right in 62.0 % of 40 votes, usual is 90.1 %\n";
        assert!(text.contains(weighed), "{text}");
        assert!(text.contains("turned by their opposites: reviewer, tester → ChangesRequested"), "{text}");
        assert!(!text.contains('\u{1b}'), "untrusted text may not steer the terminal");
    }
}
