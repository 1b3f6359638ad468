//! Which tasks begin, by their forecast.

use super::forecast::{Known, Payer, excess, forecast, shown, work};
use super::plan::plan;
use super::tests::{inputs, seen, task};
use super::validate::{Admit, admit};
use golden_crds::governance_policy::Percentile;
use golden_ledger::MicroUsd;
use golden_ledger::forecast::{Forecast, Miss, Run, Source};
use jiff::Timestamp;
use serde_json::json;
use std::sync::Arc;

pub(super) fn payer(limit: Option<i64>, spent: i64) -> Payer {
    let uid = admit(&inputs()).unwrap().path[0];
    let name = "team/shop".into();
    Payer { uid, name, limit, granted: 0, spent, reserved: 0, overage: 0, period_end_us: None }
}

fn waiting(percentile: Percentile, limit: Option<i64>) -> Admit {
    let mut admit = admit(&inputs()).unwrap();
    admit.policy.forecast.value.percentile = percentile;
    admit.account.limit_cost = limit;
    admit
}

const TOLD: Option<Forecast> = Some(Forecast { p50: MicroUsd(50), p90: MicroUsd(120), basis: 41 });

fn why(admit: &Admit, payers: &[Payer]) -> Option<String> {
    let excess = excess(admit, TOLD, payers, Timestamp::from_second(100).unwrap());
    excess.map(|e| e.fault("It waits").message)
}

