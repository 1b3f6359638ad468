//! Which objects a change concerns. Requests are hints: every controller also looks again by itself.

use crate::caches::{Caches, label_of};
use crate::queue::{Queue, Requests, queue};
use crate::watch::Change;
use futures::channel::mpsc;
use golden_crds::budget::OnExhausted;
use golden_crds::conditions::{ADMITTED, COMPLETE, FAILED, STALLED, is_true};
use golden_crds::labels::{TASK_UID, TEAM_UID};
use golden_crds::{
    AgentTask, AgentTeam, Budget, Decision, GovernancePolicy, ModelProvider, PromptRevision, SandboxRun,
};
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};

/// Something the watch saw go, that has rows in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Vanished {
    /// An AgentTask, by uid.
    Task(String),
    /// A Budget, by uid.
    Budget(String),
}

/// The queue of every controller.
#[derive(Clone)]
pub(crate) struct Queues {
    pub(crate) tasks: Queue<AgentTask>,
    pub(crate) teams: Queue<AgentTeam>,
    pub(crate) policies: Queue<GovernancePolicy>,
    pub(crate) budgets: Queue<Budget>,
    pub(crate) providers: Queue<ModelProvider>,
    pub(crate) decisions: Queue<Decision>,
    pub(crate) revisions: Queue<PromptRevision>,
    pub(crate) runs: Queue<SandboxRun>,
    /// For the sweep.
    pub(crate) vanished: mpsc::UnboundedSender<Vanished>,
}

/// The other ends.
pub(crate) struct Ends {
    pub(crate) tasks: Requests<AgentTask>,
    pub(crate) teams: Requests<AgentTeam>,
    pub(crate) policies: Requests<GovernancePolicy>,
    pub(crate) budgets: Requests<Budget>,
    pub(crate) providers: Requests<ModelProvider>,
    pub(crate) decisions: Requests<Decision>,
    pub(crate) revisions: Requests<PromptRevision>,
    pub(crate) runs: Requests<SandboxRun>,
    pub(crate) vanished: mpsc::UnboundedReceiver<Vanished>,
}

/// All queues.
pub(crate) fn queues() -> (Queues, Ends) {
    let (tasks, tasks_e) = queue();
    let (teams, teams_e) = queue();
    let (policies, policies_e) = queue();
    let (budgets, budgets_e) = queue();
    let (providers, providers_e) = queue();
    let (decisions, decisions_e) = queue();
    let (revisions, revisions_e) = queue();
    let (runs, runs_e) = queue();
    let (vanished, vanished_e) = mpsc::unbounded();
    let queues = Queues { tasks, teams, policies, budgets, providers, decisions, revisions, runs, vanished };
    let ends = Ends {
        tasks: tasks_e,
        teams: teams_e,
        policies: policies_e,
        budgets: budgets_e,
        providers: providers_e,
        decisions: decisions_e,
        revisions: revisions_e,
        runs: runs_e,
        vanished: vanished_e,
    };
    (queues, ends)
}

impl Queues {
    /// A task changed: itself, the tasks that may wait for it, the decisions on it.
    pub(crate) fn task(&self, caches: &Caches, task: &AgentTask, change: Change) {
        let (namespace, name) = (task.namespace().unwrap_or_default(), task.name_any());
        if change == Change::Gone {
            let _ = self.vanished.unbounded_send(Vanished::Task(task.uid().unwrap_or_default()));
        } else {
            self.tasks.ask(ObjectRef::from_obj(task));
        }
        self.tasks.ask_where(&caches.tasks, |t| {
            waits(t) && in_namespace(t, &namespace) && t.spec.depends_on.iter().any(|d| d.name == name)
        });
        self.decisions.ask_where(&caches.decisions, |d| {
            in_namespace(d, &namespace) && d.spec.target.name == name && is_open(d)
        });
    }

    /// A team changed: itself and the tasks that wait for it.
    pub(crate) fn team(&self, caches: &Caches, team: &AgentTeam) {
        let (namespace, name) = (team.namespace().unwrap_or_default(), team.name_any());
        self.teams.ask(ObjectRef::from_obj(team));
        // Tasks under way too: a team that is gone ends them.
        self.tasks.ask_where(&caches.tasks, |t| {
            !ended(t) && in_namespace(t, &namespace) && t.spec.team_ref.name == name
        });
        self.revisions
            .ask_where(&caches.revisions, |r| in_namespace(r, &namespace) && r.spec.team_ref.name == name);
    }

    /// A policy changed: all policies (conflicts are mutual) and every task that waits.
    pub(crate) fn policy(&self, caches: &Caches, policy: &GovernancePolicy) {
        self.policies.ask(ObjectRef::from_obj(policy));
        self.policies.ask_where(&caches.policies, |p| p.name_any() != policy.name_any());
        self.tasks.ask_where(&caches.tasks, waits);
    }

