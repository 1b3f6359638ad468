//! One step: an event changes what is known, then the work goes as far as that allows.

use super::command::{Command, Entry, Step};
use super::event::Event;
use super::reasons;
use super::state::{RecordHead, Stage, State, Tries, Usage};
use super::task::{PRODUCER, Task};
use golden_crds::agent_task::DesiredState;
use golden_platform::wire::{Admission, DesiredKind};
use golden_record::Header;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

/// Begins a task. `install` becomes part of the record's first hash.
pub fn admit(task: &Task, admission: &Admission, install: Uuid, now: Timestamp) -> Step {
    let agent = admission.team.roles.iter().find(|r| r.name == PRODUCER).and_then(|r| r.agent.clone());
    let state = State {
        v: 1,
        stage: Stage::Waiting,
        generation: admission.generation,
        admitted_at: now,
        deadline: after(now, task.spec.deadline_seconds),
        waiting_for: admission.depends_on.clone(),
        broken_dependency: None,
        slot: false,
        suspended: admission.spec.desired_state == DesiredState::Suspended,
        cancelled: admission.spec.desired_state == DesiredState::Cancelled,
        deleted: false,
        limits: admission.spec.limits.clone(),
        agent,
        base: None,
        attempt: 0,
        start: None,
        feedback: String::new(),
        last_failure: None,
        setbacks: vec![],
        best: None,
        tries: Tries::none(DesiredKind::FetchPod, 0),
        pod: None,
        freed: None,
        saved: None,
        finish: None,
        job: None,
        produced: None,
        guards: std::collections::BTreeMap::new(),
        weights: None,
        review: None,
        additional_asked: false,
        escalation: None,
        answers: vec![],
        decisions: std::collections::BTreeSet::new(),
        approval: None,
        delivery: None,
        held: std::collections::BTreeMap::new(),
        resumed: std::collections::BTreeSet::new(),
        stuck: std::collections::BTreeMap::new(),
        usage: Usage::default(),
        trouble: None,
        outcome: None,
        record: RecordHead { entries: 0, head: golden_record::genesis(&header(task, install)) },
    };
    let mut work = Work::new(task, state, now);
    work.record("Admitted", admitted(task, admission));
    work.advance();
    work.finish()
}

/// What the record's first hash is of.
fn header(task: &Task, install: Uuid) -> Header {
    Header {
        v: golden_record::VERSION,
        team: task.team_uid.to_string(),
        task: task.uid.to_string(),
        install: install.to_string(),
    }
}

/// What a task was admitted with: all that its decisions rest on.
fn admitted(task: &Task, admission: &Admission) -> Value {
    let digest = |v: &Value| golden_record::canonical(v).map(|c| golden_record::digest(c.as_bytes())).ok();
    let spec = serde_json::to_value(&admission.spec).unwrap_or_default();
    let (source, delivery) = (&task.spec.source, &task.spec.delivery);
    let mut entry = json!({
        "name": task.name,
        "namespace": task.namespace,
        "labels": admission.labels,
        "submittedBy": task.submitted_by,
        "team": admission.team_name,
        "goal": task.spec.goal,
        "specDigest": digest(&spec),
        "source": source.git.as_ref().map(|g| json!({"url": g.url, "ref": g.git_ref})),
        "delivery": delivery.as_ref().and_then(|d| d.git.as_ref()).map(|g| json!({"branch": g.branch})),
        "maxAttempts": task.max_attempts(),
        "deadlineSeconds": task.spec.deadline_seconds,
        "limits": task.spec.limits,
        "dependsOn": admission.depends_on,
        "models": task.models,
        "policy": task.policy,
        "namespaceLabels": admission.namespace_labels,
        "policySources": admission.policy_sources,
    });
    if let (Some(started), Some(fields)) = (&admission.started_anyway, entry.as_object_mut()) {
        fields.insert("startedAnyway".into(), json!(started));
    }
    entry
}

/// Takes in one event. Never fails: what does not fit the present is ignored, with the reason in `ignored`.
pub fn step(task: &Task, state: &State, event: &Event, now: Timestamp) -> Step {
    let mut work = Work::new(task, state.clone(), now);
    if state.outcome.is_some() {
        work.ignored = Some("the task has ended");
        return work.finish();
    }
    work.absorb(event);
    work.advance();
    work.finish()
}

