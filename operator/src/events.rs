//! Events on transitions, through one Recorder, so that repeats become a series and not a flood.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use std::time::Duration;

use golden_crds::conditions::{
    ACCEPTED, ADMITTED, ANSWERED, BUDGET_AVAILABLE, COMPLETE, FAILED, FALLBACKS_USABLE, GUARDS_PASSED,
    LIMITS_SHARED, REACHABLE, READY, RECONCILING, STALLED, find,
};

/// How long an event may take; a lost event never fails a reconcile.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sends events about objects.
#[derive(Clone)]
pub(crate) struct Events(Recorder);

impl Events {
    /// `instance` is the pod's name.
    pub(crate) fn new(client: Client, instance: &str) -> Self {
        let reporter = Reporter { controller: "golden-operator".into(), instance: Some(instance.into()) };
        Self(Recorder::new(client, reporter))
    }

    /// Tells what changed between two lists of conditions.
    pub(crate) async fn transitions<K>(&self, object: &K, before: &[Condition], after: &[Condition])
    where
        K: Resource<DynamicType = ()>,
    {
        for told in transitions(before, after) {
            self.send(object, told.warning, &told.reason, &told.message).await;
        }
    }

    /// Sends one event.
    pub(crate) async fn send<K>(&self, object: &K, warning: bool, reason: &str, message: &str)
    where
        K: Resource<DynamicType = ()>,
    {
        self.send_to(&object.object_ref(&()), warning, reason, message).await;
    }

    /// Sends one event about an object of which only the reference is known.
    pub(crate) async fn send_to(&self, object: &ObjectReference, warning: bool, reason: &str, message: &str) {
        let event = Event {
            type_: if warning { EventType::Warning } else { EventType::Normal },
            reason: bounded(reason, 128),
            note: Some(bounded(message, 1024)),
            action: "Reconcile".into(),
            secondary: None,
        };
        let sent = self.0.publish(&event, object);
        match tokio::time::timeout(PATIENCE, sent).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, reason, "an event could not be sent"),
            Err(_) => tracing::warn!(reason, "an event could not be sent in time"),
        }
    }
}

/// One change worth an event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) warning: bool,
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// The changes of status or reason, each reason once. Reconciling only says where work stands: no event.
pub(crate) fn transitions(before: &[Condition], after: &[Condition]) -> Vec<Told> {
    let mut told: Vec<Told> = Vec::new();
    for condition in after {
        let same = find(before, &condition.type_)
            .is_some_and(|b| b.status == condition.status && b.reason == condition.reason);
        if same || condition.type_ == RECONCILING || is_only_waiting(condition, after) {
            continue;
        }
        let one = Told {
            warning: is_bad(condition),
            reason: condition.reason.clone(),
            message: condition.message.clone(),
        };
        match told.iter_mut().find(|t| t.reason == one.reason) {
            Some(same) => same.warning |= one.warning,
            None => told.push(one),
        }
    }
    told
}

/// `Ready=False` and `Complete=False` while work goes on repeat what Reconciling says.
fn is_only_waiting(condition: &Condition, all: &[Condition]) -> bool {
    [READY, COMPLETE].contains(&condition.type_.as_str())
        && condition.status != "True"
        && find(all, STALLED).is_none()
        && find(all, FAILED).is_none()
}

fn is_bad(condition: &Condition) -> bool {
    let bad_when_true = [STALLED, FAILED];
    let bad_when_false = [
        ADMITTED,
        ACCEPTED,
        ANSWERED,
        BUDGET_AVAILABLE,
        GUARDS_PASSED,
        REACHABLE,
        FALLBACKS_USABLE,
        LIMITS_SHARED,
    ];
    match condition.status.as_str() {
        "True" => bad_when_true.contains(&condition.type_.as_str()),
        "False" => bad_when_false.contains(&condition.type_.as_str()),
        _ => false,
    }
}

/// The API bounds reason and note; a longer one would be refused.
fn bounded(text: &str, bytes: usize) -> String {
    text[..text.floor_char_boundary(bytes)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use golden_crds::conditions::{Lifecycle, RunState, Status, set_condition, set_lifecycle, set_run_state};
    use jiff::Timestamp;

    #[test]
    fn a_fault_is_told_once_as_a_warning_and_its_end_as_normal() {
        let now = Timestamp::UNIX_EPOCH;
        let mut stalled = Vec::new();
        set_run_state(&mut stalled, RunState::Stalled, "NoBudget", "none selects it", Some(1), now);
        set_condition(&mut stalled, ADMITTED, Status::False, "NoBudget", "none selects it", Some(1), now);
        let told = transitions(&[], &stalled);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].warning);
        assert_eq!(told[0].reason, "NoBudget");
        assert_eq!(transitions(&stalled, &stalled), vec![]);
        let mut mended = stalled.clone();
        set_run_state(&mut mended, RunState::InProgress, "Producing", "", Some(1), now);
        set_condition(&mut mended, ADMITTED, Status::True, "Admitted", "", Some(1), now);
        let told = transitions(&stalled, &mended);
        assert_eq!(
            told.iter().map(|t| (t.reason.as_str(), t.warning)).collect::<Vec<_>>(),
            [("Admitted", false)]
        );
    }

    #[test]
    fn progress_alone_sends_no_event() {
        let mut c = Vec::new();
        set_lifecycle(&mut c, Lifecycle::Progressing, "Progressing", "1/4", Some(1), Timestamp::UNIX_EPOCH);
        assert_eq!(transitions(&[], &c), vec![]);
    }
}
