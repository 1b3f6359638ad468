//! Whether a task may start, and what a person is asked about it.

use super::forecast::{Excess, excess};
use super::forecast_tests::payer;
use super::plan::{Plan, Weighed, plan};
use super::question::{Ruling, Step, meanwhile, rule};
use super::rows::Rows;
use super::status::status;
use super::tests::{inputs, seen};
use super::urgency::{Urgency, urgency};
use super::validate::{Admit, admit};
use crate::forecast_questions::{Question, Standing};
use crate::models::Fault;
use golden_crds::AgentTaskStatus;
use golden_crds::conditions::agent_task::{CANCELLED, PROVIDER_NOT_READY, TEAM_NOT_FOUND};
use golden_crds::conditions::{ADMITTED, APPROVED, FAILED, RECONCILING, STALLED, find, is_true};
use golden_crds::decision::Verdict;
use golden_crds::governance_policy::{ForecastDeadline, OnExceeds};
use golden_ledger::MicroUsd;
use golden_ledger::forecast::Forecast;
use golden_platform::wire::PersonDecision;
use jiff::Timestamp;
use proptest::prelude::*;
use std::sync::Arc;
use uuid::Uuid;

const DAY: i64 = 86_400;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn asking(on_deadline: Option<ForecastDeadline>) -> Admit {
    let mut admit = admit(&inputs()).unwrap();
    admit.policy.forecast.value.on_exceeds = OnExceeds::Ask;
    admit.policy.forecast.value.on_deadline = on_deadline;
    admit
}

/// A Budget has 100 micro-USD left of what is expected to be `p90`.
fn beyond(admit: &Admit, p90: i64) -> Option<Excess> {
    let forecast = Forecast { p50: MicroUsd(50), p90: MicroUsd(p90), basis: 7 };
    excess(admit, Some(forecast), &[payer(Some(100), 0)], at(0))
}

fn ruled(admit: &Admit, p90: i64, latest: Option<&Question>, second: i64) -> Ruling {
    rule(admit, beyond(admit, p90).as_ref(), latest, at(second))
}

/// What is asked at first.
fn first(admit: &Admit, p90: i64) -> Question {
    let Step::Put(question) = ruled(admit, p90, None, 0).step else { panic!("nothing is asked") };
    *question
}

fn answered(asked: &Question, option: &str) -> Question {
    let decision = PersonDecision {
        decision_uid: Uuid::nil(),
        name: "d".into(),
        decided_by: "bob".into(),
        verdict: Verdict::Approve,
        option: None,
        note: None,
        digest: asked.digest.clone(),
        question: "Start".into(),
    };
    Question {
        standing: Standing::Resolved,
        chosen: Some(option.into()),
        answer: Some(decision),
        ..asked.clone()
    }
}

fn message(ruling: &Ruling) -> &str {
    &ruling.verdict.as_ref().unwrap_err().message
}

#[test]
fn a_person_is_told_the_figures_who_lacks_how_much_the_options_and_what_counts_otherwise() {
    let asked = first(&asking(None), 120);
    assert_eq!((asked.evidence.p50, asked.evidence.p90, asked.evidence.basis), (50, 120, 7));
    let short = &asked.evidence.lacks[0];
    assert_eq!((short.account.as_str(), short.available, short.missing), ("Budget team/shop", 100, 20));
    assert_eq!(asked.options, ["Start", "Wait", "Refuse"]);
    assert_eq!((asked.owner.as_str(), asked.default_option.as_str()), ("core", "Wait"));
    assert_eq!(asked.deadline_us, DAY * 1_000_000, "as the policy's escalations");
    assert_eq!(first(&asking(Some(ForecastDeadline::Refuse)), 120).default_option, "Refuse");
    let ruling = ruled(&asking(None), 120, Some(&asked), 1);
    for part in [
        "$0.00012 (p50 $0.00005)",
        "has $0.0001 left, $0.00002 too little",
        "`golden approve fix -n team` lets it start",
        "`golden approve fix -n team --option Wait`",
        "`golden deny fix -n team` refuses it",
        "answered by 1970-01-02T00:00:00Z, it waits",
    ] {
        assert!(message(&ruling).contains(part), "{part}: {}", message(&ruling));
    }
}

#[test]
fn an_open_question_stands_while_figures_move_a_little_and_is_another_one_when_they_double() {
    let admit = asking(None);
    let asked = first(&admit, 120);
    for p90 in [101, 120, 121, 240] {
        assert_eq!(ruled(&admit, p90, Some(&asked), 9).step, Step::Keep, "{p90}");
    }
    let Step::Put(other) = ruled(&admit, 241, Some(&asked), 9).step else { panic!("it is not asked again") };
    assert_ne!(other.digest, asked.digest);
}