    /// A budget changed: itself, its children, the tasks that wait.
    pub(crate) fn budget(&self, caches: &Caches, budget: &Budget, change: Change) {
        if change == Change::Gone {
            let _ = self.vanished.unbounded_send(Vanished::Budget(budget.uid().unwrap_or_default()));
        }
        let (namespace, name) = (budget.namespace().unwrap_or_default(), budget.name_any());
        self.budgets.ask(ObjectRef::from_obj(budget));
        self.budgets.ask_where(&caches.budgets, |b| {
            b.spec.parent_ref.as_ref().is_some_and(|p| {
                p.name == name && p.namespace.clone().or_else(|| b.namespace()).as_deref() == Some(&namespace)
            })
        });
        self.tasks.ask_where(&caches.tasks, waits);
        self.decisions.ask_where(&caches.decisions, |d| {
            in_namespace(d, &namespace) && d.spec.target.name == name && is_open(d)
        });
    }

    /// A task began to wait for money, or got it: the budgets that ask people.
    pub(crate) fn money(&self, caches: &Caches) {
        self.budgets.ask_where(&caches.budgets, |b| b.spec.on_exhausted == OnExhausted::Ask);
    }

    /// A provider changed: itself, the teams and policies that may name it, the tasks that wait.
    pub(crate) fn provider(&self, caches: &Caches, provider: &ModelProvider) {
        let name = provider.name_any();
        self.providers.ask(ObjectRef::from_obj(provider));
        self.teams.ask_where(&caches.teams, |t| t.spec.roles.iter().any(|r| r.model_ref.provider == name));
        self.policies.ask_where(&caches.policies, |_| true);
        self.tasks.ask_where(&caches.tasks, waits);
    }

    /// A pod changed: its run or its task; a service's pod concerns its team.
    pub(crate) fn pod(&self, caches: &Caches, pod: &Pod) {
        let namespace = pod.namespace().unwrap_or_default();
        if let Some(run) = pod.owner_references().iter().find(|o| o.kind == SandboxRun::kind(&())) {
            self.runs.ask(ObjectRef::new(&run.name).within(&namespace));
            return;
        }
        if let Some(task) = label_of(pod, TASK_UID).and_then(|uid| caches.task_by_uid(uid)) {
            self.tasks.ask(ObjectRef::from_obj(&*task));
        } else if let Some(team) = label_of(pod, TEAM_UID).and_then(|uid| caches.team_by_uid(uid)) {
            self.teams.ask(ObjectRef::from_obj(&*team));
        }
    }

    /// A run changed: itself; one that cannot go on is told of by its task.
    pub(crate) fn run(&self, caches: &Caches, run: &SandboxRun) {
        self.runs.ask(ObjectRef::from_obj(run));
        let stalled = run.status.as_ref().is_some_and(|s| is_true(&s.conditions, STALLED));
        if let Some(task) = label_of(run, TASK_UID).filter(|_| stalled).and_then(|u| caches.task_by_uid(u)) {
            self.tasks.ask(ObjectRef::from_obj(&*task));
        }
    }

    /// A namespace changed: its labels select policies.
    pub(crate) fn namespace(&self, caches: &Caches, name: &str) {
        self.tasks.ask_where(&caches.tasks, |t| waits(t) && in_namespace(t, name));
        self.teams
            .ask_where(&caches.teams, |t| in_namespace(t, name) && t.metadata.deletion_timestamp.is_some());
    }

    /// Runtime classes changed: whoever waits for one.
    pub(crate) fn runtime_classes(&self, caches: &Caches) {
        self.runs.ask_where(&caches.runs, |r| {
            !r.status
                .as_ref()
                .is_some_and(|s| is_true(&s.conditions, COMPLETE) || is_true(&s.conditions, FAILED))
        });
        self.policies.ask_where(&caches.policies, |_| true);
        self.tasks.ask_where(&caches.tasks, |t| !ended(t));
    }

    /// Asks for everything, when this process becomes the leader.
    pub(crate) fn everything(&self, caches: &Caches) {
        self.providers.ask_where(&caches.providers, |_| true);
        self.budgets.ask_where(&caches.budgets, |_| true);
        self.teams.ask_where(&caches.teams, |_| true);
        self.policies.ask_where(&caches.policies, |_| true);
        self.tasks.ask_where(&caches.tasks, |_| true);
        self.runs.ask_where(&caches.runs, |_| true);
        self.decisions.ask_where(&caches.decisions, |_| true);
        self.revisions.ask_where(&caches.revisions, |_| true);
    }

    /// Ends every controller once its reconciles are done.
    pub(crate) fn close(&self) {
        self.providers.close();
        self.budgets.close();
        self.teams.close();
        self.policies.close();
        self.tasks.close();
        self.runs.close();
        self.decisions.close();
        self.revisions.close();
        self.vanished.close_channel();
    }
}

/// Whether a task waits to be admitted.
pub(crate) fn waits(task: &AgentTask) -> bool {
    !task.status.as_ref().is_some_and(|s| is_true(&s.conditions, ADMITTED)) && !ended(task)
}

/// Whether a task has ended.
pub(crate) fn ended(task: &AgentTask) -> bool {
    task.status.as_ref().is_some_and(|s| is_true(&s.conditions, COMPLETE) || is_true(&s.conditions, FAILED))
}

fn is_open(decision: &Decision) -> bool {
    use golden_crds::conditions::{ACCEPTED, find};
    decision.status.as_ref().and_then(|s| find(&s.conditions, ACCEPTED)).is_none_or(|c| c.status == "Unknown")
}

fn in_namespace<K: Resource>(object: &K, namespace: &str) -> bool {
    object.meta().namespace.as_deref() == Some(namespace)
}
