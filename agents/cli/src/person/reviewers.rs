//! `golden reviewers`: how often each reviewer was right, as far as votes and people's answers show, and what its opinion
//! weighs where a policy lets weights follow that.

use super::client::Connection;
use super::output::{Format, Table, json};
use golden_consensus::TrackRecords;
use golden_platform::verdicts::Word;
use serde::Serialize;
use std::collections::BTreeMap;

/// Which of them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: Connection,
    /// A table for people, JSON for programs.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// One reviewer: a role and the model that spoke for it.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Reviewer {
    role: String,
    model: String,
    votes: u64,
    rejections: u64,
    /// Votes on results that a person decided too.
    checked: u64,
    /// Estimated share of votes that were right, in parts of a million.
    right_ppm: u32,
    /// What a weight would be multiplied by, in thousandths.
    weight_per_mille: u32,
    explanation: String,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<u8> {
    let cluster = args.connection.connect().await?;
    let words: Vec<Word> = cluster.get("ballots").await?;
    let reviewers = judged(&words)?;
    if args.output == Format::Json {
        return json(&reviewers);
    }
    print!("{}", table(&reviewers));
    Ok(0)
}

/// The reviewers by role and model, from what they said and what people decided.
fn judged(words: &[Word]) -> anyhow::Result<Vec<Reviewer>> {
    let records = TrackRecords::of(words.iter().map(Word::opinion))?;
    let mut reviewers: BTreeMap<(&str, &str), Reviewer> = BTreeMap::new();
    for word in words {
        let reviewer = reviewers.entry((&word.role, &word.model)).or_insert_with(|| {
            let weight = records.weight(&word.role, &word.model);
            Reviewer {
                role: word.role.clone(),
                model: word.model.clone(),
                votes: 0,
                rejections: 0,
                checked: 0,
                right_ppm: weight.right_ppm,
                weight_per_mille: weight.per_mille,
                explanation: weight.to_string(),
            }
        });
        reviewer.votes += 1;
        reviewer.rejections += u64::from(word.verdict == "Reject");
        reviewer.checked += u64::from(word.outcome.is_some());
    }
    Ok(reviewers.into_values().collect())
}

fn table(reviewers: &[Reviewer]) -> String {
    if reviewers.is_empty() {
        return "no votes yet\n".into();
    }
    let mut table = Table::new(&["ROLE", "MODEL", "VOTES", "REJECTED", "CHECKED", "RIGHT", "WEIGHT"]);
    for one in reviewers {
        table.row([
            one.role.clone(),
            one.model.clone(),
            one.votes.to_string(),
            one.rejections.to_string(),
            one.checked.to_string(),
            format!("{}.{} %", one.right_ppm / 10_000, one.right_ppm / 1000 % 10),
            format!("× {}.{}", one.weight_per_mille / 1000, one.weight_per_mille / 100 % 10),
        ]);
    }
    format!(
        "{}\nRIGHT is estimated from agreement, and from what people decided (CHECKED). WEIGHT counts under policies with \
         weights: TrackRecord, in reviews that open now.\n",
        table.render()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(item: usize, role: &str, verdict: &str, outcome: Option<&str>) -> Word {
        Word {
            task: "t".into(),
            item: item.to_string(),
            role: role.into(),
            model: "m".into(),
            verdict: verdict.into(),
            outcome: outcome.map(str::to_owned),
        }
    }

    #[test]
    fn who_is_right_more_often_than_usual_would_weigh_more_and_people_count_as_right() {
        let mut words = vec![];
        for item in 0..60 {
            let good = if item % 2 == 0 { "Approve" } else { "Reject" };
            let bad = if item % 2 == 0 { "Reject" } else { "Approve" };
            words.push(word(item, "security", good, Some(good)));
            words.push(word(item, "tester", if item % 5 == 0 { bad } else { good }, Some(good)));
            words.push(word(item, "naysayer", bad, Some(good)));
        }
        let told = judged(&words).unwrap();
        let of = |role: &str| told.iter().find(|r| r.role == role).unwrap();
        assert_eq!((of("security").votes, of("security").rejections, of("security").checked), (60, 30, 60));
        assert!(of("security").weight_per_mille > 1000 && of("naysayer").weight_per_mille == 500, "{told:?}");
        assert!(of("security").right_ppm > of("tester").right_ppm, "{told:?}");
        let text = table(&told);
        assert!(text.contains("naysayer   m       60      30         60"), "{text}");
    }

    #[test]
    fn without_votes_there_is_nothing_to_say() {
        assert_eq!(table(&judged(&[]).unwrap()), "no votes yet\n");
    }
}
