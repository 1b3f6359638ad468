use super::support::{SUBJECT, by, policy, voter, with_evidence};
use crate::{
    Fraction, OutcomeKind, Policy, Power, PowerError, SeatPower, Verdict, Voter, decide, least_weight,
    policy_power, power,
};
use num_bigint::BigUint;
use proptest::prelude::*;

fn text(fractions: &[Fraction]) -> Vec<String> {
    fractions.iter().map(Fraction::to_string).collect()
}

/// Sums over a common denominator.
fn sums_to_one(fractions: &[Fraction]) -> bool {
    let common: BigUint = fractions.iter().map(Fraction::denominator).product();
    let sum: BigUint = fractions.iter().map(|f| f.numerator() * (&common / f.denominator())).sum();
    sum == common
}

/// From the definitions, by looking at every coalition of at most 16 voters.
pub(super) fn by_definition(voters: usize, wins: impl Fn(usize) -> bool) -> Power {
    let factorial = |n: usize| (1..=n).map(BigUint::from).product::<BigUint>();
    let mut swings = vec![BigUint::ZERO; voters];
    let mut orders = vec![BigUint::ZERO; voters];
    for coalition in 0..1usize << voters {
        for voter in (0..voters).filter(|v| coalition & (1 << v) == 0) {
            if !wins(coalition) && wins(coalition | 1 << voter) {
                let size = coalition.count_ones() as usize;
                swings[voter] += 1u32;
                orders[voter] += factorial(size) * factorial(voters - 1 - size);
            }
        }
    }
    let all: BigUint = swings.iter().sum();
    let over = |numbers: &[BigUint], of: &BigUint| -> Vec<Fraction> {
        numbers.iter().map(|n| Fraction::new(n.clone(), of.clone())).collect()
    };
    Power {
        shapley_shubik: over(&orders, &factorial(voters)),
        banzhaf: over(&swings, &all),
        penrose_banzhaf: over(&swings, &(BigUint::from(1u32) << (voters - 1))),
    }
}

fn weight_of(weights: &[u64], coalition: usize) -> u64 {
    weights.iter().enumerate().filter(|(v, _)| coalition & (1 << v) != 0).map(|(_, w)| w).sum()
}

#[test]
fn known_games_have_their_published_power() {
    let three = power(&[50, 49, 1], 51).unwrap();
    assert_eq!(text(&three.shapley_shubik), ["2/3", "1/6", "1/6"]);
    assert_eq!(text(&three.banzhaf), ["3/5", "1/5", "1/5"]);
    assert_eq!(text(&three.penrose_banzhaf), ["3/4", "1/4", "1/4"]);
    // The council of the European Economic Community of 1958: Luxembourg could not matter.
    let council = power(&[4, 4, 4, 2, 2, 1], 12).unwrap();
    assert_eq!(text(&council.shapley_shubik), ["7/30", "7/30", "7/30", "3/20", "3/20", "0/1"]);
    assert_eq!(text(&council.banzhaf), ["5/21", "5/21", "5/21", "1/7", "1/7", "0/1"]);
    // The Security Council of the United Nations as a weighted game.
    let mut weights = vec![7; 5];
    weights.extend([1; 10]);
    let security = power(&weights, 39).unwrap();
    assert_eq!(text(&security.shapley_shubik[4..6]), ["421/2145", "4/2145"]);
    assert_eq!(text(&security.banzhaf[4..6]), ["106/635", "21/1270"]);
    assert_eq!(text(&power(&[3], 2).unwrap().shapley_shubik), ["1/1"]);
}

#[test]
fn veto_seats_are_in_every_winning_coalition() {
    // The Security Council as it is: five vetoes, nine of fifteen votes.
    let permanent = (0..5).map(|i| Voter { veto: true, ..voter(&format!("p{i}"), 1) });
    let policy = Policy {
        approve_percent: 60,
        ..policy(permanent.chain((0..10).map(|i| voter(&format!("e{i}"), 1))).collect())
    };
    let seats = policy_power(&policy).unwrap();
    assert_eq!(
        (seats[4].shapley_shubik.to_string(), seats[4].banzhaf.to_string()),
        ("421/2145".into(), "106/635".into())
    );
    assert_eq!((seats[5].role.as_str(), seats[5].banzhaf.to_string()), ("e0", "21/1270".to_owned()));
}

#[test]
fn weights_of_any_size_are_counted_exactly() {
    // More than a table could hold, so in halves; a common factor changes nothing.
    let weights: Vec<u64> = (1..=12u64).map(|i| i * i * 3 + i).collect();
    let quota = weights.iter().sum::<u64>() * 55 / 100;
    let large: Vec<u64> = weights.iter().map(|w| w * 100_000_007).collect();
    assert_eq!(power(&large, quota * 100_000_007).unwrap(), power(&weights, quota).unwrap());
}

