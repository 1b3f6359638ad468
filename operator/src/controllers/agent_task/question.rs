//! Whether a task that will probably cost more than there is may start, and what a person is asked about it. Pure: what
//! there is goes in, what is to be written and the verdict come out.
//!
//! A question is asked once: while it is open, and once it is answered, it stands for every forecast of the task up to
//! twice the figure that was asked about. Figures move a little with every like task that completes, and an answer must
//! not be stale for that.

use super::forecast::Excess;
use super::validate::Admit;
use crate::forecast_questions::{Evidence, Question, REFUSE, START, Short, Standing, WAIT};
use crate::models::Fault;
use crate::money::dollars;
use crate::times::shown;
use golden_crds::agent_task::EscalationStatus;
use golden_crds::conditions::agent_task as reason;
use golden_crds::governance_policy::{ForecastDeadline, OnExceeds};
use golden_platform::wire::StartedAnyway;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// What is to be written about the question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Step {
    #[default]
    Keep,
    /// Ask, in the place of what is asked now.
    Put(Box<Question>),
    Withdraw,
    /// Nobody answered in time.
    Expire(Box<Question>),
}

/// What follows for the task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ruling {
    pub(crate) step: Step,
    /// It may begin, if somebody chose so by an answer; or why not.
    pub(crate) verdict: Result<Option<StartedAnyway>, Fault>,
}

/// The end of a task that a person refused, or nobody let start in time. For good, whatever changes later.
pub(crate) fn refused(latest: Option<&Question>) -> Option<Fault> {
    let asked = latest.filter(|q| q.chosen.as_deref() == Some(REFUSE))?;
    let figures = &asked.evidence.message;
    Some(match &asked.answer {
        Some(answer) => Fault {
            reason: reason::ESCALATION_DENIED,
            message: format!("{} refused to let it start: {figures}", answer.decided_by),
        },
        None => Fault {
            reason: reason::ESCALATION_EXPIRED,
            message: format!("nobody answered before {}: {figures}", shown(asked.deadline_us)),
        },
    })
}

/// What becomes of the question of a task that cannot be admitted for other reasons: it stands, so that what passes does
/// not ask twice, unless the task ends or nobody is there to ask for.
pub(crate) fn meanwhile(fault: &Fault, latest: Option<&Question>, now: Timestamp) -> Step {
    let Some(open) = open(latest) else { return Step::Keep };
    match fault.reason {
        reason::CANCELLED | reason::DEPENDENCY_FAILED | reason::TEAM_NOT_FOUND => Step::Withdraw,
        _ if overdue(open, now) => Step::Expire(Box::new(open.clone())),
        _ => Step::Keep,
    }
}

/// The ruling for a task that nothing else keeps from beginning.
pub(crate) fn rule(
    admit: &Admit,
    excess: Option<&Excess>,
    latest: Option<&Question>,
    now: Timestamp,
) -> Ruling {
    let withdraw = || if open(latest).is_some() { Step::Withdraw } else { Step::Keep };
    let policy = &admit.policy.forecast;
    let Some(excess) = excess else { return Ruling { step: withdraw(), verdict: Ok(None) } };
    match policy.value.on_exceeds {
        OnExceeds::Admit => Ruling { step: withdraw(), verdict: Ok(None) },
        OnExceeds::Wait => {
            let then = format!("Policy {} lets it wait until then", policy.origin);
            Ruling { step: withdraw(), verdict: Err(excess.fault(&then)) }
        }
        OnExceeds::Ask => ask(admit, excess, latest, now),
    }
}

fn ask(admit: &Admit, excess: &Excess, latest: Option<&Question>, now: Timestamp) -> Ruling {
    let standing = latest.filter(|q| {
        q.standing != Standing::Withdrawn
            && q.team_uid == admit.team_uid
            && excess.wanted <= q.evidence.covers
    });
    let Some(asked) = standing else {
        let question = question(admit, excess, now);
        let verdict = Err(excess.fault(&how_to_answer(admit, &question)));
        return Ruling { step: Step::Put(Box::new(question)), verdict };
    };
    if asked.standing != Standing::Open {
        return Ruling { step: Step::Keep, verdict: answered(excess, asked) };
    }
    if overdue(asked, now) {
        let chosen = Some(asked.default_option.clone());
        let closed = Question { standing: Standing::Defaulted, chosen, ..asked.clone() };
        return Ruling { step: Step::Expire(Box::new(asked.clone())), verdict: answered(excess, &closed) };
    }
    Ruling { step: Step::Keep, verdict: Err(excess.fault(&how_to_answer(admit, asked))) }
}

