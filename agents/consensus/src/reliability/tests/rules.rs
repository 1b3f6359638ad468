//! Bounds, order, duplicates, outcomes, formats.

use super::crowd::{Crowd, Random, named};
use crate::{
    MAX_LABELS, MAX_NAME_BYTES, Opinion, SeatWeight, TrackRecord, TrackRecords, Votes, VotesError,
    read_outcomes, read_votes, write_labels, write_voters,
};
use proptest::prelude::*;

fn votes(text: &str) -> Votes {
    read_votes(text.as_bytes()).unwrap()
}

fn labels(votes: &Votes) -> String {
    let mut out = vec![];
    write_labels(&votes.estimate().unwrap(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn order_of_votes_changes_nothing_to_the_last_bit() {
    let crowd = Crowd {
        name: "",
        items: 200,
        voters: 30,
        votes: (1, 6),
        classes: &[0.5, 0.3, 0.2],
        right: (0.65, 0.15),
        uneven: 0.1,
        busy: 1.0,
        hostile: 0.1,
        idle: 0.1,
        shared: 0.5,
    };
    let drawn = crowd.draw(5);
    let sorted = |order: &[(usize, usize, usize)]| {
        let mut estimate = named(order).estimate().unwrap();
        estimate.items.sort_by(|a, b| a.item.cmp(&b.item));
        estimate.voters.sort_by(|a, b| a.voter.cmp(&b.voter));
        estimate
    };
    let one = sorted(&drawn.votes);
    for seed in 1..=5 {
        assert_eq!(sorted(&drawn.shuffled(seed)), one);
    }
}

#[test]
fn csv_is_answered_in_the_order_of_first_mention() {
    let text = "item,voter,label\nb,x,yes\na,x,no\nb,y,yes\nb,z,no\na,y,no\n\"c, d\",x,yes\n";
    let votes = votes(text);
    let lines: Vec<String> =
        labels(&votes).lines().map(|l| l.rsplit_once(',').unwrap().0.to_owned()).collect();
    assert_eq!(lines, ["item,label", "b,yes", "a,no", "\"c, d\",yes"]);
    let mut out = vec![];
    write_voters(&votes.estimate().unwrap(), &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    assert_eq!(
        out.lines().map(|l| l.split(',').next().unwrap()).collect::<Vec<_>>(),
        ["voter", "x", "y", "z"]
    );
    for value in out.lines().skip(1).map(|l| l.split(',').nth(1).unwrap().parse::<f64>().unwrap()) {
        assert!((0.01..=0.99).contains(&value));
    }
}

#[test]
fn columns_are_found_by_name_and_others_passed_over() {
    let plain = labels(&votes("item,voter,label\na,x,yes\na,y,no\na,z,yes\n"));
    let moved = "\u{feff}label,time,voter,item\r\nyes,1,x,a\r\nno,2,y,a\r\n yes ,3,z,a\r\n";
    assert_eq!(labels(&votes(moved)), plain);
}

#[test]
fn bad_input_is_refused_at_its_line() {
    let long = "x".repeat(MAX_NAME_BYTES + 1);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "the header names no column item; the first line must be: item,voter,label"),
        (b"item,label\na,b\n".to_vec(), "names no column voter"),
        (b"a,x,yes\nb,x,yes\n".to_vec(), "names no column item"),
        (b"item,voter,label\n".to_vec(), "no votes below the header"),
        (b"item,voter,label\na,x,yes\na,x\n".to_vec(), "line 3: 2 fields, but the header has 3"),
        (b"item,voter,label\na,,yes\n".to_vec(), "line 2: the voter is empty"),
        (b"item,voter,label\na,x,yes\n,x,yes\n".to_vec(), "line 3: the item is empty"),
        (b"item,voter,label\n\na,x,\n".to_vec(), "line 3: the label is empty"),
        (b"item,voter,label\na,x,y\xff\n".to_vec(), "line 2: not UTF-8"),
        (format!("item,voter,label\n{long},x,y\n").into_bytes(), "line 2: the item has 1025 bytes"),
    ];
    for (text, message) in cases {
        let fault = read_votes(text.as_slice()).unwrap_err().to_string();
        assert!(fault.contains(message), "{fault:?} does not contain {message:?}");
    }
}

#[test]
fn bounds_are_kept_with_the_numbers() {
    let mut votes = Votes::default();
    for label in 0..MAX_LABELS {
        votes.add("i", "v", &label.to_string()).unwrap();
    }
    assert_eq!(votes.add("i", "v", "more"), Err(VotesError::TooManyNames { what: "label", max: MAX_LABELS }));
    for voter in 0..134 {
        votes.add("i", &voter.to_string(), "0").unwrap();
    }
    let fault = votes.estimate().unwrap_err().to_string();
    assert!(fault.contains("1 items, 135 voters and 1000 labels") && fault.contains("135001000"), "{fault}");
}

#[test]
fn nobody_has_more_than_one_vote_on_an_item() {
    let few = "item,voter,label\na,x,yes\na,y,no\na,z,no\n";
    let many = few.to_owned() + &"a,x,yes\n".repeat(50);
    assert_eq!(labels(&votes(&many)), labels(&votes(few)));
    let estimate = votes(&many).estimate().unwrap();
    assert_eq!(estimate.voters.iter().map(|v| v.observations).collect::<Vec<_>>(), [1, 1, 1]);
    assert_eq!(estimate.items[0].label, "no");
}

#[test]
fn outcomes_are_believed_against_any_number_of_votes_and_judge_the_voters() {
    let mut text = String::from("item,voter,label\n");
    for item in 0..20 {
        for (voter, label) in [("x", "yes"), ("y", "yes"), ("z", "no")] {
            text += &format!("{item},{voter},{label}\n");
        }
    }
    let mut votes = votes(&text);
    let before = votes.estimate().unwrap();
    let z = |e: &crate::Estimate| e.voters.iter().find(|v| v.voter == "z").unwrap().reliability;
    assert!(before.items.iter().all(|i| i.label == "yes") && z(&before) < 0.5);
    let mut outcomes = String::from("item,label\n");
    for item in 0..15 {
        outcomes += &format!("{item},no\n");
    }
    read_outcomes(&mut votes, outcomes.as_bytes()).unwrap();
    let after = votes.estimate().unwrap();
    assert!(after.items[..15].iter().all(|i| i.label == "no" && i.confidence > 0.999));
    assert_eq!(after.items[19].label, "no", "z was right where it is known");
    assert!(z(&after) > 0.8, "{}", z(&after));
    let fault = read_outcomes(&mut votes, "item,label\n0,yes\n".as_bytes()).unwrap_err().to_string();
    assert!(fault.contains("line 2: item 0 has two different outcomes"), "{fault}");
}

#[test]
fn equal_votes_give_the_first_label_by_name_and_one_label_is_certain() {
    assert!(labels(&votes("item,voter,label\na,x,no\na,y,abc\n")).contains("a,abc,0.5"));
    assert!(labels(&votes("item,voter,label\na,x,no\nb,x,no\n")).contains("b,no,1.0"));
}

fn per_mille(right_ppm: u32, observations: u64, usual_ppm: u32) -> u32 {
    SeatWeight::of("security", "p/m", TrackRecord { right_ppm, observations }, usual_ppm).per_mille
}

#[test]
fn track_records_move_weights_within_bounds_and_say_why() {
    let weight = |right_ppm, observations| per_mille(right_ppm, observations, 750_000);
    assert_eq!(weight(1_000_000, 19), 1000, "too few votes");
    assert_eq!(weight(750_000, 1000), 1000, "as usual");
    assert_eq!(weight(1_000_000, 20), 1200, "half of what many votes give is 1.25");
    assert_eq!(
        weight(1_000_000, 1_000_000),
        1400,
        "not quite half as much again: rounded towards the policy's"
    );
    assert_eq!(weight(700_000, 1_000_000), 1000, "less than a tenth is chance");
    assert_eq!(weight(0, 1_000_000), 500);
    assert_eq!(per_mille(u32::MAX, u64::MAX, 0), 1500);
    let said = |right_ppm, observations| {
        SeatWeight::of("security", "p/m", TrackRecord { right_ppm, observations }, 750_000).to_string()
    };
    assert_eq!(said(900_000, 80), "security × 1.2: right in 90.0 % of 80 votes, usual is 75.0 %");
    assert_eq!(said(900_000, 8), "security × 1.0: 8 votes of the 20 that it takes");
}

#[test]
fn a_reviewer_is_a_role_and_a_model_and_is_judged_by_others_and_by_people() {
    let opinions: Vec<(String, &str, &str, &str, Option<&str>)> = (0..60)
        .flat_map(|item| {
            let (good, bad) = if item % 2 == 0 { ("Approve", "Reject") } else { ("Reject", "Approve") };
            let voters = [
                ("security", "p/m", good),
                ("security", "p/n", bad),
                ("tester", "p/m", if item % 5 == 0 { bad } else { good }),
            ];
            voters.map(|(role, model, verdict)| (format!("i{item}"), role, model, verdict, Some(good)))
        })
        .collect();
    let read = |rows: Vec<&(String, &str, &str, &str, Option<&str>)>| {
        let opinions = rows.iter().map(|(item, role, model, verdict, outcome)| Opinion {
            item,
            role,
            model,
            verdict,
            outcome: *outcome,
        });
        TrackRecords::of(opinions).unwrap()
    };
    let records = read(opinions.iter().collect());
    let of = |role, model| records.weight(role, model);
    assert_eq!((of("security", "p/m").observations, of("security", "p/n").per_mille), (60, 500));
    assert!(of("security", "p/m").per_mille > 1000, "{:?}", of("security", "p/m"));
    assert!(of("security", "p/m").right_ppm > of("tester", "p/m").right_ppm);
    assert_eq!(of("tester", "p/n").per_mille, 1000, "that model never spoke for the role");
    assert_eq!(records, read(opinions.iter().rev().collect()), "their order changes nothing");
    assert_eq!(TrackRecords::of([]).unwrap().weight("a", "m").per_mille, 1000);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_votes_have_an_estimate_within_bounds(seed: u64, number in 1..60usize, names in 1..8u64) {
        let random = &mut Random(seed);
        let mut votes = Votes::default();
        for _ in 0..number {
            let [item, voter, label] = [(); 3].map(|()| (random.word() % names).to_string());
            votes.add(&item, &voter, &label).unwrap();
        }
        let estimate = votes.estimate().unwrap();
        for item in &estimate.items {
            prop_assert!((0.0..=1.0).contains(&item.confidence) && !item.label.is_empty());
        }
        for voter in &estimate.voters {
            prop_assert!((0.01..=0.99).contains(&voter.reliability));
        }
    }

    #[test]
    fn weights_stay_within_half_and_half_as_much_again_and_follow_the_record(
        right in 0..=1_000_000u32, more in 0..=1_000_000u32, n in 0..10_000u64, usual in 0..=1_000_000u32,
    ) {
        prop_assert!((500..=1500).contains(&per_mille(right, n, usual)));
        prop_assert!(per_mille(right.saturating_add(more), n, usual) >= per_mille(right, n, usual));
    }
}
