//! How good the labels are, beside Dawid–Skene's with all votes.

use super::crowd::{Crowd, Drawn, named};
use super::dawid_skene;
use std::collections::HashMap;

const EVEN: Crowd = Crowd {
    name: "",
    items: 1000,
    voters: 100,
    votes: (5, 5),
    classes: &[1.0, 1.0],
    right: (0.7, 0.12),
    uneven: 0.08,
    busy: 0.8,
    hostile: 0.0,
    idle: 0.1,
    shared: 0.5,
};

const CROWDS: [Crowd; 10] = [
    Crowd {
        name: "everyone on every item, each with a bias",
        items: 108,
        voters: 39,
        votes: (39, 39),
        right: (0.65, 0.15),
        uneven: 0.15,
        ..EVEN
    },
    Crowd { name: "a few do most", votes: (10, 10), busy: 1.2, ..EVEN },
    Crowd {
        name: "one to eight votes, many voters",
        items: 3000,
        voters: 400,
        votes: (1, 8),
        right: (0.68, 0.12),
        hostile: 0.05,
        ..EVEN
    },
    Crowd {
        name: "three votes, one class rare",
        items: 4000,
        votes: (3, 3),
        classes: &[0.88, 0.12],
        right: (0.82, 0.1),
        ..EVEN
    },
    Crowd {
        name: "four classes that are confused",
        votes: (9, 9),
        classes: &[1.0; 4],
        right: (0.6, 0.1),
        uneven: 0.12,
        shared: 1.0,
        ..EVEN
    },
    Crowd {
        name: "five uneven classes, weak voters",
        items: 6000,
        voters: 300,
        votes: (2, 6),
        classes: &[0.3, 0.25, 0.25, 0.1, 0.1],
        right: (0.52, 0.15),
        uneven: 0.15,
        idle: 0.2,
        shared: 1.5,
        ..EVEN
    },
    Crowd {
        name: "ten classes, three votes",
        items: 3000,
        voters: 150,
        votes: (3, 3),
        classes: &[1.0; 10],
        right: (0.6, 0.2),
        uneven: 0.0,
        shared: 0.0,
        ..EVEN
    },
    Crowd {
        name: "a quarter says the wrong on purpose",
        items: 2000,
        classes: &[1.0; 3],
        right: (0.75, 0.1),
        hostile: 0.25,
        ..EVEN
    },
    Crowd {
        name: "one to twenty votes",
        items: 2000,
        votes: (1, 20),
        classes: &[0.7, 0.2, 0.1],
        right: (0.65, 0.15),
        hostile: 0.05,
        ..EVEN
    },
    Crowd {
        name: "five votes a voter",
        items: 2000,
        voters: 1000,
        votes: (2, 3),
        classes: &[1.0; 3],
        busy: 0.3,
        ..EVEN
    },
];

/// Ours, Dawid–Skene's and the majority's percent of right labels.
fn accuracies(crowd: &Crowd, drawn: &Drawn) -> (f64, f64, f64) {
    let size = (crowd.items, crowd.voters, crowd.classes.len());
    let estimate = named(&drawn.shuffled(9)).estimate().unwrap();
    let ours: HashMap<&str, usize> =
        estimate.items.iter().map(|i| (i.item.as_str(), i.label[1..].parse().unwrap())).collect();
    let reference = dawid_skene::labels(&drawn.votes, size);
    let heads = dawid_skene::majority(&drawn.votes, size.0, size.2);
    (
        drawn.accuracy(|item| ours.get(format!("i{item}").as_str()).copied()),
        drawn.accuracy(|item| reference.get(item).copied()),
        drawn.accuracy(|item| heads.get(item).copied()),
    )
}

#[test]
fn labels_are_at_most_half_a_point_worse_than_dawid_skenes_on_any_crowd() {
    for crowd in CROWDS {
        let seeds = if crowd.items < 1000 { 8 } else { 2 };
        let mut sums = (0.0, 0.0, 0.0);
        for seed in 1..=seeds {
            let (ours, reference, heads) = accuracies(&crowd, &crowd.draw(seed));
            sums = (sums.0 + ours, sums.1 + reference, sums.2 + heads);
        }
        let seeds = seeds as f64;
        let (ours, reference, heads) = (sums.0 / seeds, sums.1 / seeds, sums.2 / seeds);
        println!("{:45} ours {ours:.2}, Dawid–Skene {reference:.2}, majority {heads:.2}", crowd.name);
        assert!(ours >= reference - 0.5, "{}: {ours:.2} against {reference:.2}", crowd.name);
        // Nor is counting heads much better, as it is than Dawid–Skene where votes are few.
        assert!(ours >= heads - 1.0, "{}: {ours:.2} against {heads:.2} by majority", crowd.name);
    }
}

#[test]
fn reliabilities_are_those_of_the_reviewers() {
    let crowd = Crowd { items: 3000, voters: 40, votes: (7, 7), hostile: 0.1, busy: 0.2, ..EVEN };
    let drawn = crowd.draw(3);
    let estimate = named(&drawn.votes).estimate().unwrap();
    let mut right = vec![(0.0, 0.0); crowd.voters];
    for (item, voter, label) in &drawn.votes {
        right[*voter].0 += f64::from(u8::from(drawn.truth[*item] == *label));
        right[*voter].1 += 1.0;
    }
    for voter in &estimate.voters {
        let (hits, votes): (f64, f64) = right[voter.voter[1..].parse::<usize>().unwrap()];
        let off = (voter.reliability - hits / votes).abs();
        assert!(
            off < 0.06,
            "{} is right in {:.2} of {votes} votes, said: {:.2}",
            voter.voter,
            hits / votes,
            voter.reliability
        );
    }
}
