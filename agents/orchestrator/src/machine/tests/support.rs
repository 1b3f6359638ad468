//! A task that is played: facts as the other parts would write them, on a clock of its own.

use crate::machine::{
    AttemptEnded, Command, Event, OutcomeKind, ProducedTree, Stage, State, Step, Task, Usage, admit, step,
    view,
};
use golden_crds::governance_policy::{ApprovalRule, ApprovalWhen, GovernancePolicySpec};
use golden_governance::{NamedPolicy, merge};
use golden_platform::wire::{
    Admission, AttemptNotSaved, AttemptResult, AttemptSaved, DesiredKind, GuardOutcome, JobResult, Message,
    PersonDecision, PodOutcome, PodPhase, ReviewRequest, TaskView,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

pub(crate) const BASE: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// A digest that is told apart by a number.
pub(crate) fn digest(n: u32) -> String {
    format!("sha256:{n:064x}")
}

/// Gives a decision's dissent evidence that was found, or not.
pub(crate) fn object(decision: &mut Value, verified: bool) {
    decision["dissent"][0]["evidence"] =
        json!([{"file": "a", "startLine": 1, "endLine": 1, "quote": "x", "verified": verified}]);
}

/// What a played task is made of.
pub(crate) struct Setup {
    pub(crate) spec: Value,
    pub(crate) policy: Value,
    pub(crate) depends_on: Value,
}

impl Setup {
    /// From git, to git, one guard of the policy, one of the task, four voters.
    pub(crate) fn git() -> Self {
        Self {
            spec: json!({
                "teamRef": {"name": "core"}, "goal": "Transliterate.\nKeep the signature.", "submittedBy": "alice",
                "source": {"git": {"url": "https://git.example/shop.git", "ref": "main"}},
                "guards": [{"name": "lint", "image": "i", "command": ["lint"]}],
                "delivery": {"git": {"branch": "golden/x"}},
                "maxAttempts": 3, "deadlineSeconds": 100_000,
            }),
            policy: json!({
                "guards": {"required": [{"name": "unit", "image": "i", "command": ["pytest"], "restorePaths": ["tests/**"]}]},
                "review": {"voters": [
                    {"role": "security", "veto": true}, {"role": "reviewer"}, {"role": "architect"}, {"role": "tester"},
                ], "timeoutSeconds": 120},
                "escalation": {"deadlineSeconds": 3600},
            }),
            depends_on: json!([]),
        }
    }

    /// From inline files, no guard, the result stays an artifact.
    pub(crate) fn inline() -> Self {
        let mut setup = Self::git();
        setup.spec["source"] = json!({"inline": {"files": [{"path": "context.md", "content": "x"}]}});
        setup.spec["guards"] = json!([]);
        setup.spec.as_object_mut().unwrap().remove("delivery");
        setup.policy["guards"] = json!({"required": []});
        setup
    }

    pub(crate) fn with(mut self, path: &str, value: Value) -> Self {
        let root = if path.starts_with("/policy") { &mut self.policy } else { &mut self.spec };
        let key = path.trim_start_matches("/policy").trim_start_matches("/spec").trim_start_matches('/');
        root[key] = value;
        self
    }

    pub(crate) fn approvals(mut self, count: u32) -> Self {
        let rule = ApprovalRule { when: ApprovalWhen::Always, paths: vec![], count };
        self.policy["approvals"] = json!([rule]);
        self
    }

    pub(crate) fn admission(&self) -> (Task, Admission) {
        let spec: golden_crds::AgentTaskSpec = serde_json::from_value(self.spec.clone()).unwrap();
        let policy: GovernancePolicySpec = serde_json::from_value(self.policy.clone()).unwrap();
        let named = [NamedPolicy { name: "house", spec: &policy }];
        let merged = merge(&BTreeMap::new(), &BTreeMap::new(), &named, &spec.guards).unwrap();
        let binding = json!({"namespace": "golden-system", "provider": "p", "model": "m"});
        let models = json!({"role:developer": binding, "voter:security": binding, "voter:reviewer": binding});
        let admission: Admission = serde_json::from_value(json!({
            "namespace": "checkout", "name": "fix-slugify", "generation": 1, "labels": {"project": "shop"},
            "submittedBy": "alice", "spec": self.spec, "teamName": "core",
            "team": {"roles": [{"name": "developer", "modelRef": {"provider": "p", "model": "m"}}]},
            "policy": merged, "models": models, "dependsOn": self.depends_on,
        }))
        .unwrap();
        let task = Task {
            uid: Uuid::from_u128(7),
            team_uid: Uuid::from_u128(8),
            namespace: "checkout".into(),
            name: "fix-slugify".into(),
            submitted_by: "alice".into(),
            spec,
            policy: merged,
            models: admission.models.clone(),
        };
        (task, admission)
    }
}

/// A task under way.
pub(crate) struct Run {
    pub(crate) task: Task,
    pub(crate) state: State,
    pub(crate) now: Timestamp,
    pub(crate) commands: Vec<Command>,
    pub(crate) record: Vec<golden_record::Entry>,
    pub(crate) genesis: String,
    pub(crate) last: Option<Step>,
}

impl Run {
    pub(crate) fn new(setup: &Setup) -> Self {
        let (task, admission) = setup.admission();
        let now: Timestamp = "2026-03-01T10:00:00Z".parse().unwrap();
        let first = admit(&task, &admission, Uuid::from_u128(1), now);
        let genesis = first.record[0].prev.clone();
        let mut run = Self {
            task,
            state: first.state.clone(),
            now,
            commands: vec![],
            record: vec![],
            genesis,
            last: None,
        };
        run.take(first);
        run
    }

    fn take(&mut self, done: Step) {
        self.state = done.state.clone();
        self.commands.extend(done.commands.clone());
        self.record.extend(done.record.clone());
        self.last = Some(done);
    }

    pub(crate) fn feed(&mut self, event: &Event) -> &mut Self {
        let done = step(&self.task, &self.state, event, self.now);
        self.take(done);
        self
    }

    pub(crate) fn later(&mut self, seconds: i64) -> &mut Self {
        self.now = self.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
        self.feed(&Event::Tick)
    }

    pub(crate) fn view(&self) -> TaskView {
        view(&self.task, &self.state)
    }

    /// `status/reason` of a condition; empty where it is absent.
    pub(crate) fn condition(&self, kind: &str) -> String {
        let view = self.view();
        let found = view.conditions.iter().find(|c| c.r#type == kind);
        found.map_or_else(String::new, |c| format!("{}/{}", c.status, c.reason))
    }

    pub(crate) fn message(&self, kind: &str) -> String {
        let view = self.view();
        view.conditions.into_iter().find(|c| c.r#type == kind).map(|c| c.message).unwrap_or_default()
    }

    pub(crate) fn outcome(&self) -> Option<(OutcomeKind, &str)> {
        self.state.outcome.as_ref().map(|o| (o.kind, o.reason.as_str()))
    }

    pub(crate) fn ignored(&self) -> bool {
        self.last.as_ref().is_some_and(|s| s.ignored.is_some())
    }

    pub(crate) fn kinds(&self) -> Vec<&str> {
        self.record.iter().map(|e| e.kind.as_str()).collect()
    }

    /// Pods that are wanted and were not taken back.
    pub(crate) fn wanted(&self) -> Vec<String> {
        let mut wanted = vec![];
        for command in &self.commands {
            match command {
                Command::Want(row) => wanted.push(row.name.clone()),
                Command::Unwant { name, .. } => wanted.retain(|n| n != name),
                _ => {}
            }
        }
        wanted
    }

    pub(crate) fn messages(&self) -> Vec<&Message> {
        let published = self.commands.iter().filter_map(|c| match c {
            Command::Publish(envelope) => Some(&envelope.message),
            _ => None,
        });
        published.collect()
    }

    /// What peers were asked so far.
    pub(crate) fn review_requests(&self) -> Vec<&ReviewRequest> {
        let asked = self.messages().into_iter().filter_map(|message| match message {
            Message::ReviewRequested(request) => Some(&**request),
            _ => None,
        });
        asked.collect()
    }

    // What the other parts would write.

    pub(crate) fn pod(&self, phase: PodPhase, reason: &str, exit_code: Option<i32>) -> Event {
        let slot = self.state.pod.clone().unwrap();
        Event::Pod(PodOutcome {
            kind: slot.kind,
            name: slot.name,
            pod_uid: Uuid::from_u128(u128::from(slot.r#try)),
            attempt: slot.attempt,
            r#try: slot.r#try,
            phase,
            reason: reason.into(),
            message: format!("{reason} it said"),
            exit_code,
        })
    }

    pub(crate) fn job(&self, result: JobResult) -> Event {
        Event::Job { pod: self.state.pod.clone().unwrap().name, result }
    }

    pub(crate) fn fetched(&self) -> Event {
        self.job(JobResult::Fetched { commit: "c0ffee".into(), tree: BASE.into() })
    }

    pub(crate) fn result(&self, tree: &str, exit: i32) -> Event {
        self.result_of(tree, exit, tree)
    }

    /// `change` tells apart what trees come to.
    pub(crate) fn result_of(&self, tree: &str, exit: i32, change: &str) -> Event {
        let guards = self.task.policy.guards.iter().filter(|g| !g.spec.restore_paths.is_empty());
        let restored = guards.map(|g| (g.spec.name.clone(), format!("{tree}-restored"))).collect();
        Event::Attempt(AttemptEnded {
            result: AttemptResult {
                attempt: self.state.attempt,
                r#try: self.state.tries.made,
                tree: Some(tree.into()),
                agent_exit_code: exit,
                summary: "did what I could".into(),
                transcript: None,
            },
            produced: Some(Ok(ProducedTree {
                tree: tree.into(),
                patch: digest(0xabc),
                change: change.into(),
                changed_paths: vec!["shop/slug.py".into()],
                guard_trees: restored,
            })),
        })
    }

    /// The newest try saved its work.
    pub(crate) fn saved(&self, tree: &str) -> Event {
        Event::Saved(AttemptSaved {
            attempt: self.state.attempt,
            r#try: self.state.tries.made,
            tree: tree.into(),
            transcript: Some(digest(0x7a)),
        })
    }

    /// It could not.
    pub(crate) fn not_saved(&self) -> Event {
        Event::NotSaved(AttemptNotSaved {
            attempt: self.state.attempt,
            r#try: self.state.tries.made,
            why: "the workspace has too many bytes".into(),
        })
    }

    pub(crate) fn guard(&self, name: &str, verdict: &str) -> Event {
        let slot = &self.state.guards[name];
        Event::Guard(GuardOutcome {
            attempt: self.state.attempt,
            guard: name.into(),
            verdict: verdict.into(),
            tree: slot.tree.clone(),
            sandbox_run: slot.run_name.clone(),
            run_uid: Uuid::from_u128(9),
            exit_code: Some(i32::from(verdict != "Passed")),
            reason: if verdict == "Inconclusive" {
                "IsolationUnavailable".into()
            } else {
                "Completed".into()
            },
            excerpt: format!("{name} says {verdict}"),
            output_digest: None,
            image_id: None,
            isolation: "gvisor".into(),
            quarantine: None,
        })
    }

    pub(crate) fn review(&self, decision: &str) -> Event {
        self.review_with(decision, |_| {})
    }

    /// With a dissent whose evidence was found, or not.
    pub(crate) fn objected(&self, decision: &str, verified: bool) -> Event {
        self.review_with(decision, |said| object(said, verified))
    }

    /// A review whose decision says something else too.
    pub(crate) fn review_with(&self, decision: &str, change: impl FnOnce(&mut Value)) -> Event {
        let review = self.state.review.clone().unwrap();
        let mut decision = json!({
            "decision": decision, "next": "Wait", "reason": format!("they say {decision}"),
            "castWeight": 4, "approveWeight": 2, "rejectWeight": 2, "totalWeight": 4, "quorum": 2,
            "dissent": [{"voter": "architect", "role": "architect", "verdict": "Reject", "severity": "Minor",
                "rationale": "the mapping is hard to read", "digest": review.digest}],
        });
        change(&mut decision);
        Event::Reviewed {
            attempt: self.state.attempt,
            round: review.round,
            digest: review.digest,
            decision,
            ballots: vec![json!({"voter": "architect"})],
        }
    }

    pub(crate) fn decision(&self, n: u128, by: &str, verdict: &str, option: Option<&str>) -> Event {
        let digest = self.state.produced.as_ref().map(|p| p.tree.clone()).unwrap_or_default();
        Event::Decided(PersonDecision {
            decision_uid: Uuid::from_u128(n),
            name: format!("d{n}"),
            decided_by: by.into(),
            verdict: serde_json::from_value(json!(verdict)).unwrap(),
            option: option.map(str::to_owned),
            note: Some("since I say so".into()),
            digest,
            question: self.state.escalation.as_ref().map(|e| e.id.to_string()).unwrap_or_default(),
        })
    }

    // Ways to a stage.

    pub(crate) fn producing(setup: &Setup) -> Self {
        let mut run = Self::new(setup);
        run.feed(&Event::SlotGranted);
        if run.task.spec.source.inline.is_some() {
            run.feed(&Event::InlineBase(Ok(BASE.into())));
        } else {
            run.feed(&run.fetched());
        }
        assert_eq!(run.state.stage, Stage::Producing);
        run
    }

    pub(crate) fn guarding(setup: &Setup) -> Self {
        let mut run = Self::producing(setup);
        run.feed(&run.result(&digest(1), 0));
        run
    }

    pub(crate) fn reviewing(setup: &Setup) -> Self {
        let mut run = Self::guarding(setup);
        run.pass_guards();
        assert_eq!(run.state.stage, Stage::Reviewing);
        run
    }

    pub(crate) fn escalated(setup: &Setup) -> Self {
        let mut run = Self::reviewing(setup);
        run.feed(&run.review("Tie"));
        assert_eq!(run.state.stage, Stage::Escalated);
        run
    }

    pub(crate) fn delivering(setup: &Setup) -> Self {
        let mut run = Self::reviewing(setup);
        run.feed(&run.review("Approved"));
        assert_eq!(run.state.stage, Stage::Delivering);
        run
    }

    pub(crate) fn pass_guards(&mut self) {
        let names: Vec<String> = self.state.guards.keys().cloned().collect();
        for name in names {
            self.feed(&self.guard(&name, "Passed"));
        }
    }

    pub(crate) fn delivered(&self) -> Event {
        self.job(JobResult::Delivered { branch: "golden/x".into(), commit: "beef".into() })
    }
}

pub(crate) fn usage(cost: i64) -> Event {
    Event::Usage(Usage { calls: 1, input_tokens: 10, output_tokens: 5, cost_micro_usd: cost })
}

pub(crate) fn is_attempt_pod(command: &Command) -> bool {
    matches!(command, Command::Want(row) if row.kind == DesiredKind::AttemptPod)
}
