//! What the operator keeps of the cluster: one watch per kind, shared by all controllers, warm on followers too.
//!
//! Objects are cut down before they are kept (managed fields, files given inline); what was cut is read from the
//! apiserver where it is needed, once per task.

use crate::unreadable::Unreadable;
use golden_crds::{
    AgentTask, AgentTeam, Budget, Decision, GovernancePolicy, ModelProvider, PromptRevision, SandboxRun,
};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::api::node::v1::RuntimeClass;
use kube::Resource;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store, store};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// The read side of every watch.
#[derive(Clone)]
pub(crate) struct Caches {
    pub(crate) tasks: Store<AgentTask>,
    pub(crate) teams: Store<AgentTeam>,
    pub(crate) policies: Store<GovernancePolicy>,
    pub(crate) budgets: Store<Budget>,
    pub(crate) providers: Store<ModelProvider>,
    pub(crate) decisions: Store<Decision>,
    pub(crate) revisions: Store<PromptRevision>,
    pub(crate) runs: Store<SandboxRun>,
    /// Pods that carry our component label.
    pub(crate) pods: Store<Pod>,
    /// Deployments of the teams' services.
    pub(crate) deployments: Store<Deployment>,
    pub(crate) namespaces: Store<PartialObjectMeta<Namespace>>,
    pub(crate) runtime_classes: Store<PartialObjectMeta<RuntimeClass>>,
    /// What the watches of our kinds could not read.
    pub(crate) unreadable: Unreadable,
}

/// The write sides, for the watches.
pub(crate) struct Writers {
    pub(crate) tasks: Writer<AgentTask>,
    pub(crate) teams: Writer<AgentTeam>,
    pub(crate) policies: Writer<GovernancePolicy>,
    pub(crate) budgets: Writer<Budget>,
    pub(crate) providers: Writer<ModelProvider>,
    pub(crate) decisions: Writer<Decision>,
    pub(crate) revisions: Writer<PromptRevision>,
    pub(crate) runs: Writer<SandboxRun>,
    pub(crate) pods: Writer<Pod>,
    pub(crate) deployments: Writer<Deployment>,
    pub(crate) namespaces: Writer<PartialObjectMeta<Namespace>>,
    pub(crate) runtime_classes: Writer<PartialObjectMeta<RuntimeClass>>,
}

/// Empty caches and their write sides.
pub(crate) fn caches() -> (Caches, Writers) {
    let (tasks, tasks_w) = store();
    let (teams, teams_w) = store();
    let (policies, policies_w) = store();
    let (budgets, budgets_w) = store();
    let (providers, providers_w) = store();
    let (decisions, decisions_w) = store();
    let (revisions, revisions_w) = store();
    let (runs, runs_w) = store();
    let (pods, pods_w) = store();
    let (deployments, deployments_w) = store();
    let (namespaces, namespaces_w) = store();
    let (runtime_classes, runtime_classes_w) = store();
    let caches = Caches {
        tasks,
        teams,
        policies,
        budgets,
        providers,
        decisions,
        revisions,
        runs,
        pods,
        deployments,
        namespaces,
        runtime_classes,
        unreadable: Unreadable::default(),
    };
    let writers = Writers {
        tasks: tasks_w,
        teams: teams_w,
        policies: policies_w,
        budgets: budgets_w,
        providers: providers_w,
        decisions: decisions_w,
        revisions: revisions_w,
        runs: runs_w,
        pods: pods_w,
        deployments: deployments_w,
        namespaces: namespaces_w,
        runtime_classes: runtime_classes_w,
    };
    (caches, writers)
}

impl Caches {
    /// The team of this name.
    pub(crate) fn team(&self, namespace: &str, name: &str) -> Option<Arc<AgentTeam>> {
        self.teams.get(&ObjectRef::new(name).within(namespace))
    }

    /// The object of this uid.
    pub(crate) fn team_by_uid(&self, uid: &str) -> Option<Arc<AgentTeam>> {
        self.teams.find(|t| t.metadata.uid.as_deref() == Some(uid))
    }

    /// The object of this uid.
    pub(crate) fn task_by_uid(&self, uid: &str) -> Option<Arc<AgentTask>> {
        self.tasks.find(|t| t.metadata.uid.as_deref() == Some(uid))
    }

    /// The namespace's labels.
    pub(crate) fn namespace_labels(&self, name: &str) -> BTreeMap<String, String> {
        let namespace = self.namespaces.get(&ObjectRef::new(name));
        namespace.and_then(|n| n.metadata.labels.clone()).unwrap_or_default()
    }

    /// The namespace's uid, which one made anew under its name does not have.
    pub(crate) fn namespace_uid(&self, name: &str) -> Option<Uuid> {
        self.namespaces.get(&ObjectRef::new(name))?.metadata.uid.as_deref()?.parse().ok()
    }

    /// Whether the namespace is gone or going.
    pub(crate) fn namespace_ends(&self, name: &str) -> bool {
        self.namespaces.get(&ObjectRef::new(name)).is_none_or(|n| n.metadata.deletion_timestamp.is_some())
    }

    /// Whether the RuntimeClass exists.
    pub(crate) fn runtime_class_exists(&self, name: &str) -> bool {
        self.runtime_classes.get(&ObjectRef::new(name)).is_some()
    }

    /// Pods with this label.
    pub(crate) fn pods_with(&self, label: &str, value: &str) -> Vec<Arc<Pod>> {
        self.pods.state_filter(|p| label_of(p, label) == Some(value))
    }

    /// SandboxRuns with this label.
    pub(crate) fn runs_with(&self, label: &str, value: &str) -> Vec<Arc<SandboxRun>> {
        self.runs.state_filter(|r| label_of(r, label) == Some(value))
    }
}

/// A label of an object.
pub(crate) fn label_of<'a, K: Resource>(object: &'a K, label: &str) -> Option<&'a str> {
    object.meta().labels.as_ref()?.get(label).map(String::as_str)
}

/// Whether the pod runs as that service account, which nobody can change about a pod.
pub(crate) fn runs_as(pod: &Pod, account: &str) -> bool {
    pod.spec.as_ref().and_then(|spec| spec.service_account_name.as_deref()) == Some(account)
}

/// Drops what no controller reads and what can be large.
pub(crate) fn cut<K: Resource>(object: &mut K) {
    let meta = object.meta_mut();
    meta.managed_fields = None;
    if let Some(annotations) = &mut meta.annotations {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
}

/// As [`cut`], and drops the contents of files given inline: up to half a megabyte per task.
pub(crate) fn cut_task(task: &mut AgentTask) {
    cut(task);
    for file in task.spec.source.inline.iter_mut().flat_map(|i| &mut i.files) {
        file.content = String::new();
    }
}

/// As [`cut`], and drops the prompt, which the operator does not read.
pub(crate) fn cut_revision(revision: &mut PromptRevision) {
    cut(revision);
    revision.spec.text = String::new();
}
