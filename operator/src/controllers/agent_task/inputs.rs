//! What an admission rests on, gathered while the task is not admitted.

use super::dependencies::{Other, names};
use super::rows;
use crate::context::Context;
use crate::effects::bounded;
use crate::error::Error;
use crate::models::Fault;
use crate::secrets::{self, Wanted};
use golden_crds::agent_team::ModelRef;
use golden_crds::common::LocalRef;
use golden_crds::{AgentTask, AgentTeam, Budget, GovernancePolicy, ModelProvider};
use kube::{Api, ResourceExt};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// The inputs of `validate::admit`.
pub(crate) struct Inputs {
    /// The whole object: the cache leaves inline files out.
    pub(crate) task: AgentTask,
    pub(crate) uid: Uuid,
    pub(crate) namespace_labels: BTreeMap<String, String>,
    pub(crate) team: Option<Arc<AgentTeam>>,
    pub(crate) policies: Vec<Arc<GovernancePolicy>>,
    pub(crate) budgets: Vec<Arc<Budget>>,
    pub(crate) providers: Vec<Arc<ModelProvider>>,
    pub(crate) golden: String,
    pub(crate) default_model: ModelRef,
    pub(crate) runtime_classes: BTreeSet<String>,
    /// What this version cannot take and the task may rest on.
    pub(crate) unreadable: Unreadable,
    /// A fault of a git Secret.
    pub(crate) secret: Option<Fault>,
    /// The namespace's tasks by name, while the task depends on any.
    pub(crate) tasks: BTreeMap<String, Other>,
    /// Those of its dependencies that Postgres knows as admitted.
    pub(crate) admitted: BTreeSet<Uuid>,
}

/// What might concern the task and cannot be read, in words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unreadable {
    pub(crate) policy: Option<String>,
    pub(crate) budget: Option<String>,
    /// Tasks that this one depends on, by name.
    pub(crate) dependencies: BTreeMap<String, String>,
}

/// Gathers; None if the task went meanwhile.
pub(crate) async fn gather(task: &AgentTask, uid: Uuid, ctx: &Context) -> Result<Option<Inputs>, Error> {
    let (namespace, name) = (task.namespace().unwrap_or_default(), task.name_any());
    let api: Api<AgentTask> = Api::namespaced(ctx.client.clone(), &namespace);
    let whole = bounded(&format!("read task {name}"), api.get_opt(&name)).await?;
    let Some(mut whole) = whole.filter(|t| t.uid() == task.uid()) else { return Ok(None) };
    whole.metadata.managed_fields = None;
    let caches = &ctx.caches;
    // Before the rows: one that is Complete here is admitted there.
    let tasks = tasks(&whole, &namespace, ctx);
    let dependencies: Vec<Uuid> = names(&whole).iter().filter_map(|d| tasks.get(d)?.uid()).collect();
    Ok(Some(Inputs {
        admitted: rows::admitted(&dependencies, ctx).await?,
        secret: git_secrets(&whole, &namespace, ctx).await?,
        unreadable: Unreadable {
            policy: caches.unreadable.first::<GovernancePolicy>(None),
            budget: caches.unreadable.first::<Budget>(Some(&namespace)),
            dependencies: names(&whole)
                .into_iter()
                .filter_map(|d| Some((d.clone(), caches.unreadable.named::<AgentTask>(&namespace, &d)?)))
                .collect(),
        },
        uid,
        namespace_labels: caches.namespace_labels(&namespace),
        team: caches.team(&namespace, &whole.spec.team_ref.name),
        policies: caches.policies.state(),
        budgets: caches.budgets.state(),
        providers: caches.providers.state(),
        golden: ctx.settings.namespace.clone(),
        default_model: ctx.settings.default_model.clone(),
        runtime_classes: caches.runtime_classes.state().iter().map(|c| c.name_any()).collect(),
        tasks,
        task: whole,
    }))
}

/// A map of nothing where nobody is waited for: a namespace may hold thousands of tasks.
fn tasks(task: &AgentTask, namespace: &str, ctx: &Context) -> BTreeMap<String, Other> {
    if task.spec.depends_on.is_empty() {
        return BTreeMap::new();
    }
    let all = ctx.caches.tasks.state_filter(|t| t.namespace().as_deref() == Some(namespace));
    all.iter().map(|t| (t.name_any(), Other::of(t))).collect()
}

/// The Secrets for reading and writing git, both against the source's host.
async fn git_secrets(task: &AgentTask, namespace: &str, ctx: &Context) -> Result<Option<Fault>, Error> {
    let Some(git) = &task.spec.source.git else { return Ok(None) };
    let write = task.spec.delivery.as_ref().and_then(|d| d.git.as_ref()).and_then(|g| g.secret_ref.as_ref());
    let wanted: [(Option<&LocalRef>, &str); 2] =
        [(git.secret_ref.as_ref(), "git-read"), (write, "git-write")];
    for (secret, r#use) in wanted {
        let Some(secret) = secret else { continue };
        let wanted = Wanted { name: &secret.name, r#use, url: &git.url, keys: &["username", "password"] };
        if let Some(fault) = secrets::check(&ctx.client, namespace, wanted).await? {
            return Ok(Some(Fault { reason: fault.reason, message: fault.message }));
        }
    }
    Ok(None)
}
