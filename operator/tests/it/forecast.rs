use crate::objects::{admitted, budget, of_task, orchestrate, provider, task, team, uid, view};
use crate::world::{SOON, World, shared};
use golden_crds::conditions::{ADMITTED, COMPLETE, STALLED, find};
use golden_crds::{AgentTask, AgentTeam, Budget, ModelProvider};
use kube::Api;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use uuid::Uuid;

/// A namespace whose team pays for its models: a call costs at most 1000 + 100 tokens at one micro-USD each.
pub(crate) async fn priced_home(world: &World, name: &str) -> String {
    let home = crate::objects::home(world, name).await;
    let mut own = provider(&home, "own");
    own["spec"]["models"][0]["inputMicroUSDPerMToken"] = json!(1_000_000);
    own["spec"]["models"][0]["outputMicroUSDPerMToken"] = json!(1_000_000);
    world.apply(&own).await;
    let ready = |p: &ModelProvider| {
        crate::objects::shown(p.status.as_ref().map(|s| s.conditions.as_slice()), "Ready") == "True/Available"
    };
    world.until::<ModelProvider>(&home, "own", SOON, ready).await;
    let mut paying = team(&home, "core");
    paying["spec"]["roles"][0]["modelRef"] = json!({"provider": "own", "model": "m"});
    world.apply(&paying).await;
    let seen = |t: &AgentTeam| t.status.as_ref().and_then(|s| s.observed_generation) == t.metadata.generation;
    world.until::<AgentTeam>(&home, "core", SOON, seen).await;
    home
}

/// Plays a run: the ledger settles its cost, and the orchestrator ends it.
async fn complete(world: &World, task: &AgentTask, cost: i64) {
    let id = uid(task);
    sqlx::query("UPDATE accounts SET spent_cost = $2 WHERE account_uid = $1")
        .bind(id)
        .bind(cost)
        .execute(&world.pool)
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO reservations (op_key, request_hash, team_uid, task_uid, attempt, role, provider, model,
             prompt_digest, path, state, cost, tokens, actual_cost, input_tokens, output_tokens, lease_until)
         SELECT $1::text, 'h', team_uid, task_uid, 1, 'developer', 'p', 'm', 'd', path, 'Settled', $2, 1, $2, 1, 0, now()
         FROM task_accounts WHERE task_uid = $1",
    )
    .bind(id)
    .bind(cost)
    .execute(&world.pool)
    .await
    .unwrap();
    orchestrate(world, task, &view("Delivering", &[("Admitted", "True", "Admitted")])).await;
    sqlx::query("UPDATE tasks SET outcome = 'Complete', ended_at = now() WHERE task_uid = $1")
        .bind(id)
        .execute(&world.pool)
        .await
        .unwrap();
    orchestrate(
        world,
        task,
        &view("Complete", &[("Admitted", "True", "Admitted"), ("Complete", "True", "Delivered")]),
    )
    .await;
}

fn forecast(task: &AgentTask) -> (i64, i64, u32) {
    let f = task.status.as_ref().unwrap().forecast.as_ref().unwrap();
    (f.p50_cost_micro_usd, f.p90_cost_micro_usd, f.basis)
}

fn waits(world: &str, percentile: &str) -> Value {
    json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "GovernancePolicy", "metadata": {"name": world},
        "spec": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": world}},
            "forecast": {"onExceeds": "Wait", "percentile": percentile}},
    })
}