/// `seconds` after `now`, as far as time goes.
pub(super) fn after(now: Timestamp, seconds: i64) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

/// A step in the making.
pub(super) struct Work<'a> {
    pub(super) task: &'a Task,
    pub(super) s: State,
    pub(super) now: Timestamp,
    pub(super) commands: Vec<Command>,
    entries: Vec<Entry>,
    pub(super) ignored: Option<&'static str>,
}

impl<'a> Work<'a> {
    fn new(task: &'a Task, s: State, now: Timestamp) -> Self {
        Self { task, s, now, commands: vec![], entries: vec![], ignored: None }
    }

    /// Changes what is known; never decides where to go.
    fn absorb(&mut self, event: &Event) {
        match event {
            Event::Tick => {}
            Event::Usage(usage) => self.s.usage = *usage,
            Event::DependencyEnded { uid, outcome } => self.dependency_ended(*uid, outcome),
            Event::SlotGranted if self.s.wants_slot() => self.s.slot = true,
            Event::SlotGranted => self.ignore("it does not wait for its turn"),
            Event::InlineBase(result) => self.inline_base(result),
            Event::SpecChanged { generation, desired_state, limits } => {
                self.spec_changed(*generation, *desired_state, limits.as_ref());
            }
            Event::Deleted => self.s.deleted = true,
            Event::Decided(decision) => self.decided(decision),
            Event::Pod(outcome) => self.pod_observed(outcome),
            Event::Attempt(ended) => self.attempt_ended(ended),
            Event::Saved(saved) => self.attempt_saved(saved),
            Event::NotSaved(told) => self.attempt_not_saved(told),
            Event::Money { ask_again } => self.money(*ask_again),
            Event::Weighed(weights) => self.weighed(weights),
            Event::Job { pod, result } => self.job_ended(pod, result),
            Event::Guard(outcome) => self.guard_ended(outcome),
            Event::Reviewed { attempt, round, digest, decision, ballots } => {
                self.reviewed(*attempt, *round, digest, decision, ballots);
            }
            Event::EscalationDefaulted { escalation_id, option } => self.defaulted(*escalation_id, option),
            Event::BudgetHeld { op_key, call } => self.held(op_key, call),
            Event::BudgetResumed { op_key, moved } => self.resumed(op_key, *moved),
            Event::BudgetHoldLeft { op_key } => self.hold_left(op_key),
            Event::DeadLettered { attempt, id, why } => self.dead_lettered(*attempt, id, why),
            Event::CallStuck { caller, attempt, why } => self.stuck(caller, *attempt, why),
            Event::CallUnstuck { caller } => self.unstuck(caller),
            Event::StoreTrouble(trouble) => self.s.trouble.clone_from(trouble),
        }
    }

    pub(super) fn ignore(&mut self, why: &'static str) {
        self.ignored = Some(why);
    }

    pub(super) fn record(&mut self, kind: &'static str, body: Value) {
        self.entries.push(Entry { kind, body });
    }

    /// Chains the entries and says when to look again.
    fn finish(mut self) -> Step {
        let at = self.now.to_string();
        let mut record = Vec::with_capacity(self.entries.len());
        for Entry { kind, body } in std::mem::take(&mut self.entries) {
            let RecordHead { entries, head } = &self.s.record;
            let made = golden_record::append(head, entries + 1, &at, kind, body)
                .or_else(|fault| golden_record::append(head, entries + 1, &at, kind, unrecordable(&fault)));
            // The second cannot fail: its body is one short string, kind and time are ours.
            let Ok(entry) = made else { continue };
            self.s.record = RecordHead { entries: entry.seq, head: entry.hash.clone() };
            if let (reasons::APPROVED_ENTRY, Some(delivery)) = (kind, self.s.delivery.as_mut()) {
                delivery.record.clone_from(&entry.hash);
            }
            record.push(entry);
        }
        let wake = self.wake();
        Step { state: self.s, commands: self.commands, record, wake, ignored: self.ignored }
    }
}

/// An entry that cannot be made says so, since a gap would be worse.
fn unrecordable(fault: &golden_record::EntryError) -> Value {
    json!({ "unrecordable": fault.to_string().chars().take(300).collect::<String>() })
}