/// What a closed question came to.
fn answered(excess: &Excess, asked: &Question) -> Result<Option<StartedAnyway>, Fault> {
    if let Some(refused) = refused(Some(asked)) {
        return Err(refused);
    }
    match &asked.answer {
        Some(decision) if asked.chosen.as_deref() == Some(START) => Ok(Some(StartedAnyway {
            question: serde_json::to_value(&asked.evidence).unwrap_or_default(),
            decision: decision.clone(),
        })),
        Some(decision) => Err(excess.fault(&format!("{} lets it wait until then", decision.decided_by))),
        None => {
            let deadline = shown(asked.deadline_us);
            Err(excess.fault(&format!("Nobody answered before {deadline}: it waits until then")))
        }
    }
}

fn question(admit: &Admit, excess: &Excess, now: Timestamp) -> Question {
    let default = match admit.policy.forecast.value.on_deadline.unwrap_or_default() {
        ForecastDeadline::Wait => WAIT,
        ForecastDeadline::Refuse => REFUSE,
    };
    let lacks = excess.lacks.iter().map(|lack| Short {
        account: lack.account.clone(),
        available: lack.available,
        missing: excess.wanted.saturating_sub(lack.available),
    });
    let (asked_at_us, seconds) = (now.as_microsecond(), admit.policy.escalation.deadline_seconds.value);
    let account = &admit.account;
    Question {
        task_uid: account.task_uid,
        task_name: account.name.clone(),
        team_uid: admit.team_uid,
        owner: admit.admission.team_name.clone(),
        digest: digest(admit, excess, asked_at_us),
        evidence: Evidence {
            message: excess.summary(),
            p50: excess.forecast.p50.0,
            p90: excess.forecast.p90.0,
            basis: excess.forecast.basis,
            wanted: excess.wanted,
            covers: excess.wanted.saturating_mul(2),
            lacks: lacks.collect(),
        },
        options: [START, WAIT, REFUSE].map(str::to_owned).into(),
        deadline_us: asked_at_us.saturating_add(seconds.saturating_mul(1_000_000)),
        default_option: default.to_owned(),
        standing: Standing::Open,
        chosen: None,
        answer: None,
    }
}

/// Binds what makes an answer one to this question: the task, its team, the figures, and when it was asked.
fn digest(admit: &Admit, excess: &Excess, asked_at_us: i64) -> String {
    let text = format!(
        "forecast question\n{}\n{}\n{}\n{}\n{}\n{}\n{asked_at_us}\n",
        admit.account.task_uid,
        admit.team_uid,
        excess.forecast.p50.0,
        excess.forecast.p90.0,
        excess.forecast.basis,
        excess.wanted
    );
    format!("sha256:{}", hex::encode(Sha256::digest(text)))
}

fn how_to_answer(admit: &Admit, asked: &Question) -> String {
    let (namespace, name) = (&admit.account.namespace, &asked.task_name);
    let then = if asked.default_option == REFUSE { "it fails" } else { "it waits" };
    format!(
        "Policy {} asks a person: `golden approve {name} -n {namespace}` lets it start all the same, as long as the \
         forecast is at most {}, `golden approve {name} -n {namespace} --option {WAIT}` lets it wait until there is \
         enough, `golden deny {name} -n {namespace}` refuses it. If nobody has answered by {}, {then}",
        admit.policy.forecast.origin,
        dollars(asked.evidence.covers),
        shown(asked.deadline_us),
    )
}

/// Characters of a message that the status takes.
const MOST_MESSAGE: usize = 1024;

/// As the status has it; none unless a person is asked now.
pub(crate) fn status(step: &Step, latest: Option<&Question>) -> Option<EscalationStatus> {
    let asked = match step {
        Step::Keep => open(latest)?,
        Step::Put(question) => question,
        Step::Withdraw | Step::Expire(_) => return None,
    };
    Some(EscalationStatus {
        id: START.to_owned(),
        message: asked.evidence.message.chars().take(MOST_MESSAGE).collect(),
        owner: asked.owner.clone(),
        evidence: vec![],
        reason: reason::FORECAST_EXCEEDS_BUDGET.to_owned(),
        options: asked.options.clone(),
        deadline: shown(asked.deadline_us),
        default_option: asked.default_option.clone(),
        digest: asked.digest.clone(),
    })
}

fn open(latest: Option<&Question>) -> Option<&Question> {
    latest.filter(|q| q.standing == Standing::Open)
}

fn overdue(asked: &Question, now: Timestamp) -> bool {
    now.as_microsecond() >= asked.deadline_us
}