const MEASURED: &str = "SELECT count(*) FROM forecasts WHERE task_uid = $1 AND measured_at IS NOT NULL";

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_forecast_from_its_bounds_first_and_then_from_what_like_tasks_cost() {
    let world = &shared().await;
    let home = priced_home(world, "forecast-history").await;
    for (n, cost) in [40_000, 10_000, 30_000, 20_000, 50_000].into_iter().enumerate() {
        let (first, id) = admitted(world, &home, &format!("past-{n}")).await;
        // 40 calls of 1100 micro-USD in each of three attempts; the voters' model is free.
        assert_eq!(forecast(&first), (132_000, 132_000, 0));
        complete(world, &first, cost).await;
        world
            .until::<AgentTask>(&home, &format!("past-{n}"), SOON, |t| {
                of_task(t, COMPLETE) == "True/Delivered"
            })
            .await;
        world.count(MEASURED, id, 1).await;
    }
    let (next, _) = admitted(world, &home, "next").await;
    assert_eq!(forecast(&next), (30_000, 50_000, 5));
    assert_eq!(next.status.as_ref().unwrap().forecast.as_ref().unwrap().cost, "$0.03, p90 $0.05");
    // What was told at the admission stays, whatever other tasks cost later.
    complete(world, &next, 60_000).await;
    let ended =
        world.until::<AgentTask>(&home, "next", SOON, |t| of_task(t, COMPLETE) == "True/Delivered").await;
    assert_eq!(forecast(&ended), (30_000, 50_000, 5));
    world.count(MEASURED, uid(&next), 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_will_cost_more_than_there_is_waits_where_the_policy_says_so_until_the_budget_is_raised()
{
    let world = &shared().await;
    let home = priced_home(world, "forecast-waits").await;
    world.apply(&waits(&home, "P90")).await;
    let mut small = budget(&home, "all");
    small["spec"]["limits"]["costMicroUSD"] = json!(200_000);
    world.apply(&small).await;
    let paying = world.of::<Budget>(&home).get("all").await.unwrap();
    let account = uid(&paying);
    world.count("SELECT limit_cost FROM accounts WHERE account_uid = $1", account, 200_000).await;
    spend(world, account, 100_000).await;

    world.apply(&task(&home, "fix", "core")).await;
    let held = world
        .until::<AgentTask>(&home, "fix", SOON, |t| of_task(t, ADMITTED) == "False/ForecastExceedsBudget")
        .await;
    assert_eq!(of_task(&held, STALLED), "True/ForecastExceedsBudget");
    assert_eq!(forecast(&held), (132_000, 132_000, 0));
    let message = &find(&held.status.as_ref().unwrap().conditions, ADMITTED).unwrap().message;
    for part in ["$0.13", "$0.10", &format!("Budget {home}/all"), "raise its limit", "Policy forecast-waits"]
    {
        assert!(message.contains(part), "{part}: {message}");
    }
    world.count("SELECT count(*) FROM facts WHERE object_uid = $1", uid(&held), 0).await;

    // A lower limit of its own bounds what it can cost.
    let mut modest = task(&home, "modest", "core");
    modest["spec"]["limits"] = json!({"costMicroUSD": 90_000});
    world.apply(&modest).await;
    let begun =
        world.until::<AgentTask>(&home, "modest", SOON, |t| of_task(t, ADMITTED) == "True/Admitted").await;
    assert_eq!(forecast(&begun), (90_000, 90_000, 0));

    small["spec"]["limits"]["costMicroUSD"] = json!(300_000);
    world.apply(&small).await;
    let begun =
        world.until::<AgentTask>(&home, "fix", SOON, |t| of_task(t, ADMITTED) == "True/Admitted").await;
    assert_eq!(of_task(&begun, STALLED), "absent");
    assert_eq!(forecast(&begun), (132_000, 132_000, 0));
    let policies: Api<golden_crds::GovernancePolicy> = Api::all(world.client.clone());
    policies.delete(&home, &DeleteParams::default()).await.unwrap();
}

/// Plays the ledger.
pub(crate) async fn spend(world: &World, account: Uuid, cost: i64) {
    sqlx::query("UPDATE accounts SET spent_cost = $2 WHERE account_uid = $1")
        .bind(account)
        .bind(cost)
        .execute(&world.pool)
        .await
        .unwrap();
    sqlx::query("SELECT pg_notify('golden_accounts', $1)")
        .bind(account.to_string())
        .execute(&world.pool)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_services_role_may_keep_and_mark_forecasts_and_never_change_one() {
    let world = &shared().await;
    // The operator has migrated once it has looked at a provider.
    crate::objects::home(world, "forecast-role").await;
    let mut tx = world.pool.begin().await.unwrap();
    for allowed in [
        "SET LOCAL ROLE golden_service",
        "INSERT INTO forecasts (task_uid, team_uid, source_bytes, models, p50_cost, p90_cost, basis)
         VALUES (gen_random_uuid(), gen_random_uuid(), 1, 'role-test', 1, 2, 5) ON CONFLICT (task_uid) DO NOTHING",
        "UPDATE forecasts SET measured_at = now() WHERE models = 'role-test' AND measured_at IS NULL",
    ] {
        sqlx::query(allowed).execute(&mut *tx).await.unwrap_or_else(|e| panic!("{allowed}: {e}"));
    }
    let changed =
        sqlx::query("UPDATE forecasts SET p50_cost = 0 WHERE models = 'role-test'").execute(&mut *tx).await;
    assert!(changed.unwrap_err().to_string().contains("permission denied"));
}
