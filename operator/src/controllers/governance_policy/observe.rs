//! What there is: all policies, the namespaces' labels, unfinished tasks, providers, learning limits.

use crate::context::Context;
use crate::error::Error;
use golden_crds::agent_team::ModelRef;
use golden_crds::conditions::agent_task::{APPROVAL_PENDING, ESCALATION_PENDING};
use golden_crds::conditions::{APPROVED, find};
use golden_crds::{AgentTask, GovernancePolicy, ModelProvider};
use kube::ResourceExt;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Labels.
pub(crate) type Labels = BTreeMap<String, String>;

/// Everything a verdict on a policy rests on.
pub(crate) struct Seen {
    pub(crate) policy: Arc<GovernancePolicy>,
    pub(crate) all: Vec<Arc<GovernancePolicy>>,
    /// Labels of every namespace.
    pub(crate) namespaces: Vec<Labels>,
    pub(crate) tasks: Vec<OpenTask>,
    pub(crate) providers: Vec<Arc<ModelProvider>>,
    pub(crate) golden: String,
    pub(crate) default_model: ModelRef,
    pub(crate) runtime_class_exists: bool,
    pub(crate) learning: Result<Learning, Error>,
}

/// What a policy may select.
pub(crate) struct OpenTask {
    pub(crate) labels: Labels,
    pub(crate) namespace_labels: Labels,
    pub(crate) waits_for_person: bool,
}

/// The limits of learning, as the database keeps them.
#[derive(Default)]
pub(crate) struct Learning {
    /// Roles whose prompts may change by themselves now.
    pub(crate) roles: Vec<String>,
    pub(crate) pending: i64,
}

/// Looks at the caches and the database.
pub(crate) async fn observe(policy: &Arc<GovernancePolicy>, ctx: &Context) -> Seen {
    let class = policy.spec.sandbox.as_ref().map(|s| s.runtime_class_name.as_str());
    let open = ctx.caches.tasks.state_filter(|t| !crate::queues::ended(t));
    Seen {
        all: ctx.caches.policies.state(),
        namespaces: ctx
            .caches
            .namespaces
            .state()
            .iter()
            .map(|n| n.metadata.labels.clone().unwrap_or_default())
            .collect(),
        tasks: open.iter().map(|t| open_task(t, ctx)).collect(),
        providers: ctx.caches.providers.state(),
        golden: ctx.settings.namespace.clone(),
        default_model: ctx.settings.default_model.clone(),
        runtime_class_exists: class.is_none_or(|c| ctx.caches.runtime_class_exists(c)),
        learning: learning(ctx).await,
        policy: Arc::clone(policy),
    }
}

fn open_task(task: &AgentTask, ctx: &Context) -> OpenTask {
    let approved = task.status.as_ref().and_then(|s| find(&s.conditions, APPROVED));
    OpenTask {
        labels: task.labels().clone(),
        namespace_labels: ctx.caches.namespace_labels(&task.namespace().unwrap_or_default()),
        waits_for_person: approved
            .is_some_and(|c| [APPROVAL_PENDING, ESCALATION_PENDING].contains(&c.reason.as_str())),
    }
}

async fn learning(ctx: &Context) -> Result<Learning, Error> {
    let failed = |e: sqlx::Error| Error::database("read the limits of learning", &e);
    let roles = sqlx::query_scalar("SELECT role FROM governance_status WHERE can_auto_update ORDER BY role")
        .fetch_all(&ctx.pool)
        .await
        .map_err(failed)?;
    let pending = sqlx::query_scalar("SELECT count(*) FROM prompt_updates WHERE state = 'Pending'")
        .fetch_one(&ctx.pool)
        .await
        .map_err(failed)?;
    Ok(Learning { roles, pending })
}
