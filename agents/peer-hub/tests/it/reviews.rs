//! What a review promises.

use crate::world::{ADR, DECISION, World, binding, request};
use golden_consensus::{Ballot, IgnoredReason, OutcomeKind, Verdict};
use golden_model::Fault;
use golden_platform::http::{ANSWERED_MODEL, ANSWERED_PROVIDER, ANSWERED_UPSTREAM};
use golden_platform::wire::{Envelope, Fact, GuardOutcome, HeldCall, Message, ModelBinding, NewFact};
use golden_platform::{facts, subjects};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use sqlx::types::Json;
use std::time::{Duration, Instant};
use uuid::Uuid;

fn four() -> Value {
    json!({"voters": [{"role": "security"}, {"role": "reviewer"}, {"role": "architect"}, {"role": "tester"}],
           "quorumPercent": 50, "approvePercent": 50, "onTie": "Escalate", "timeoutSeconds": 60})
}

pub(crate) fn one(rule: &Value) -> Value {
    json!({"voters": [rule], "timeoutSeconds": 60})
}

#[tokio::test(flavor = "multi_thread")]
async fn even_votes_are_a_tie_with_verified_dissent() {
    let world = World::new("").await;
    let envelope = world.request(ADR, four(), 60).await;
    world.open(&envelope).await;
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    let decision = world.decided().await;
    assert_eq!(decision.decision, OutcomeKind::Tie);
    assert_eq!((decision.tally.approve_weight, decision.tally.reject_weight), (2, 2));
    let power: Vec<String> = decision.power.iter().map(|seat| seat.shapley_shubik.to_string()).collect();
    assert_eq!(power, ["1/4"; 4]);
    let ballots = world.ballots().await;
    assert_eq!(ballots.len(), 4);
    assert!(ballots.iter().all(Ballot::has_verified_evidence), "{ballots:#?}");
    let facts = world.facts().await;
    assert_eq!(facts.len(), 1);
    assert_eq!(facts[0]["decision"]["decision"], "Tie");
    assert_eq!(facts[0]["decision"]["power"][3]["shapleyShubik"], "1/4", "for the record");
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT raw, prompt_digest FROM ballots").fetch_all(&world.pool).await.unwrap();
    assert!(rows.iter().all(|(raw, digest)| raw.contains("verdict") && digest.starts_with("sha256:")));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_voter_is_shown_the_goal_the_patch_and_the_files() {
    let world = World::new("").await;
    let envelope = world.request(ADR, four(), 60).await;
    world.open(&envelope).await;
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    world.decided().await;
    let asked = world.calls.asked();
    assert_eq!(asked.len(), 4);
    for call in asked {
        let first_line = DECISION.lines().next().unwrap();
        for part in [ADR.to_owned(), format!("\n+{first_line}\n"), format!("\n     1| {first_line}\n")] {
            assert!(call.user.contains(&part), "{part:?} is not in {}", call.user);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_voters_are_asked_before_any_has_answered() {
    let world = World::new("").await;
    let envelope = world.request(ADR, four(), 60).await;
    world.open(&envelope).await;
    world.model.order(Fault { next: 4, latency_ms: 1000, ..Fault::default() });
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    world.decided().await;
    assert_eq!(world.calls.begun_before_the_first_end(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn redelivery_and_two_replicas_make_one_ballot_per_voter_and_one_decision() {
    let world = World::new("").await;
    let envelope = world.request(ADR, four(), 60).await;
    world.open(&envelope).await;
    world.model.order(Fault { next: 8, latency_ms: 300, ..Fault::default() });
    let _replicas = (world.replica(), world.replica());
    for copy in 0..4 {
        world.publish(&envelope, &format!("copy-{copy}")).await;
    }
    world.decided().await;
    // Every copy is worked off before the count.
    let begun = Instant::now();
    loop {
        let mut stream = world.js.get_stream(subjects::prc_stream(world.team)).await.unwrap();
        if stream.info().await.unwrap().state.messages == 0 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "copies are left");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((world.ballots().await.len(), world.facts().await.len()), (4, 1));
    assert_eq!(world.model.tally().totals.unmatched, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_ballots_are_used_again_after_a_crash() {
    let world = World::new("").await;
    let envelope = world.request(ADR, four(), 60).await;
    world.open(&envelope).await;
    let Message::ReviewRequested(request) = &envelope.message else { panic!("no review") };
    let stored = Ballot {
        voter: "architect".into(),
        role: "architect".into(),
        model: "m".into(),
        answered_by: vec![],
        verdict: Verdict::Approve,
        severity: golden_consensus::Severity::Info,
        confidence: 50,
        evidence: vec![],
        rationale: "before the crash".into(),
        digest: request.digest.clone(),
        round: 1,
        cast_after_seconds: None,
    };
    sqlx::query(
        "INSERT INTO ballots (task_uid, attempt, round, voter, digest, team_uid, model, ballot, raw, prompt_digest)
         VALUES ($1, 1, 1, 'architect', $2, $3, 'm', $4, 'raw', 'sha256:x')",
    )
    .bind(world.task)
    .bind(&request.digest)
    .bind(world.team)
    .bind(Json(&stored))
    .execute(&world.pool)
    .await
    .unwrap();
    let _replica = world.replica();
    world.publish(&envelope, "again").await;
    let decision = world.decided().await;
    assert_eq!(decision.decision, OutcomeKind::Approved, "{}", decision.reason);
    assert_eq!(world.model.tally().totals.calls, 3, "the architect was not asked again");
}

/// The model's words are the recording's; the goal is this test's own.
pub(crate) fn story(turns: &str) -> String {
    format!(
        "name: mine\ncontains: [\"my own goal\"]\nconversations:\n  - role: security\n    turns:\n{turns}"
    )
}

pub(crate) const APPROVE: &str =
    r#"{"verdict":"Approve","severity":"Info","confidence":80,"evidence":[],"rationale":"fine"}"#;

pub(crate) fn turn(asked: Option<&str>, content: &str) -> String {
    let asked = asked.map_or_else(String::new, |words| format!("asked: {words:?}, "));
    format!("      - {{{asked}reply: {{content: {}}}}}\n", Value::from(content))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_ballot_is_mended_once() {
    let turns = turn(None, "I approve.") + &turn(Some("could not be read"), APPROVE);
    let world = World::new(&story(&turns)).await;
    let envelope = world.request("my own goal", one(&json!({"role": "security"})), 60).await;
    world.open(&envelope).await;
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    assert_eq!(world.decided().await.decision, OutcomeKind::Approved);
    assert_eq!(world.model.tally().totals.calls, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ballot_malformed_twice_is_an_abstention() {
    let turns = turn(None, "I approve.") + &turn(Some("no JSON object"), "{\"verdict\": \"Yes!\"}");
    let world = World::new(&story(&turns)).await;
    let envelope = world.request("my own goal", one(&json!({"role": "security"})), 60).await;
    world.open(&envelope).await;
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    assert_eq!(world.decided().await.decision, OutcomeKind::Tie, "nobody had an opinion");
    let ballot = world.ballots().await.remove(0);
    assert_eq!(ballot.verdict, Verdict::Abstain);
    assert!(ballot.rationale.starts_with("Malformed: "), "{}", ballot.rationale);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_veto_counts_only_with_evidence_that_is_there() {
    let reject = |quote: &str| {
        let evidence = json!([{"file": "decision.md", "startLine": 1, "endLine": 1, "quote": quote}]);
        json!({"verdict": "Reject", "severity": "Major", "confidence": 90, "evidence": evidence, "rationale": "no"})
            .to_string()
    };
    for (quote, want) in
        [("SKIP LOCKED", OutcomeKind::Vetoed), ("this is written nowhere", OutcomeKind::VetoUnverified)]
    {
        let world = World::new(&story(&turn(None, &reject(quote)))).await;
        let rules = one(&json!({"role": "security", "veto": true}));
        let envelope = world.request("my own goal", rules, 60).await;
        world.open(&envelope).await;
        let _replica = world.replica();
        world.publish(&envelope, "first").await;
        assert_eq!(world.decided().await.decision, want, "{quote}");
    }
}

fn model(name: &str) -> ModelBinding {
    ModelBinding { model: name.into(), ..binding(32_000) }
}

/// A review of this author's work by voters that must judge with other models: security with `large`, and a tester.
async fn independent(world: &World, tester: &str, author: ModelBinding) -> Envelope {
    let rules = json!({"voters": [{"role": "security"}, {"role": "tester"}], "independence": "DifferentModel",
                       "timeoutSeconds": 60});
    let mut envelope = world.request("my own goal", rules, 60).await;
    let request = request(&mut envelope);
    request.models.insert("voter:security".into(), model("large"));
    request.models.insert("voter:tester".into(), model(tester));
    request.author = Some(author);
    envelope
}

#[tokio::test(flavor = "multi_thread")]
async fn where_independence_is_asked_for_a_ballot_by_the_authors_model_does_not_count() {
    let tester = format!("  - role: tester\n    turns:\n{}", turn(None, APPROVE));
    let world = World::new(&(story(&turn(None, APPROVE)) + &tester)).await;
    let author = ModelBinding { provider: "another".into(), ..model("small") };
    let envelope = independent(&world, "small", author).await;
    world.open(&envelope).await;
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    let decision = world.decided().await;
    assert_eq!(decision.decision, OutcomeKind::Approved, "{}", decision.reason);
    assert_eq!(decision.tally.approve_weight, 1);
    let ignored: Vec<(&str, IgnoredReason)> =
        decision.ignored.iter().map(|i| (i.voter.as_str(), i.reason)).collect();
    assert_eq!(ignored, [("tester", IgnoredReason::AuthorsModel)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ballot_that_a_fallback_of_the_authors_model_answered_is_not_independent() {
    let mended = turn(Some("could not be read"), APPROVE);
    let mends = format!("  - role: tester\n    turns:\n{}{mended}", turn(None, "no ballot"));
    let world = World::new(&(story(&turn(None, APPROVE)) + &mends)).await;
    let envelope = independent(&world, "medium", model("small")).await;
    let told = [(ANSWERED_PROVIDER, "shop/other"), (ANSWERED_MODEL, "alias"), (ANSWERED_UPSTREAM, "Small")];
    let told = told.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    world.calls.tell("Role: tester", HeaderMap::from_iter(told));
    world.open(&envelope).await;
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    let decision = world.decided().await;
    assert_eq!((decision.decision, decision.tally.approve_weight), (OutcomeKind::Approved, 1));
    let ignored: Vec<(&str, IgnoredReason)> =
        decision.ignored.iter().map(|i| (i.voter.as_str(), i.reason)).collect();
    assert_eq!(ignored, [("tester", IgnoredReason::AuthorsModel)]);
    let ballots = world.ballots().await;
    assert!(ballots[0].answered_by.is_empty(), "a gateway that does not say");
    assert_eq!(ballots[1].model, "p/medium");
    assert_eq!(ballots[1].answered_by, ["shop/other/Small", "shop/other/alias"], "of both answers, once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_guard_cannot_be_outvoted() {
    let world = World::new(&story(&turn(None, APPROVE))).await;
    let mut envelope = world.request("my own goal", one(&json!({"role": "security"})), 60).await;
    let Message::ReviewRequested(request) = &mut envelope.message else { panic!("no review") };
    request.guards.push(GuardOutcome {
        attempt: 1,
        guard: "unit-tests".into(),
        verdict: "Failed".into(),
        tree: request.digest.clone(),
        sandbox_run: "run".into(),
        run_uid: Uuid::new_v4(),
        exit_code: Some(1),
        reason: "NonZeroExit".into(),
        excerpt: String::new(),
        output_digest: None,
        image_id: None,
        isolation: "gvisor".into(),
        quarantine: None,
    });
    world.open(&envelope).await;
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    let decision = world.decided().await;
    assert_eq!(decision.decision, OutcomeKind::GuardFailed);
    assert!(decision.reason.contains("unit-tests"), "{}", decision.reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voter_that_fails_is_asked_until_the_review_closes_and_then_absent() {
    let world = World::new(&story(&turn(None, APPROVE))).await;
    let rules = one(&json!({"role": "security"}));
    let envelope = world.request("my own goal", rules, 3).await;
    world.open(&envelope).await;
    world.model.order(Fault { next: 100, status: Some(503), ..Fault::default() });
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    assert_eq!(world.decided().await.decision, OutcomeKind::QuorumMissing);
    assert!(world.ballots().await.is_empty());
}

/// As the gateway writes it when it holds a call of the task.
async fn hold(world: &World, task: Uuid) {
    let fact = NewFact {
        team_uid: world.team,
        task_uid: task,
        object_uid: task,
        fact_key: "held/op-1/u1".into(),
        fact: Fact::BudgetHeld {
            op_key: "op-1/u1".into(),
            call: HeldCall {
                missing_micro_usd: 1,
                account: "Budget checkout/monthly".into(),
                on_exhausted: "Pause".into(),
                ..HeldCall::default()
            },
        },
    };
    facts::insert(&mut world.pool.acquire().await.unwrap(), &fact).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voter_whose_call_waits_for_money_is_waited_for() {
    let world = World::new(&story(&turn(None, APPROVE))).await;
    let envelope = world.request("my own goal", one(&json!({"role": "security"})), 2).await;
    world.open(&envelope).await;
    hold(&world, world.task).await;
    world.model.order(Fault { latency_ms: 5000, ..Fault::default() });
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    assert_eq!(world.decided().await.decision, OutcomeKind::Approved);
    assert_eq!(world.model.tally().totals.calls, 1, "the same call, not another");
}

#[tokio::test(flavor = "multi_thread")]
async fn reviews_that_wait_for_money_hold_up_no_other() {
    let world = World::new(&story(&turn(None, APPROVE))).await;
    let paid = world.request("my own goal", one(&json!({"role": "security"})), 60).await;
    world.open(&paid).await;
    // As many as a replica takes at once; and then one that can be paid.
    world.model.order(Fault { next: 4, latency_ms: 120_000, ..Fault::default() });
    for n in 0..4 {
        let task = Uuid::new_v4();
        let held = Envelope { id: format!("{task}/1/review/1"), task, ..paid.clone() };
        world.open(&held).await;
        hold(&world, task).await;
        world.publish(&held, &format!("held-{n}")).await;
    }
    let _replica = world.replica();
    world.publish(&paid, "paid").await;
    assert_eq!(world.decided().await.decision, OutcomeKind::Approved);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reviews_clock_goes_on_with_the_time_that_was_left_when_the_money_comes() {
    waited_most_of_its_time("held/op-1/h1", "resumed/op-1/h1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reviews_clock_goes_on_when_nobody_waits_for_the_held_call_any_more() {
    waited_most_of_its_time("held/op-1/h1", "left/op-1/h1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reviews_clock_goes_on_with_the_time_that_was_left_when_the_model_is_back() {
    waited_most_of_its_time("stuck/op-1/1", "unstuck/op-1/1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reviews_clock_goes_on_with_the_time_that_was_left_when_a_suspension_ends() {
    waited_most_of_its_time("spec/2", "spec/3").await;
}

/// Of the wait only keys and contents count here, and the times.
async fn waited_most_of_its_time(begins: &str, ends: &str) {
    let world = World::new(&story(&turn(None, APPROVE))).await;
    // Open for 30 seconds a minute ago, of which 57 seconds were spent waiting.
    let envelope = world.request("my own goal", one(&json!({"role": "security"})), -30).await;
    world.open(&envelope).await;
    sqlx::query("UPDATE reviews SET opened_at = now() - interval '60 seconds'")
        .execute(&world.pool)
        .await
        .unwrap();
    for (key, state, ago) in [(begins, "Suspended", 58.0), (ends, "Active", 1.0)] {
        sqlx::query(
            "INSERT INTO facts (team_uid, task_uid, object_uid, fact_key, kind, body, at)
             VALUES ($1, $2, $2, $3, 'Any', $4, now() - make_interval(secs => $5))",
        )
        .bind(world.team)
        .bind(world.task)
        .bind(key)
        .bind(json!({"onExhausted": "Pause", "desiredState": state}))
        .bind(ago)
        .execute(&world.pool)
        .await
        .unwrap();
    }
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    assert_eq!(world.decided().await.decision, OutcomeKind::Approved);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_nobody_was_asked_for_in_time_is_left_to_the_orchestrator() {
    let world = World::new("").await;
    let envelope = world.request(ADR, four(), -5).await;
    world.open(&envelope).await;
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    world.worked_off().await;
    assert_eq!((world.decision(1).await, world.facts().await.len()), (None, 0));
    assert!(world.stores.nats.pid().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_cannot_be_read_end_among_the_dead_letters() {
    let world = World::new("").await;
    let envelope = world.request(ADR, json!({"voters": []}), 60).await;
    world.open(&envelope).await;
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    let begun = Instant::now();
    loop {
        let reasons: Vec<String> =
            sqlx::query_scalar("SELECT reason FROM dead_letters").fetch_all(&world.pool).await.unwrap();
        if let Some(reason) = reasons.first() {
            assert!(reason.contains("names no voters"), "{reason}");
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "no dead letter");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn voters_of_a_task_that_has_ended_are_not_waited_for() {
    let slow = turn(None, APPROVE).replacen("reply:", "thinksMs: 300000, reply:", 1);
    let world = World::new(&story(&slow)).await;
    let envelope = world.request("my own goal", one(&json!({"role": "security"})), 600).await;
    world.open(&envelope).await;
    let _replica = world.replica();
    world.publish(&envelope, "first").await;
    let begun = Instant::now();
    while world.model.tally().totals.calls == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the voter is not asked");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    world.end_task().await;
    world.worked_off().await;
    assert_eq!((world.decision(1).await, world.ballots().await.len()), (None, 0));
}
