//! What there is: the team's Deployments and pods, the providers and revisions it names.

use crate::caches::label_of;
use crate::context::Context;
use crate::effects::bounded;
use crate::error::Error;
use golden_crds::conditions::{ADMITTED, is_true};
use golden_crds::labels::TEAM_UID;
use golden_crds::{AgentTeam, ModelProvider, PromptRevision};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::{Api, ResourceExt};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// How often children that are not watched are looked at one by one.
const LOOK: Duration = Duration::from_mins(10);

/// Everything a decision about a team rests on.
pub(crate) struct Seen {
    pub(crate) team: Arc<AgentTeam>,
    pub(crate) uid: Uuid,
    pub(crate) golden: String,
    pub(crate) deployments: Vec<Arc<Deployment>>,
    pub(crate) pods: Vec<Arc<Pod>>,
    pub(crate) providers: Vec<Arc<ModelProvider>>,
    pub(crate) revisions: Vec<Arc<PromptRevision>>,
    pub(crate) priority_class_missing: bool,
    pub(crate) active_tasks: i64,
    pub(crate) namespace_ends: bool,
    /// Whether children and streams are due to be looked at one by one.
    pub(crate) look: bool,
}

impl Seen {
    /// The team's namespace.
    pub(crate) fn namespace(&self) -> String {
        self.team.namespace().unwrap_or_default()
    }
}

/// Looks at the caches, and at the PriorityClass if one is named.
pub(crate) async fn observe(team: &Arc<AgentTeam>, ctx: &Context) -> Result<Seen, Error> {
    let namespace = team.namespace().unwrap_or_default();
    let uid = team.uid().unwrap_or_default();
    let generation = team.metadata.generation.unwrap_or(0);
    Ok(Seen {
        uid: uid.parse().map_err(|_| Error::Bug(format!("team {} has no uid", team.name_any())))?,
        golden: ctx.settings.namespace.clone(),
        deployments: ctx.caches.deployments.state_filter(|d| label_of(d, TEAM_UID) == Some(&uid)),
        pods: ctx.caches.pods_with(TEAM_UID, &uid),
        providers: ctx.caches.providers.state(),
        revisions: ctx.caches.revisions.state_filter(|r| r.namespace().as_deref() == Some(&namespace)),
        priority_class_missing: priority_class_missing(team, ctx).await?,
        active_tasks: active_tasks(&namespace, &team.name_any(), ctx),
        namespace_ends: ctx.caches.namespace_ends(&namespace),
        look: ctx.teams_checked.due(&uid, generation, LOOK),
        team: Arc::clone(team),
    })
}

async fn priority_class_missing(team: &AgentTeam, ctx: &Context) -> Result<bool, Error> {
    let Some(name) = team.spec.placement.as_ref().and_then(|p| p.priority_class_name.as_deref()) else {
        return Ok(false);
    };
    let api: Api<PriorityClass> = Api::all(ctx.client.clone());
    let found = bounded(&format!("read priorityclass {name}"), api.get_metadata_opt(name)).await?;
    Ok(found.is_none())
}

fn active_tasks(namespace: &str, team: &str, ctx: &Context) -> i64 {
    let active = ctx.caches.tasks.state_filter(|t| {
        t.namespace().as_deref() == Some(namespace)
            && t.spec.team_ref.name == team
            && !crate::queues::ended(t)
            && t.status.as_ref().is_some_and(|s| is_true(&s.conditions, ADMITTED))
    });
    i64::try_from(active.len()).unwrap_or(i64::MAX)
}
