use super::act::{Acted, refusal};
use super::inputs::{Inputs, Unreadable};
use super::observe::{Seen, StalledRun};
use super::plan::{Plan, Weighed, plan};
use super::pods::read;
use super::question::Step;
use super::rows::{Admitted, Desired, Rows};
use super::status::status;
use super::urgency::{Urgency, urgency};
use super::validate::{Admit, admit};
use crate::budgets::tests::{budget, uid as budget_uid};
use golden_crds::agent_team::ModelRef;
use golden_crds::conditions::{ADMITTED, COMPLETE, FAILED, KStatus, STALLED, find, is_true, kstatus};
use golden_crds::{AgentTask, AgentTeam, Budget};
use golden_platform::wire::{DesiredKind, DesiredPod, Fact, PodPhase, TaskView, ViewCondition};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

const TASK: &str = "3f2a9c1d-0000-4000-8000-000000000001";
const TEAM: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const POD: &str = "bbbbbbbb-0000-4000-8000-000000000001";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(super) fn task(spec: &Value) -> AgentTask {
    let mut all = json!({
        "teamRef": {"name": "core"}, "goal": "g", "submittedBy": "alice",
        "source": {"inline": {"files": [{"path": "a", "content": "x"}]}},
    });
    all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    serde_json::from_value(json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "AgentTask",
        "metadata": {"name": "fix", "namespace": "team", "uid": TASK, "generation": 1, "labels": {"project": "shop"}},
        "spec": all,
    }))
    .unwrap()
}

fn team() -> AgentTeam {
    serde_json::from_value(json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "AgentTeam",
        "metadata": {"name": "core", "namespace": "team", "uid": TEAM},
        "spec": {"roles": [{"name": "developer", "modelRef": {"provider": "p", "model": "m"}}]},
    }))
    .unwrap()
}

fn provider(name: &str, namespace: &str) -> Arc<golden_crds::ModelProvider> {
    Arc::new(
        serde_json::from_value(json!({
            "apiVersion": "goldenarch.dev/v1alpha1", "kind": "ModelProvider",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"protocol": "OpenAI", "baseURL": "http://m", "models": [{"name": "m", "contextWindow": 10,
                "maxOutputTokens": 5, "inputMicroUSDPerMToken": 1, "outputMicroUSDPerMToken": 1}]},
        }))
        .unwrap(),
    )
}

pub(super) fn ready(status: &str, reason: &str) -> Value {
    json!({"conditions": [{"type": "Ready", "status": status, "reason": reason, "message": "m",
        "lastTransitionTime": "2026-01-01T00:00:00Z"}]})
}

fn ready_budget(name: &str, spec: &Value) -> Arc<Budget> {
    let mut budget = (*budget("team", name, spec)).clone();
    budget.status = serde_json::from_value(ready("True", "Active")).unwrap();
    Arc::new(budget)
}

pub(super) fn inputs() -> Inputs {
    Inputs {
        task: task(&json!({})),
        uid: TASK.parse().unwrap(),
        namespace_labels: std::collections::BTreeMap::new(),
        team: Some(Arc::new(team())),
        policies: vec![],
        budgets: vec![ready_budget("shop", &json!({}))],
        providers: vec![provider("p", "team"), provider("default", "golden-system")],
        golden: "golden-system".into(),
        default_model: ModelRef { provider: "default".into(), model: "m".into() },
        runtime_classes: ["gvisor".to_owned()].into(),
        unreadable: Unreadable::default(),
        secret: None,
        tasks: std::collections::BTreeMap::new(),
        admitted: std::collections::BTreeSet::new(),
    }
}

pub(super) fn policy(name: &str, spec: &Value, status: &Value) -> Arc<golden_crds::GovernancePolicy> {
    let object = json!({"apiVersion": "goldenarch.dev/v1alpha1", "kind": "GovernancePolicy",
        "metadata": {"name": name}, "spec": spec, "status": status});
    Arc::new(serde_json::from_value::<golden_crds::GovernancePolicy>(object).unwrap())
}

fn why(inputs: &Inputs) -> Result<Admit, &'static str> {
    admit(inputs).map_err(|f| f.reason)
}