#[test]
fn what_cannot_be_computed_is_refused_with_the_numbers() {
    let fault = |weights: &[u64], quota| power(weights, quota).unwrap_err().to_string();
    assert_eq!(power(&[], 1), Err(PowerError::NoVoters));
    assert!(fault(&[1; 1025], 5).starts_with("1025 weights, at most 1024"));
    assert!(fault(&[u64::MAX, u64::MAX], 5).contains("36893488147419103230"));
    assert!(fault(&[1, 2], 0).contains("quota 0 is outside 1 to 3"));
    assert!(fault(&[1, 2], 4).contains("quota 4 is outside 1 to 3"));
    assert!(fault(&[0, 0], 1).contains("outside 1 to 0"));
    let many: Vec<u64> = (1..=40u64).map(|i| i * 1_000_000_000 + i * i).collect();
    assert!(fault(&many, 400_000_000_000).contains("40 voters"));
}

#[test]
fn hundred_and_eighty_eight_weighted_voters_are_counted_exactly() {
    // The first 188 numbers of a linear congruence, 1 to 100. How long 1 to 1000 take is a benchmark's question.
    let next =
        |x: &u64| Some(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
    let weights: Vec<u64> =
        std::iter::successors(Some(7u64), next).skip(1).take(188).map(|x| (x >> 33) % 100 + 1).collect();
    let total: u64 = weights.iter().sum();
    for quota in [total / 2 + 1, total * 85 / 100, 1, total] {
        let power = power(&weights, quota).unwrap();
        assert!(sums_to_one(&power.shapley_shubik) && sums_to_one(&power.banzhaf));
        for i in (0..187).filter(|i| weights[*i] > weights[i + 1]) {
            let [a, b] = [&power.shapley_shubik[i], &power.shapley_shubik[i + 1]];
            assert!(a.numerator() * b.denominator() >= b.numerator() * a.denominator());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn power_is_that_of_the_definition(weights in proptest::collection::vec(0..30u64, 1..9), part in 0..1000u64) {
        let total: u64 = weights.iter().sum();
        prop_assume!(total > 0);
        let quota = 1 + part * (total - 1) / 999;
        let expected = by_definition(weights.len(), |coalition| weight_of(&weights, coalition) >= quota);
        prop_assert_eq!(power(&weights, quota).unwrap(), expected);
    }

    #[test]
    fn tables_and_halves_count_alike(weights in proptest::collection::vec(1..40u64, 1..24), part in 0..1000u64) {
        let mut weights = weights;
        weights.sort_unstable();
        let quota = 1 + part * (weights.iter().sum::<u64>() - 1) / 999;
        let table = crate::power::table::Shape::new(&weights, quota, 1 << 20).unwrap().count();
        let halves = crate::power::halves::count(&weights, quota);
        prop_assert_eq!(table.swings, halves.swings);
        prop_assert_eq!(table.losing, halves.losing);
    }

    #[test]
    fn policy_power_is_that_of_the_decision(
        seats in proptest::collection::vec((0..6u64, any::<bool>(), any::<bool>()), 1..7), approve_percent in 1..=100u32,
        quorum_percent in 1..=100u32, one_more in any::<bool>(),
    ) {
        let seat = |(i, (weight, veto, required)): (usize, &(u64, bool, bool))|
            Voter { veto: *veto, required: *required, ..voter(&format!("r{i}"), *weight) };
        let mut voters: Vec<Voter> = seats.iter().enumerate().map(seat).collect();
        let asked = voters.len();
        let additional = Voter { additional: true, ..voter("one more", least_weight(voters.iter().map(|v| v.weight))) };
        voters.extend(Some(additional).filter(|_| one_more));
        let policy = Policy { quorum_percent, approve_percent, ..policy(voters) };
        prop_assume!(policy.voters[..asked].iter().any(|v| v.weight > 0));
        let wins = |coalition: usize| {
            let verdict = |i: usize| if coalition & (1 << i) == 0 { Verdict::Reject } else { Verdict::Approve };
            let ballots: Vec<_> = policy.voters.iter().enumerate()
                .map(|(i, v)| with_evidence(by(&v.role, &v.role, verdict(i)), true)).collect();
            decide(&policy, &ballots, &[], SUBJECT, true).outcome.kind() == OutcomeKind::Approved
        };
        let expected = by_definition(policy.voters.len(), wins);
        let found = policy_power(&policy).unwrap();
        let shapley: Vec<_> = found.iter().map(|s| s.shapley_shubik.clone()).collect();
        let banzhaf: Vec<_> = found.iter().map(|s| s.banzhaf.clone()).collect();
        prop_assert_eq!((shapley, banzhaf), (expected.shapley_shubik, expected.banzhaf));
    }
}

#[test]
fn power_is_read_back_as_it_was_written() {
    let seats = policy_power(&super::support::team()).unwrap();
    let text = serde_json::to_string(&seats).unwrap();
    assert_eq!(serde_json::from_str::<Vec<SeatPower>>(&text).unwrap(), seats);
    let read = |text: &str| serde_json::from_value::<Fraction>(text.into());
    assert_eq!(read("2/4").unwrap().to_string(), "1/2");
    let long = format!("1/{}", "9".repeat(5000));
    for bad in ["", "1", "1/0", "/2", "1/", "-1/2", "+1/2", "1/2/3", " 1/2", long.as_str()] {
        assert!(read(bad).is_err(), "{bad:.20}");
    }
}
