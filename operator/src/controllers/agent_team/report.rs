//! The status: one write if anything changed, events on transitions.

use super::MANAGER;
use super::act::Acted;
use super::observe::Seen;
use crate::build::service::Service;
use crate::context::Context;
use crate::effects::write_status;
use crate::error::Error;
use crate::models::Fault;
use golden_crds::AgentTeamStatus;
use golden_crds::conditions::agent_team as reason;
use golden_crds::conditions::{Lifecycle, set_lifecycle};
use golden_crds::labels::service_name;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt};

/// Writes the status.
pub(crate) async fn report(
    seen: &Seen,
    fault: Option<&Fault>,
    acted: &Result<Acted, Error>,
    ctx: &Context,
) -> Result<(), Error> {
    let before = seen.team.status.clone().unwrap_or_default();
    let status = status(seen, fault, acted, Timestamp::now());
    if status == before {
        return Ok(());
    }
    let api: Api<golden_crds::AgentTeam> = Api::namespaced(ctx.client.clone(), &seen.namespace());
    write_status(&api, &ctx.caches.teams, MANAGER, &*seen.team, &status).await?;
    ctx.events.transitions(&*seen.team, &before.conditions, &status.conditions).await;
    Ok(())
}

/// The status as it should be.
pub(crate) fn status(
    seen: &Seen,
    fault: Option<&Fault>,
    acted: &Result<Acted, Error>,
    now: Timestamp,
) -> AgentTeamStatus {
    let mut status = seen.team.status.clone().unwrap_or_default();
    let generation = seen.team.metadata.generation;
    let services = services(seen);
    let ready = services.iter().filter(|s| s.is_none()).count();
    status.observed_generation = generation;
    status.services_ready = Some(format!("{ready}/{}", services.len()));
    status.active_tasks = Some(seen.active_tasks);
    let (state, why, message) = verdict(seen, fault, acted, services);
    set_lifecycle(&mut status.conditions, state, why, &message, generation, now);
    status
}

fn verdict(
    seen: &Seen,
    fault: Option<&Fault>,
    acted: &Result<Acted, Error>,
    services: Vec<Option<Unready>>,
) -> (Lifecycle, &'static str, String) {
    match acted {
        Err(error) => {
            if let Some(why) = error.store_reason() {
                return (Lifecycle::Stalled, why, error.to_string());
            }
            if matches!(error, Error::Messaging { class: golden_platform::Class::Invalid, .. }) {
                return (Lifecycle::Stalled, reason::STREAM_CONFLICT, error.to_string());
            }
        }
        Ok(Acted { refused: Some(words) }) => {
            return (
                Lifecycle::Stalled,
                reason::CHILD_REFUSED,
                format!("a child of the team was refused: {words}"),
            );
        }
        Ok(_) => {}
    }
    if let Some(fault) = fault {
        return (Lifecycle::Stalled, fault.reason, fault.message.clone());
    }
    if let Some(unready) = services.into_iter().flatten().max_by_key(|u| u.stalled) {
        if unready.stalled {
            return (Lifecycle::Stalled, reason::SERVICE_STALLED, unready.message);
        }
        return (Lifecycle::Progressing, reason::SERVICE_UNAVAILABLE, unready.message);
    }
    if acted.is_err() || (seen.look && seen.team.status.is_none()) {
        return (Lifecycle::Progressing, reason::PROGRESSING, "services and streams are being made".into());
    }
    (Lifecycle::Ready, reason::AVAILABLE, "every service is available and the streams exist".into())
}

/// A service that is not available.
struct Unready {
    stalled: bool,
    message: String,
}

fn services(seen: &Seen) -> Vec<Option<Unready>> {
    let scale = seen.team.spec.services.as_ref();
    let uid = seen.uid.to_string();
    let one = |service: Service| {
        let name = service_name(service.name(), &seen.team.name_any(), &uid);
        let live = seen.deployments.iter().find(|d| d.metadata.name.as_deref() == Some(&name));
        unready(service, service.replicas(scale), live.map(AsRef::as_ref), seen)
    };
    Service::ALL.map(one).into()
}

fn unready(service: Service, wanted: i32, live: Option<&Deployment>, seen: &Seen) -> Option<Unready> {
    let status = live.and_then(|d| d.status.as_ref());
    let current = status.and_then(|s| s.observed_generation) >= live.and_then(|d| d.metadata.generation);
    let available = status.and_then(|s| s.available_replicas).unwrap_or(0);
    if current && available >= wanted && live.is_some() {
        return None;
    }
    let conditions = status.and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    let stalled = conditions.iter().any(|c| c.type_ == "Progressing" && c.status == "False")
        || conditions.iter().any(|c| c.type_ == "ReplicaFailure" && c.status == "True");
    let why = pod_words(seen, service)
        .or_else(|| conditions.iter().find(|c| c.type_ == "ReplicaFailure").and_then(|c| c.message.clone()))
        .unwrap_or_else(|| "its pods are being started".into());
    Some(Unready {
        stalled,
        message: format!("{} has {available} of {wanted} replicas: {why}", service.name()),
    })
}

/// Why a pod of the service does not run, in the node's or scheduler's words.
fn pod_words(seen: &Seen, service: Service) -> Option<String> {
    let of_service = |p: &&std::sync::Arc<Pod>| {
        p.labels().get("app.kubernetes.io/name").map(String::as_str) == Some(service.name())
    };
    seen.pods.iter().filter(of_service).find_map(|pod| {
        let status = pod.status.as_ref()?;
        let waiting = status.container_statuses.iter().flatten().find_map(|c| {
            let waiting = c.state.as_ref()?.waiting.as_ref()?;
            Some(format!("{}: {}", waiting.reason.clone()?, waiting.message.clone().unwrap_or_default()))
        });
        let unscheduled = || {
            let c = status
                .conditions
                .iter()
                .flatten()
                .find(|c| c.type_ == "PodScheduled" && c.status == "False")?;
            Some(format!("{}: {}", c.reason.clone()?, c.message.clone().unwrap_or_default()))
        };
        waiting.or_else(unscheduled)
    })
}