#[test]
fn an_admission_fixes_models_payers_and_policy_and_carries_the_whole_source() {
    let admitted = admit(&inputs()).unwrap();
    assert_eq!(
        admitted.path,
        vec![budget_uid("team", "shop").parse().unwrap(), TASK.parse::<Uuid>().unwrap()]
    );
    let models: Vec<_> = admitted.admission.models.keys().map(String::as_str).collect();
    assert_eq!(
        models,
        ["role:developer", "voter:architect", "voter:reviewer", "voter:security", "voter:tester"]
    );
    assert_eq!(admitted.admission.models["voter:security"].namespace, "golden-system");
    assert_eq!(admitted.admission.spec.source.inline.unwrap().files[0].content, "x");
    assert_eq!(admitted.admission.submitted_by, "alice");
    assert_eq!(admitted.admission.policy["policies"][0], "golden-built-in");
}

#[test]
fn an_additional_reviewer_has_a_model_of_goldens_that_must_be_there() {
    let with = |model: Value| {
        let review = json!({"voters": [{"role": "reviewer"}], "additionalReviewer": {"role": "arbiter", "modelRef": model}});
        let mut inputs = inputs();
        inputs.policies = vec![policy("a", &json!({"review": review}), &ready("True", "InForce"))];
        inputs
    };
    let admitted = admit(&with(json!({"provider": "default", "model": "m"}))).unwrap();
    assert_eq!(admitted.admission.models["voter:arbiter"].namespace, "golden-system");
    let absent = with(json!({"provider": "default", "model": "none"}));
    assert_eq!(why(&absent).err(), Some("ModelNotFound"));
}

type Change = fn(&mut Inputs);

#[test]
fn everything_missing_has_its_reason() {
    let cases: [(&str, Change); 13] = [
        ("Cancelled", |i| i.task = task(&json!({"desiredState": "Cancelled"}))),
        ("SubmitterMissing", |i| i.task.spec.submitted_by = None),
        ("TeamNotFound", |i| i.team = None),
        ("TeamNotFound", |i| {
            let mut going = team();
            going.metadata.deletion_timestamp = Some(Time(at(0)));
            i.team = Some(Arc::new(going));
        }),
        ("RuntimeClassNotFound", |i| i.runtime_classes.clear()),
        ("ProviderNotFound", |i| i.providers.clear()),
        ("RoleNotFound", |i| Arc::make_mut(i.team.as_mut().unwrap()).spec.roles.clear()),
        ("SecretNotFound", |i| {
            i.secret = Some(crate::models::Fault { reason: "SecretNotFound", message: String::new() });
        }),
        ("NoBudget", |i| i.budgets.clear()),
        ("NoBudget", |i| {
            i.budgets = vec![ready_budget("other", &json!({"selector": {"matchLabels": {"project": "x"}}}))];
        }),
        ("BudgetNotReady", |i| i.budgets = vec![budget("team", "new", &json!({}))]),
        ("BudgetNotReady", |i| i.budgets = vec![ready_budget("x", &json!({"parentRef": {"name": "gone"}}))]),
        ("DependencyNotFound", |i| i.task = task(&json!({"dependsOn": [{"name": "first"}]}))),
    ];
    for (want, change) in cases {
        let mut inputs = inputs();
        change(&mut inputs);
        assert_eq!(why(&inputs).err(), Some(want));
    }
    let review = json!({"review": {"voters": [{"role": "reviewer"}]}});
    let guard = json!({"guards": {"required": [{"name": "lint", "image": "i", "command": ["c"]}]}});
    let mut conflict = inputs();
    conflict.policies = ["a", "b"].map(|n| policy(n, &review, &ready("True", "InForce"))).to_vec();
    assert_eq!(why(&conflict).err(), Some("PolicyConflict"));
    let mut blocked = inputs();
    blocked.policies = vec![policy("a", &review, &ready("False", "UnservedField"))];
    assert_eq!(why(&blocked).err(), Some("PolicyNotReady"));
    let mut elsewhere = inputs();
    elsewhere.policies = vec![policy("a", &review, &ready("False", "PolicyConflict"))];
    assert!(admit(&elsewhere).is_ok(), "a conflict over other tasks blocked this one");
    let mut unseen = inputs();
    unseen.policies = vec![policy("a", &review, &json!({}))];
    assert_eq!(why(&unseen).err(), Some("PolicyNotReady"));
    let mut redefined = inputs();
    redefined.policies = vec![policy("a", &guard, &ready("True", "InForce"))];
    redefined.task = task(&json!({"guards": [{"name": "lint", "image": "mine", "command": ["true"]}]}));
    assert_eq!(why(&redefined).err(), Some("GuardRedefined"));
}