#[test]
fn the_chosen_figure_is_compared_with_what_the_tightest_payer_has_left() {
    let (median, most) = (waiting(Percentile::P50, None), waiting(Percentile::P90, None));
    for (limit, spent, median_waits, most_waits) in
        [(120, 0, false, false), (119, 0, false, true), (150, 100, false, true), (149, 100, true, true)]
    {
        let payers = [payer(None, 9), payer(Some(1_000), 0), payer(Some(limit), spent)];
        assert_eq!(why(&median, &payers).is_some(), median_waits, "{limit} {spent}");
        assert_eq!(why(&most, &payers).is_some(), most_waits, "{limit} {spent}");
    }
    let message = why(&most, &[payer(Some(100), 1)]).unwrap();
    for part in [
        "p90 of 41 like tasks",
        "$0.00012",
        "p50 $0.00005",
        "Budget team/shop has $0.000099 left, $0.000021 too little; raise its limit. It waits",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(why(&most, &[payer(None, 0)]), None, "nothing limits the task");
    let own = why(&waiting(Percentile::P90, Some(60)), &[payer(Some(500), 0)]).unwrap();
    assert!(
        own.contains(
            "the task's own limit has $0.00006 left, $0.00006 too little; raise spec.limits.costMicroUSD"
        ),
        "{own}"
    );
}

#[test]
fn who_has_too_little_is_told_the_tightest_first_and_a_bounded_number_of_them() {
    let most = waiting(Percentile::P90, Some(60));
    let payers = [payer(Some(100), 0), payer(Some(120), 0), payer(Some(30), 0)];
    let told = excess(&most, TOLD, &payers, Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(told.lacks.iter().map(|l| l.available).collect::<Vec<_>>(), [30, 60, 100]);
    assert_eq!((told.wanted, told.lacks[1].account.as_str()), (120, "the task's own limit"));
    let many = vec![payer(Some(1), 0); 100];
    assert_eq!(excess(&most, TOLD, &many, Timestamp::UNIX_EPOCH).unwrap().lacks.len(), 16);
}

#[test]
fn what_is_reserved_or_over_is_not_available_and_a_period_that_ended_has_spent_nothing() {
    let most = waiting(Percentile::P90, None);
    assert!(why(&most, &[Payer { reserved: 881, ..payer(Some(1_000), 0) }]).is_some());
    assert!(why(&most, &[Payer { overage: 881, ..payer(Some(1_000), 0) }]).is_some());
    let spent = payer(Some(1_000), 1_000);
    assert!(why(&most, &[Payer { period_end_us: Some(100_000_001), ..spent.clone() }]).is_some());
    assert_eq!(why(&most, &[Payer { period_end_us: Some(100_000_000), ..spent.clone() }]), None);
    let granted = Payer { granted: 120, period_end_us: Some(100_000_001), ..spent.clone() };
    assert_eq!(why(&most, std::slice::from_ref(&granted)), None, "what people granted is there to be spent");
    assert!(why(&most, &[Payer { granted: 119, ..granted }]).is_some());
    let carried = Payer { period_end_us: Some(1), reserved: 881, ..spent };
    assert!(why(&most, &[carried]).is_some(), "what calls under way have reserved is carried over");
}

#[test]
fn a_limit_below_what_is_spent_leaves_nothing_and_no_number_overflows() {
    let most = waiting(Percentile::P90, None);
    let odd = Payer { spent: i64::MAX, reserved: i64::MAX, overage: i64::MAX, ..payer(Some(5), 0) };
    assert!(why(&most, &[odd]).unwrap().contains("has $0.00 left"));
}

#[test]
fn without_history_the_least_bound_is_told() {
    let bound = |change: fn(&mut super::inputs::Inputs), payers: Vec<Payer>| {
        let mut inputs = inputs();
        change(&mut inputs);
        forecast(&inputs, &admit(&inputs).unwrap(), &Known { runs: vec![], payers }).map(|f| f.p90.0)
    };
    // A call of 10 + 5 tokens costs one micro-USD: 40 of the agent, two of each of four voters about each of 16 parts,
    // three attempts.
    assert_eq!(bound(|_| (), vec![]), Some((40 + 4 * 2 * 16) * 3));
    assert_eq!(bound(|i| i.task = task(&json!({"limits": {"costMicroUSD": 7}})), vec![]), Some(7));
    assert_eq!(bound(|_| (), vec![payer(Some(9), 5)]), Some(9));
    let foreign = |inputs: &mut super::inputs::Inputs| {
        let team = Arc::make_mut(inputs.team.as_mut().unwrap());
        team.spec.roles[0].agent = serde_json::from_value(json!({"image": "i", "command": ["c"]})).unwrap();
    };
    assert_eq!(bound(foreign, vec![]), None, "nobody knows how often a foreign agent calls");
    assert_eq!(bound(foreign, vec![payer(Some(1_000_000), 0)]), Some(1_000_000));
    let daily = |inputs: &mut super::inputs::Inputs| {
        let budget = Arc::make_mut(&mut inputs.budgets[0]);
        budget.spec.period = golden_crds::budget::Period::Day;
    };
    assert_eq!(bound(daily, vec![payer(Some(9), 5)]), Some(18), "an hour may lie in two days");
}

#[test]
fn like_tasks_of_the_same_models_are_history() {
    let inputs = inputs();
    let admit = admit(&inputs).unwrap();
    assert_eq!(admit.work.source, Source::Inline { bytes: 1 });
    let runs = (1..=5).map(|cost| Run { work: admit.work.clone(), cost: MicroUsd(cost) }).collect();
    let told = forecast(&inputs, &admit, &Known { runs, payers: vec![] }).unwrap();
    assert_eq!(told, Forecast { p50: MicroUsd(3), p90: MicroUsd(5), basis: 5 });
    let mut models = admit.admission.models.clone();
    models.get_mut("role:developer").unwrap().model = "other".into();
    assert_ne!(work(&inputs.task.spec, &models).models, admit.work.models);
    models = admit.admission.models.clone();
    models.insert("role:idle".into(), models["role:developer"].clone());
    assert_eq!(work(&inputs.task.spec, &models).models, admit.work.models, "it calls nothing");
}

#[test]
fn people_read_both_figures_or_that_it_is_a_bound() {
    let dollars = |p50, p90, basis| Forecast { p50: MicroUsd(p50), p90: MicroUsd(p90), basis };
    assert_eq!(shown(dollars(50_000, 120_000, 41)).cost, "$0.05, p90 $0.12");
    assert_eq!(shown(dollars(9, 9, 0)).cost, "at most $0.000009");
    assert!(shown(dollars(i64::MAX, i64::MAX, 5)).cost.len() <= 64);
}

#[test]
fn a_forecast_is_compared_once_with_what_the_ended_task_did_cost() {
    let missed = |cost: i64, change: fn(&mut super::rows::Rows)| {
        let mut seen = seen(vec![], vec![]);
        seen.rows.forecast = TOLD;
        seen.rows.ended = true;
        seen.rows.usage.cost_micro_usd = cost;
        change(&mut seen.rows);
        plan(&seen, None).missed.map(|(_, miss)| miss)
    };
    assert_eq!(missed(100, |_| ()), Some(Miss { percent: 50, covered: true }));
    assert_eq!(missed(200, |_| ()), Some(Miss { percent: 75, covered: false }));
    assert_eq!(missed(0, |_| ()), None, "it never called a model");
    assert_eq!(missed(100, |rows| rows.ended = false), None);
    assert_eq!(missed(100, |rows| rows.measured = true), None);
    assert_eq!(missed(100, |rows| rows.cancelled = true), None);
    assert_eq!(missed(100, |rows| rows.forecast = None), None);
}
