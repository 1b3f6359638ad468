use crate::forecast::{Forecast, LEAST_RUNS, Miss, Run, Source, Work, calls_bound, from_runs, upper_bound};
use crate::{MicroUsd, PriceError, Prices};
use proptest::prelude::*;

fn inline(bytes: u64) -> Work {
    Work { source: Source::Inline { bytes }, models: "m".into() }
}

fn git(repository: &str) -> Work {
    Work { source: Source::Git { repository: repository.into() }, models: "m".into() }
}

fn runs(work: &Work, costs: &[i64]) -> Vec<Run> {
    costs.iter().map(|cost| Run { work: work.clone(), cost: MicroUsd(*cost) }).collect()
}

fn forecast(p50: i64, p90: i64, basis: u32) -> Forecast {
    Forecast { p50: MicroUsd(p50), p90: MicroUsd(p90), basis }
}

#[test]
fn percentiles_are_costs_that_did_occur() {
    let work = inline(100);
    assert_eq!(from_runs(&work, &runs(&work, &[50, 10, 40, 20, 30])), Some(forecast(30, 50, 5)));
    let ten = [10, 9, 8, 7, 6, 5, 4, 3, 2, 1];
    assert_eq!(from_runs(&work, &runs(&work, &ten)), Some(forecast(5, 9, 10)));
}

#[test]
fn fewer_than_five_like_runs_are_no_basis() {
    let work = inline(100);
    assert_eq!(from_runs(&work, &[]), None);
    assert_eq!(from_runs(&work, &runs(&work, &[1, 2, 3, 4])), None);
    let other = Work { models: "dearer".into(), ..work.clone() };
    assert_eq!(from_runs(&work, &runs(&other, &[1; 50])), None, "other models have other prices");
}

#[test]
fn the_nearest_runs_count_and_farther_ones_only_where_these_are_too_few() {
    let (same, next, far) = (inline(70), inline(200), inline(100_000));
    let all =
        [runs(&same, &[1; 4]), runs(&next, &[10; 1]), runs(&far, &[100; 20]), runs(&git("a"), &[1000; 30])]
            .concat();
    assert_eq!(from_runs(&inline(100), &all), Some(forecast(1, 10, 5)));
    let more = [runs(&same, &[2]), all.clone()].concat();
    assert_eq!(from_runs(&inline(127), &more), Some(forecast(1, 2, 5)));
    assert_eq!(from_runs(&inline(128), &more).unwrap().basis, 6, "128 bytes are the next class");
    assert_eq!(from_runs(&inline(1 << 20), &all).unwrap().basis, 25, "the same kind of source");
    assert_eq!(from_runs(&git("b"), &all), Some(forecast(1000, 1000, 30)));
    let few = [runs(&git("a"), &[7; 2]), runs(&same, &[9; 3])].concat();
    assert_eq!(from_runs(&git("a"), &few).unwrap().basis, 5, "any source, in the end");
}

#[test]
fn without_history_the_least_bound_is_the_forecast() {
    assert_eq!(upper_bound([]), None);
    assert_eq!(upper_bound([MicroUsd(7), MicroUsd(3)]), Some(forecast(3, 3, 0)));
    let prices = Prices { input: 3_000_000, output: 15_000_000, ..Prices::default() };
    assert_eq!(calls_bound(40, 200_000, 4_000, &prices), Ok(MicroUsd(40 * (600_000 + 60_000))));
    let dear = Prices { input: i64::MAX, ..prices };
    assert_eq!(calls_bound(u64::MAX, 1, 1, &dear), Err(PriceError::Overflow));
}

#[test]
fn the_miss_is_a_share_of_what_the_task_did_cost() {
    let told = forecast(50, 120, 41);
    assert_eq!(told.miss(MicroUsd(100)), Some(Miss { percent: 50, covered: true }));
    assert_eq!(told.miss(MicroUsd(120)), Some(Miss { percent: 58, covered: true }));
    assert_eq!(told.miss(MicroUsd(121)), Some(Miss { percent: 58, covered: false }));
    assert_eq!(told.miss(MicroUsd(25)), Some(Miss { percent: 100, covered: true }));
    assert_eq!(told.miss(MicroUsd::ZERO), None);
}

fn any_work() -> impl Strategy<Value = Work> {
    let source = prop_oneof![
        any::<u64>().prop_map(|bytes| Source::Inline { bytes }),
        (0..4096_u64).prop_map(|bytes| Source::Inline { bytes }),
        "[ab]".prop_map(|repository| Source::Git { repository }),
    ];
    (source, "[mn]").prop_map(|(source, models)| Work { source, models })
}

fn any_runs() -> impl Strategy<Value = Vec<Run>> {
    let cost = prop_oneof![0..1_000_000_i64, Just(i64::MAX)];
    let run = (any_work(), cost).prop_map(|(work, cost)| Run { work, cost: MicroUsd(cost) });
    prop::collection::vec(run, 0..60)
}

proptest! {
    #[test]
    fn a_forecast_rests_on_enough_like_runs_and_names_their_costs(work in any_work(), runs in any_runs()) {
        let like: Vec<&Run> = runs.iter().filter(|r| r.work.models == work.models).collect();
        match from_runs(&work, &runs) {
            None => prop_assert!(like.len() < LEAST_RUNS),
            Some(told) => {
                let basis = told.basis as usize;
                prop_assert!((LEAST_RUNS..=like.len()).contains(&basis));
                prop_assert!(told.p50 <= told.p90);
                prop_assert!(like.iter().any(|r| r.cost == told.p50));
                prop_assert!(like.iter().any(|r| r.cost == told.p90));
            }
        }
    }

    #[test]
    fn the_order_of_the_runs_changes_nothing(work in any_work(), runs in any_runs()) {
        let reversed: Vec<Run> = runs.iter().rev().cloned().collect();
        prop_assert_eq!(from_runs(&work, &runs), from_runs(&work, &reversed));
    }

    #[test]
    fn of_like_runs_half_cost_no_more_than_the_p50_and_nine_in_ten_no_more_than_the_p90(
        costs in prop::collection::vec(0..1_000_i64, 5..60),
    ) {
        let work = inline(1);
        let told = from_runs(&work, &runs(&work, &costs)).unwrap();
        let within = |bound: MicroUsd| costs.iter().filter(|c| **c <= bound.0).count();
        prop_assert!(within(told.p50) * 2 >= costs.len());
        prop_assert!(within(told.p90) * 10 >= costs.len() * 9);
    }

    #[test]
    fn every_cost_can_be_compared(p50: i64, p90: i64, actual in 1..=i64::MAX) {
        let told = Forecast { p50: MicroUsd(p50), p90: MicroUsd(p90), basis: 0 };
        prop_assert_eq!(told.miss(MicroUsd(actual)).unwrap().covered, actual <= p90);
    }
}