#[test]
fn a_task_without_a_budget_is_admitted_only_where_the_policy_says_so() {
    let mut free = inputs();
    free.budgets.clear();
    let policy = json!({"apiVersion": "goldenarch.dev/v1alpha1", "kind": "GovernancePolicy",
        "metadata": {"name": "free"}, "spec": {"requireBudget": false}, "status": ready("True", "InForce")});
    free.policies = vec![Arc::new(serde_json::from_value(policy).unwrap())];
    assert_eq!(admit(&free).unwrap().path, vec![TASK.parse::<Uuid>().unwrap()]);
}

#[test]
fn payers_are_ordered_from_the_roots_so_that_no_two_paths_lock_against_each_other() {
    let mut nested = inputs();
    nested.budgets = vec![
        ready_budget("root", &json!({"selector": {"matchLabels": {"project": "none"}}})),
        ready_budget("a", &json!({"parentRef": {"name": "root"}})),
        ready_budget("b", &json!({"parentRef": {"name": "root"}})),
    ];
    let path = admit(&nested).unwrap().path;
    let uid = |name: &str| budget_uid("team", name).parse::<Uuid>().unwrap();
    assert_eq!(path.len(), 4);
    assert_eq!((path[0], path[3]), (uid("root"), TASK.parse().unwrap()));
    nested.budgets.reverse();
    assert_eq!(admit(&nested).unwrap().path, path);
}

fn row(wanted: bool, pod_uid: Option<&str>) -> Desired {
    Desired {
        namespace: "team".into(),
        name: "p".into(),
        attempt: 1,
        r#try: 1,
        wanted,
        pod_uid: pod_uid.map(|u| u.parse().unwrap()),
        spec: DesiredPod {
            kind: DesiredKind::AttemptPod,
            role: None,
            agent: None,
            runtime_class_name: None,
            model: None,
            active_deadline_seconds: 60,
        },
    }
}

fn pod(uid: &str, status: &Value) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": "p", "namespace": "team", "uid": uid, "labels": {"goldenarch.dev/task-uid": TASK}},
        "spec": {"serviceAccountName": "golden-run", "containers": []},
        "status": status,
    }))
    .unwrap()
}

pub(super) fn seen(rows: Vec<Desired>, pods: Vec<Pod>) -> Seen {
    Seen {
        task: Arc::new(task(&json!({}))),
        uid: TASK.parse().unwrap(),
        rows: Rows {
            admitted: Some(Admitted {
                team_uid: TEAM.parse().unwrap(),
                team_name: "core".into(),
                generation: 1,
                team_closed: false,
            }),
            desired: rows,
            ..Rows::default()
        },
        pods: pods.into_iter().map(Arc::new).collect(),
        stalled: vec![],
        messaging_away: false,
        team: Some(Arc::new(team())),
        inputs: None,
    }
}

fn phases(plan: &Plan) -> Vec<PodPhase> {
    let phase = |f: &golden_platform::wire::NewFact| match &f.fact {
        Fact::Pod(outcome) => outcome.phase,
        other => panic!("{other:?}"),
    };
    plan.facts.iter().map(phase).collect()
}

#[test]
fn wanted_rows_become_pods_and_unwanted_pods_go() {
    assert_eq!(plan(&seen(vec![row(true, None)], vec![]), None).create.len(), 1);
    assert_eq!(plan(&seen(vec![row(false, None)], vec![]), None).create.len(), 0);
    let running = pod(POD, &json!({"phase": "Running"}));
    let gone = plan(&seen(vec![row(false, Some(POD))], vec![running.clone()]), None);
    assert_eq!(gone.delete, vec![("team".to_owned(), "p".to_owned(), POD.to_owned())]);
    // One whose result is in ends by itself.
    let mut ending = seen(vec![row(false, Some(POD))], vec![running.clone()]);
    ending.rows.ending.insert(POD.parse().unwrap());
    assert_eq!(plan(&ending, None).delete.len(), 0);
    // A pod that has ended costs nothing and keeps its log.
    let ended = pod(POD, &json!({"phase": "Succeeded"}));
    assert_eq!(plan(&seen(vec![row(false, Some(POD))], vec![ended]), None).delete.len(), 0);
    // A pod made before a crash is found again and not made twice.
    let again = plan(&seen(vec![row(true, None)], vec![running]), None);
    assert_eq!((again.create.len(), again.adopt.len()), (0, 1));
}