#[test]
fn a_forecast_that_fits_and_a_policy_that_does_not_ask_withdraw_the_question() {
    let admit = asking(None);
    let asked = first(&admit, 120);
    let fits = ruled(&admit, 100, Some(&asked), 9);
    assert_eq!((fits.step, fits.verdict), (Step::Withdraw, Ok(None)));
    assert_eq!(ruled(&admit, 100, None, 9).step, Step::Keep, "there is nothing to withdraw");
    for (on_exceeds, begins) in [(OnExceeds::Admit, true), (OnExceeds::Wait, false)] {
        let mut other = asking(None);
        other.policy.forecast.value.on_exceeds = on_exceeds;
        let ruling = ruled(&other, 120, Some(&asked), 9);
        assert_eq!((ruling.step, ruling.verdict.is_ok()), (Step::Withdraw, begins));
    }
    let withdrawn = Question { standing: Standing::Withdrawn, ..asked };
    assert!(matches!(ruled(&admit, 120, Some(&withdrawn), 9).step, Step::Put(_)), "it is asked anew");
}

#[test]
fn an_answer_counts_once_and_for_good() {
    let admit = asking(None);
    let asked = first(&admit, 120);
    let start = ruled(&admit, 200, Some(&answered(&asked, "Start")), DAY + 1);
    let started = start.verdict.unwrap().unwrap();
    assert_eq!((start.step, started.decision.decided_by.as_str()), (Step::Keep, "bob"));
    assert_eq!(started.question["wantedMicroUSD"], 120);
    let wait = ruled(&admit, 120, Some(&answered(&asked, "Wait")), 9);
    assert_eq!(wait.step, Step::Keep, "nobody is asked again");
    assert!(message(&wait).ends_with("bob lets it wait until then"), "{}", message(&wait));
    assert_eq!(ruled(&admit, 100, Some(&answered(&asked, "Wait")), 9).verdict, Ok(None), "there is enough");
    let refused = answered(&asked, "Refuse");
    let fault = ruled(&admit, 120, Some(&refused), 9).verdict.unwrap_err();
    assert_eq!(fault.reason, "EscalationDenied");
    assert!(Weighed::refused(Some(&refused)).is_some(), "whatever else there is");
    let of_another_team = Question { team_uid: Uuid::nil(), ..answered(&asked, "Start") };
    assert!(matches!(ruled(&admit, 120, Some(&of_another_team), 9).step, Step::Put(_)));
}

#[test]
fn the_default_counts_at_the_deadline_and_is_never_a_start() {
    for (rule, reason) in
        [(ForecastDeadline::Wait, "ForecastExceedsBudget"), (ForecastDeadline::Refuse, "EscalationExpired")]
    {
        let admit = asking(Some(rule));
        let asked = first(&admit, 120);
        assert_eq!(ruled(&admit, 120, Some(&asked), DAY - 1).step, Step::Keep);
        let late = ruled(&admit, 120, Some(&asked), DAY);
        assert_eq!(late.step, Step::Expire(Box::new(asked.clone())));
        assert_eq!(late.verdict.unwrap_err().reason, reason);
        let chosen = Some(asked.default_option.clone());
        let closed = Question { standing: Standing::Defaulted, chosen, ..asked };
        let after = ruled(&admit, 120, Some(&closed), DAY + 9);
        assert_eq!((after.step, after.verdict.unwrap_err().reason), (Step::Keep, reason));
    }
}

#[test]
fn what_else_keeps_a_task_back_leaves_the_question_open_unless_the_task_is_given_up() {
    let asked = first(&asking(None), 120);
    let of = |reason, second| {
        let fault = Fault { reason, message: String::new() };
        meanwhile(&fault, Some(&asked), at(second))
    };
    assert_eq!(of(PROVIDER_NOT_READY, 9), Step::Keep);
    assert_eq!(of(PROVIDER_NOT_READY, DAY), Step::Expire(Box::new(asked.clone())));
    assert_eq!((of(CANCELLED, 9), of(TEAM_NOT_FOUND, 9)), (Step::Withdraw, Step::Withdraw));
    let fault = Fault { reason: CANCELLED, message: String::new() };
    let closed = answered(&asked, "Wait");
    assert_eq!(
        (meanwhile(&fault, None, at(9)), meanwhile(&fault, Some(&closed), at(9))),
        (Step::Keep, Step::Keep)
    );
}

fn shown(
    before: Option<AgentTaskStatus>,
    ruling: Ruling,
    latest: Option<&Question>,
) -> (Plan, AgentTaskStatus) {
    let mut seen = seen(vec![], vec![]);
    seen.rows = Rows::default();
    Arc::make_mut(&mut seen.task).status = before;
    let admission = ruling.verdict.map(|_| admit(&inputs()).unwrap());
    let plan = plan(&seen, Some(Weighed::new(admission, None, ruling.step, latest)));
    let status = status(&seen, &plan, None, at(1));
    (plan, status)
}

