//! What to do about a task. Pure.

use super::observe::Seen;
use super::pods::{PodSeen, is_terminal, read, vanished};
use super::question::{self, Step};
use super::rows::{Desired, Rows};
use super::validate::Admit;
use crate::caches::{label_of, runs_as};
use crate::forecast_questions::Question;
use crate::models::Fault;
use golden_crds::agent_task::EscalationStatus;
use golden_crds::labels::TASK_UID;
use golden_ledger::MicroUsd;
use golden_ledger::forecast::{Forecast, Miss};
use golden_platform::wire::{Fact, NewFact, PodOutcome, PodPhase};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use uuid::Uuid;

/// What came of looking whether a task may begin.
pub(crate) struct Weighed {
    admission: Result<Admit, Fault>,
    forecast: Option<Forecast>,
    step: Step,
    asks: Option<EscalationStatus>,
}

impl Weighed {
    /// `latest` is what was asked last.
    pub(crate) fn new(
        admission: Result<Admit, Fault>,
        forecast: Option<Forecast>,
        step: Step,
        latest: Option<&Question>,
    ) -> Self {
        Self { admission, forecast, asks: question::status(&step, latest), step }
    }

    /// Of a task that never begins, since a person refused.
    pub(crate) fn refused(latest: Option<&Question>) -> Option<Self> {
        let (asked, fault) = (&latest?.evidence, question::refused(latest)?);
        let forecast = Forecast { p50: MicroUsd(asked.p50), p90: MicroUsd(asked.p90), basis: asked.basis };
        Some(Self::new(Err(fault), Some(forecast), Step::Keep, latest))
    }
}

/// What to do.
#[derive(Default)]
pub(crate) struct Plan {
    /// The task may begin.
    pub(crate) admit: Option<Box<Admit>>,
    /// It may not, yet.
    pub(crate) fault: Option<Fault>,
    /// What it is expected to cost, while it is not admitted or just now.
    pub(crate) forecast: Option<Forecast>,
    /// What to write about the question whether it shall start.
    pub(crate) question: Step,
    /// What a person is asked about that now.
    pub(crate) asks: Option<EscalationStatus>,
    /// How far off its forecast was: the task has ended.
    pub(crate) missed: Option<(Forecast, Miss)>,
    /// What may change of a spec has changed: the generation to tell of.
    pub(crate) spec_changed: Option<i64>,
    /// Rows to make pods of.
    pub(crate) create: Vec<Desired>,
    /// Pods of rows that do not know them yet.
    pub(crate) adopt: Vec<(Desired, Uuid)>,
    /// Pods that are not wanted: namespace, name, uid.
    pub(crate) delete: Vec<(String, String, String)>,
    pub(crate) facts: Vec<NewFact>,
    /// A pod of a wanted name that is not the task's.
    pub(crate) taken: Option<String>,
}

/// Decides.
pub(crate) fn plan(seen: &Seen, weighed: Option<Weighed>) -> Plan {
    let mut plan = Plan::default();
    if let Some(Weighed { admission, forecast, step, asks }) = weighed {
        (plan.forecast, plan.question, plan.asks) = (forecast, step, asks);
        match admission {
            Ok(admit) => plan.admit = Some(Box::new(admit)),
            Err(fault) => plan.fault = Some(fault),
        }
    }
    let Some(admitted) = &seen.rows.admitted else { return plan };
    let generation = seen.task.metadata.generation.unwrap_or(0);
    plan.missed = missed(&seen.rows);
    if generation > admitted.generation && !seen.rows.ended {
        plan.spec_changed = Some(generation);
    }
    for row in &seen.rows.desired {
        one(seen, row, &mut plan);
    }
    plan
}

/// A cancelled task cost what it did by no plan; one that cost nothing (its team went) says nothing either.
fn missed(rows: &Rows) -> Option<(Forecast, Miss)> {
    let forecast = rows.forecast.filter(|_| rows.ended && !rows.cancelled && !rows.measured)?;
    Some((forecast, forecast.miss(MicroUsd(rows.usage.cost_micro_usd))?))
}

fn one(seen: &Seen, row: &Desired, plan: &mut Plan) {
    let wanted = row.wanted && !seen.team_gone();
    let Some(pod) = seen.pod(&row.namespace, &row.name) else {
        match row.pod_uid {
            None if wanted => plan.create.push(row.clone()),
            Some(uid) if wanted && !has_ended(&seen.rows, row) => tell(seen, row, uid, vanished(), plan),
            _ => {}
        }
        return;
    };
    let uid = pod.uid().unwrap_or_default();
    if !is_ours(&seen.uid.to_string(), row, pod) {
        if wanted {
            plan.taken = Some(row.name.clone());
        }
        return;
    }
    let Ok(pod_uid) = uid.parse::<Uuid>() else { return };
    match row.pod_uid {
        None => plan.adopt.push((row.clone(), pod_uid)),
        // The row's own pod is gone and somebody made another of its name.
        Some(known) if known != pod_uid => {
            if !has_ended(&seen.rows, row) {
                tell(seen, row, known, vanished(), plan);
            }
            plan.delete.push((row.namespace.clone(), row.name.clone(), uid));
            return;
        }
        Some(_) => {}
    }
    if wanted || is_terminal(pod) {
        tell(seen, row, pod_uid, read(pod), plan);
    } else if pod.metadata.deletion_timestamp.is_none() && !seen.rows.ending.contains(&pod_uid) {
        // One that is about to end by itself needs no request, and keeps its log.
        plan.delete.push((row.namespace.clone(), row.name.clone(), uid));
    }
}

/// Whether Golden made the pod for the task: by its label and its account, which the admission policies leave to Golden.
pub(crate) fn is_ours(task_uid: &str, row: &Desired, pod: &Pod) -> bool {
    label_of(pod, TASK_UID).is_some_and(|uid| uid == task_uid) && runs_as(pod, row.spec.kind.account())
}

/// Whether the row's pod was told to have ended.
pub(crate) fn has_ended(rows: &Rows, row: &Desired) -> bool {
    let ends = [PodPhase::Succeeded, PodPhase::Failed, PodPhase::Lost];
    row.pod_uid.is_some_and(|uid| ends.iter().any(|phase| rows.told.contains(&(uid, key(*phase)))))
}

/// The fact's key: one per phase, so that each is told once.
fn key(phase: PodPhase) -> String {
    format!("pod/{phase:?}")
}

fn tell(seen: &Seen, row: &Desired, pod_uid: Uuid, pod: PodSeen, plan: &mut Plan) {
    // An end is the last word: what follows it (a deleted Succeeded pod) says nothing.
    if seen.rows.told.contains(&(pod_uid, key(pod.phase)))
        || (has_ended(&seen.rows, row) && row.pod_uid == Some(pod_uid))
    {
        return;
    }
    let Some(admitted) = &seen.rows.admitted else { return };
    plan.facts.push(fact(seen, admitted.team_uid, row, pod_uid, pod));
}

/// What is told of a pod.
pub(crate) fn fact(seen: &Seen, team_uid: Uuid, row: &Desired, pod_uid: Uuid, pod: PodSeen) -> NewFact {
    NewFact {
        team_uid,
        task_uid: seen.uid,
        object_uid: pod_uid,
        fact_key: key(pod.phase),
        fact: Fact::Pod(PodOutcome {
            kind: row.spec.kind,
            name: row.name.clone(),
            pod_uid,
            attempt: row.attempt,
            r#try: row.r#try,
            phase: pod.phase,
            reason: pod.reason,
            message: pod.message,
            exit_code: pod.exit_code,
        }),
    }
}