#[test]
fn a_pod_that_vanished_is_lost_and_one_that_ended_is_not() {
    let lost = plan(&seen(vec![row(true, Some(POD))], vec![]), None);
    assert_eq!(phases(&lost), [PodPhase::Lost]);
    let mut ended = seen(vec![row(true, Some(POD))], vec![]);
    ended.rows.told.insert((POD.parse().unwrap(), "pod/Succeeded".into()));
    assert_eq!(phases(&plan(&ended, None)), []);
    // Made again by somebody under the same name: the row's own pod is lost, the other one goes.
    let other = pod("cccccccc-0000-4000-8000-000000000001", &json!({"phase": "Running"}));
    let replaced = plan(&seen(vec![row(true, Some(POD))], vec![other]), None);
    assert_eq!((phases(&replaced), replaced.delete.len()), (vec![PodPhase::Lost], 1));
}

#[test]
fn each_phase_is_told_once_and_nothing_after_an_end() {
    let running = pod(POD, &json!({"phase": "Running"}));
    let mut seen = seen(vec![row(true, Some(POD))], vec![running]);
    assert_eq!(phases(&plan(&seen, None)), [PodPhase::Running]);
    seen.rows.told.insert((POD.parse().unwrap(), "pod/Running".into()));
    assert_eq!(phases(&plan(&seen, None)), []);
    seen.rows.told.insert((POD.parse().unwrap(), "pod/Failed".into()));
    seen.pods = vec![Arc::new(pod(POD, &json!({"phase": "Succeeded"})))];
    assert_eq!(phases(&plan(&seen, None)), []);
}

#[test]
fn somebody_elses_pod_is_left_alone() {
    let mut unmarked = pod(POD, &json!({"phase": "Running"}));
    unmarked.metadata.labels = None;
    // A label can be written by whoever may edit pods; what a pod runs as cannot be changed.
    let mut marked = pod(POD, &json!({"phase": "Running"}));
    marked.spec.as_mut().unwrap().service_account_name = Some("default".into());
    for foreign in [unmarked, marked] {
        let plan = plan(&seen(vec![row(true, None)], vec![foreign]), None);
        assert_eq!((plan.create.len(), plan.adopt.len(), plan.delete.len()), (0, 0, 0));
        assert_eq!(plan.taken.as_deref(), Some("p"));
    }
}

fn waiting(reason: &str) -> Value {
    json!({"phase": "Pending", "initContainerStatuses": [{"name": "install", "image": "", "imageID": "", "ready": false,
        "restartCount": 0, "state": {"waiting": {"reason": reason, "message": "words"}}}]})
}

fn terminated(reason: &str, exit: i32) -> Value {
    json!([{"name": "agent", "image": "", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"terminated": {"exitCode": exit, "reason": reason}}}])
}

#[test]
fn pod_statuses_become_phases_and_documented_reasons() {
    let unschedulable = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
        "reason": "Unschedulable", "message": "0/1 nodes"}]});
    let disrupted = json!({"phase": "Failed", "conditions": [{"type": "DisruptionTarget", "status": "True"}],
        "containerStatuses": terminated("Error", 137)});
    for (status, phase, reason, exit) in [
        (json!({}), PodPhase::Created, "Created", None),
        (waiting("PodInitializing"), PodPhase::Created, "Created", None),
        (waiting("ImagePullBackOff"), PodPhase::Blocked, "ImagePullFailed", None),
        (waiting("CreateContainerError"), PodPhase::Blocked, "ContainerStartFailed", None),
        (unschedulable, PodPhase::Blocked, "PodUnschedulable", None),
        (json!({"phase": "Unknown"}), PodPhase::Blocked, "NodeLost", None),
        (json!({"phase": "Running"}), PodPhase::Running, "Running", None),
        (json!({"phase": "Succeeded"}), PodPhase::Succeeded, "Completed", Some(0)),
        (
            json!({"phase": "Failed", "containerStatuses": terminated("Error", 2)}),
            PodPhase::Failed,
            "Error",
            Some(2),
        ),
        (
            json!({"phase": "Failed", "containerStatuses": terminated("OOMKilled", 137)}),
            PodPhase::Failed,
            "OOMKilled",
            Some(137),
        ),
        (
            json!({"phase": "Failed", "reason": "DeadlineExceeded"}),
            PodPhase::Failed,
            "DeadlineExceeded",
            None,
        ),
        (json!({"phase": "Failed", "reason": "Evicted"}), PodPhase::Lost, "PodEvicted", None),
        (json!({"phase": "Failed", "reason": "NodeShutdown"}), PodPhase::Lost, "NodeLost", None),
        (json!({"phase": "Failed", "reason": "OutOfcpu"}), PodPhase::Lost, "PodEvicted", None),
        (disrupted, PodPhase::Lost, "PodEvicted", None),
        (
            json!({"phase": "Failed", "conditions": [{"type": "DisruptionTarget", "status": "True",
                "reason": "DeletionByTaintManager"}]}),
            PodPhase::Lost,
            "NodeLost",
            None,
        ),
    ] {
        let seen = read(&pod(POD, &status));
        assert_eq!((seen.phase, seen.reason.as_str(), seen.exit_code), (phase, reason, exit), "{status}");
    }
    let mut going = pod(POD, &json!({"phase": "Running"}));
    going.metadata.deletion_timestamp = Some(Time(at(1)));
    assert_eq!(read(&going).phase, PodPhase::Lost);
}