#[test]
fn the_status_shows_the_question_at_once_and_what_it_came_to() {
    let admit = asking(None);
    let (_, open) = shown(None, ruled(&admit, 120, None, 0), None);
    let asked = first(&admit, 120);
    let escalation = open.escalation.as_ref().unwrap();
    assert_eq!((&escalation.digest, escalation.options.len()), (&asked.digest, 3));
    let reason = |status: &AgentTaskStatus, type_| find(&status.conditions, type_).map(|c| c.reason.clone());
    assert_eq!(reason(&open, ADMITTED).as_deref(), Some("ForecastExceedsBudget"));
    assert_eq!(reason(&open, APPROVED).as_deref(), Some("EscalationPending"));
    assert_eq!(reason(&open, RECONCILING).as_deref(), Some("AwaitingPerson"));
    assert_eq!(urgency(&AgentTaskStatus::default(), &open), Urgency::Now);

    let fault = Fault { reason: PROVIDER_NOT_READY, message: "its provider is away".into() };
    let beside = Ruling { step: Step::Keep, verdict: Err(fault) };
    let (_, kept) = shown(Some(open.clone()), beside, Some(&asked));
    assert_eq!(kept.escalation, open.escalation, "it can be answered meanwhile");
    let told = &find(&kept.conditions, APPROVED).unwrap().message;
    assert!(told.contains("asked whether it shall start") && told.contains("provider is away"), "{told}");
    assert_eq!(reason(&kept, STALLED).as_deref(), Some("ProviderNotReady"));

    let of = |option: &str| {
        let answered = answered(&asked, option);
        shown(Some(open.clone()), ruled(&admit, 120, Some(&answered), 9), Some(&answered))
    };
    let (plan, going) = of("Start");
    assert!(plan.admit.is_some() && is_true(&going.conditions, ADMITTED));
    assert_eq!((going.escalation, find(&going.conditions, APPROVED)), (None, None));
    let (_, waits) = of("Wait");
    assert_eq!((waits.escalation.as_ref(), find(&waits.conditions, APPROVED)), (None, None));
    assert_eq!(reason(&waits, STALLED).as_deref(), Some("ForecastExceedsBudget"));
    let (_, refused) = of("Refuse");
    assert_eq!(refused.escalation, None);
    assert_eq!(reason(&refused, FAILED).as_deref(), Some("EscalationDenied"));
    assert_eq!(reason(&refused, APPROVED).as_deref(), Some("EscalationDenied"));
}

/// What happens to a task that waits.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Forecast(i64),
    Answer(&'static str),
    Later(i64),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        (50_i64..500).prop_map(Happening::Forecast),
        prop_oneof![Just("Start"), Just("Wait"), Just("Refuse")].prop_map(Happening::Answer),
        (1_i64..DAY).prop_map(Happening::Later),
    ]
}

proptest! {
    /// Steps are carried out as the database does.
    #[test]
    fn nothing_begins_beyond_what_there_is_without_a_person_and_no_refusal_is_taken_back(
        refuses in any::<bool>(),
        happenings in prop::collection::vec(happening(), 1..40),
    ) {
        let admit = asking(refuses.then_some(ForecastDeadline::Refuse));
        let (mut latest, mut p90, mut second, mut refused): (Option<Question>, i64, i64, bool) = (None, 120, 0, false);
        let mut figures: Vec<i64> = vec![];
        for happening in happenings {
            match happening {
                Happening::Forecast(next) => p90 = next,
                Happening::Later(seconds) => second += seconds,
                Happening::Answer(option) => {
                    if let Some(open) = latest.as_ref().filter(|q| q.standing == Standing::Open) {
                        latest = Some(answered(open, option));
                    }
                }
            }
            let ruling = ruled(&admit, p90, latest.as_ref(), second);
            if let Ok(started) = &ruling.verdict {
                prop_assert!(p90 <= 100 || started.is_some());
                // A refusal is looked at before anything else.
                prop_assert!(p90 <= 100 || !refused);
            }
            match ruling.step {
                Step::Keep => {}
                Step::Put(question) => {
                    // Of a task in one team, only a figure that no standing answer covers is asked about.
                    let standing = latest.as_ref().filter(|q| q.standing != Standing::Withdrawn);
                    prop_assert!(standing.is_none_or(|q| p90 > q.evidence.covers));
                    figures.push(p90);
                    latest = Some(*question);
                }
                Step::Withdraw => latest = latest.map(|q| Question { standing: Standing::Withdrawn, ..q }),
                Step::Expire(question) => {
                    let chosen = Some(question.default_option.clone());
                    latest = Some(Question { standing: Standing::Defaulted, chosen, ..*question });
                }
            }
            refused = Weighed::refused(latest.as_ref()).is_some();
            if refused {
                break;
            }
        }
        prop_assert!(figures.iter().all(|p90| *p90 > 100));
    }
}