#[test]
fn refusals_of_pods_have_a_documented_reason() {
    let class = r#"pods "p" is forbidden: pod rejected: RuntimeClass "gvisor" not found"#;
    assert_eq!(refusal(class).reason, "RuntimeClassNotFound");
    assert_eq!(refusal("exceeded quota: pods").reason, "ChildRefused");
}

fn view(conditions: &[(&str, &str, &str)]) -> TaskView {
    let one = |(t, s, r): &(&str, &str, &str)| ViewCondition {
        r#type: (*t).into(),
        status: (*s).into(),
        reason: (*r).into(),
        message: "m".into(),
    };
    TaskView {
        stage: "Producing".into(),
        attempt: 1,
        observed_generation: 1,
        conditions: conditions.iter().map(one).collect(),
        ..TaskView::default()
    }
}

fn with_view(conditions: &[(&str, &str, &str)]) -> Seen {
    let mut seen = seen(vec![], vec![]);
    seen.rows.view = Some(view(conditions));
    seen
}

const WORKING: [(&str, &str, &str); 3] = [
    ("Admitted", "True", "Admitted"),
    ("Complete", "False", "Producing"),
    ("Reconciling", "True", "Producing"),
];

#[test]
fn the_status_follows_the_view_and_generic_tools_read_it() {
    let working = status(&with_view(&WORKING), &Plan::default(), None, at(1));
    assert_eq!(kstatus(&working.conditions, 1, working.observed_generation, false), KStatus::InProgress);
    assert_eq!((working.stage.as_deref(), working.attempt), (Some("Producing"), Some(1)));
    let mut done = with_view(&[("Complete", "True", "Delivered")]);
    Arc::make_mut(&mut done.task).status = Some(working);
    let done = status(&done, &Plan::default(), None, at(2));
    assert!(is_true(&done.conditions, COMPLETE));
    assert!(find(&done.conditions, "Reconciling").is_none());
    assert_eq!(kstatus(&done.conditions, 1, done.observed_generation, false), KStatus::Current);
}

#[test]
fn a_policy_or_budget_that_cannot_be_read_may_be_the_one_that_forbids() {
    let mut blocked = inputs();
    blocked.unreadable.budget = Some("Budget b cannot be used: spec.x".into());
    assert_eq!(why(&blocked).unwrap_err(), "BudgetNotReady");
    blocked.unreadable.policy = Some("GovernancePolicy p cannot be used: spec.x".into());
    assert_eq!(why(&blocked).unwrap_err(), "PolicyNotReady");
}

#[test]
fn a_guards_run_that_cannot_go_on_is_told_by_the_task_until_it_can() {
    let run = |conditions: Value| {
        let object = json!({"apiVersion": "goldenarch.dev/v1alpha1", "kind": "SandboxRun",
            "metadata": {"name": "fix-g", "namespace": "team"},
            "spec": {"image": "i", "command": ["c"]}, "status": {"conditions": conditions}});
        StalledRun::of(&serde_json::from_value(object).unwrap())
    };
    let condition = |type_: &str, reason: &str| {
        json!({"type": type_, "status": "True", "reason": reason, "message": "no such image",
            "lastTransitionTime": "2026-01-01T00:00:00Z"})
    };
    assert_eq!(run(json!([condition("Reconciling", "Pending")])), None);
    assert_eq!(run(json!([condition("Stalled", "ImageError"), condition("Failed", "ImageError")])), None);
    let mut seen = with_view(&WORKING);
    seen.stalled.extend(run(json!([condition("Stalled", "ImageError")])));
    let stalled = status(&seen, &Plan::default(), None, at(1));
    let told = find(&stalled.conditions, "Stalled").unwrap();
    assert_eq!(
        (told.reason.as_str(), told.message.as_str()),
        ("ImagePullFailed", "guard run fix-g: no such image")
    );
    seen.stalled.clear();
    seen.messaging_away = true;
    let away = status(&seen, &Plan::default(), None, at(1));
    assert_eq!(find(&away.conditions, "Stalled").unwrap().reason, "MessagingUnreachable");
    seen.messaging_away = false;
    Arc::make_mut(&mut seen.task).status = Some(stalled);
    let mended = status(&seen, &Plan::default(), None, at(2));
    assert!(find(&mended.conditions, "Stalled").is_none());
}

#[test]
fn a_refused_task_stalls_and_recovers_when_it_is_mended() {
    let mut seen = seen(vec![], vec![]);
    seen.rows = Rows::default();
    let fault = crate::models::Fault { reason: "NoBudget", message: "none".into() };
    let refused = plan(&seen, Some(Weighed::new(Err(fault), None, Step::Keep, None)));
    let stalled = status(&seen, &refused, Some(&Acted::default()), at(1));
    assert_eq!(find(&stalled.conditions, ADMITTED).unwrap().reason, "NoBudget");
    assert!(is_true(&stalled.conditions, STALLED) && !is_true(&stalled.conditions, FAILED));
    Arc::make_mut(&mut seen.task).status = Some(stalled);
    let mended = plan(&seen, Some(Weighed::new(admit(&inputs()), None, Step::Keep, None)));
    let going = status(&seen, &mended, Some(&Acted::default()), at(2));
    assert!(is_true(&going.conditions, ADMITTED) && find(&going.conditions, STALLED).is_none());
}

#[test]
fn a_deleted_team_ends_its_tasks_and_a_refused_pod_stalls_them() {
    let mut orphan = with_view(&WORKING);
    orphan.team = None;
    let shown = status(&orphan, &Plan::default(), None, at(1));
    assert_eq!(find(&shown.conditions, FAILED).unwrap().reason, "TeamDeleted");
    let acted = Acted { refused: Some(refusal("exceeded quota")) };
    let shown = status(&with_view(&WORKING), &Plan::default(), Some(&acted), at(1));
    assert_eq!(find(&shown.conditions, STALLED).unwrap().reason, "ChildRefused");
}

#[test]
fn ends_and_questions_are_written_at_once_faults_when_they_last_and_progress_when_it_may() {
    let of =
        |conditions: &[(&str, &str, &str)]| status(&with_view(conditions), &Plan::default(), None, at(1));
    let working = of(&WORKING);
    let mut later = working.clone();
    later.stage = Some("Guarding".into());
    assert_eq!(urgency(&working, &working), Urgency::None);
    assert_eq!(urgency(&working, &later), Urgency::Progress);
    assert_eq!(urgency(&working, &of(&[("Complete", "True", "Delivered")])), Urgency::Now);
    let asked = of(&[
        ("Admitted", "True", "Admitted"),
        ("Approved", "False", "ApprovalPending"),
        ("Complete", "False", "AwaitingPerson"),
    ]);
    assert_eq!(urgency(&working, &asked), Urgency::Now);
    let broke = of(&[
        ("Admitted", "True", "Admitted"),
        ("BudgetAvailable", "False", "BudgetExhausted"),
        ("Complete", "False", "x"),
    ]);
    assert!(matches!(urgency(&working, &broke), Urgency::Lasting(_)));
    let blocked = of(&[
        ("Admitted", "True", "Admitted"),
        ("Complete", "False", "x"),
        ("Stalled", "True", "ImagePullFailed"),
    ]);
    assert!(matches!(urgency(&working, &blocked), Urgency::Lasting(_)));
    assert!(matches!(urgency(&blocked, &working), Urgency::Lasting(_)));
}
