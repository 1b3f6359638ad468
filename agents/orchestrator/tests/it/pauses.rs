//! A call that waits too long for money: the gateway, the accounts, and pods that save their work.

use super::stories::{assert_nothing_is_left, inline};
use super::world::{NAMESPACE, Script, World};
use axum::body::Body;
use golden_platform::CancellationToken;
use golden_platform::ledger_accounts::{BudgetAccount, set_path, upsert_budget};
use golden_platform::tree::Tree;
use golden_platform::wire::{Fact, HeldCall, PauseWish};
use http::StatusCode;
use serde_json::json;
use uuid::Uuid;

/// What the first agent leaves when it is stopped.
const TRANSCRIPT: &[u8] = b"{\"role\":\"user\",\"content\":\"do\"}\n";

impl World {
    /// A budget of its own for a task, with this limit in micro-USD.
    pub(crate) async fn purse(&self, task: Uuid, limit: i64) {
        let uid = Uuid::new_v5(&task, b"budget");
        let budget = BudgetAccount {
            uid,
            team_uid: None,
            namespace: NAMESPACE.into(),
            name: "experiments".into(),
            parent_uid: None,
            on_exhausted: "Pause".into(),
            limit_cost: Some(limit),
            limit_tokens: None,
            period: "Total".into(),
            time_zone: "UTC".into(),
        };
        let mut conn = self.pool.acquire().await.unwrap();
        upsert_budget(&mut conn, &budget).await.unwrap();
        set_path(&mut conn, task, self.team, &[uid]).await.unwrap();
    }

    /// The gateway: a call of the task waits.
    pub(crate) async fn hold(&self, task: Uuid) {
        let held = Fact::BudgetHeld {
            op_key: "op/h1".into(),
            call: HeldCall {
                missing_micro_usd: 4200,
                account: format!("Budget {NAMESPACE}/experiments"),
                on_exhausted: "Pause".into(),
                needs_micro_usd: 4200,
                needs_tokens: 10,
                least_micro_usd: 3000,
                least_tokens: 10,
                ..HeldCall::default()
            },
        };
        self.tell(task, task, "held/op/h1", held).await;
    }

    /// Pods that still run and are asked to save do so. Whether there was one.
    pub(crate) async fn save_pods(&self) -> bool {
        let rows: Vec<(String, Uuid)> = sqlx::query_as(
            "SELECT d.namespace, d.object_uid FROM desired d
             WHERE d.team_uid = $1 AND d.wanted AND d.kind = 'AttemptPod' AND d.object_uid IS NOT NULL
               AND NOT EXISTS (SELECT FROM facts f WHERE f.object_uid = d.object_uid AND f.fact_key IN ('result', 'saved'))",
        )
        .bind(self.team)
        .fetch_all(&self.pool)
        .await
        .unwrap();
        let mut any = false;
        for (namespace, uid) in rows {
            let token = format!("{namespace}/{uid}");
            if self.wish(&token).await == Some(true) {
                any = true;
                let tree = Tree::from_files([("slug.py", "begun"), ("new/untracked.txt", "kept")]).unwrap();
                let tree = self.put(&token, tree.to_tar().unwrap()).await;
                let transcript = self.put(&token, TRANSCRIPT.to_vec()).await;
                let body = json!({"attempt": 9, "try": 9, "tree": tree, "transcript": transcript});
                let (status, _) =
                    self.call(&token, "POST", "/v1/try/saved", Body::from(body.to_string())).await;
                assert_eq!(status, StatusCode::OK);
            }
        }
        any
    }

    /// Whether a pod is asked to save; nothing if it is not answered.
    async fn wish(&self, token: &str) -> Option<bool> {
        let (status, body) = self.call(token, "GET", "/v1/try/pause", Body::empty()).await;
        (status == StatusCode::OK).then(|| serde_json::from_slice::<PauseWish>(&body).unwrap().save)
    }

    /// Somebody raises the limits of tasks whose pod was freed. Whether there was one.
    pub(crate) async fn pay(&self) -> bool {
        let poor: Vec<Uuid> = sqlx::query_scalar(
            "SELECT t.task_uid FROM tasks t JOIN task_accounts p USING (task_uid) JOIN accounts a ON a.account_uid = p.path[1]
             WHERE t.team_uid = $1 AND t.state ? 'freed' AND a.limit_cost = 0",
        )
        .bind(self.team)
        .fetch_all(&self.pool)
        .await
        .unwrap();
        for task in &poor {
            self.purse(*task, 3000).await;
        }
        !poor.is_empty()
    }

    /// What a pod that resumes the first agent's work finds.
    pub(crate) async fn assert_resumed(
        &self,
        token: &str,
        tree: &[u8],
        prompt: &str,
        transcript: Option<String>,
    ) {
        let saved = Tree::from_files([("slug.py", "begun"), ("new/untracked.txt", "kept")]).unwrap();
        assert_eq!(Tree::parse(tree).unwrap(), saved);
        assert!(prompt.contains("was interrupted and goes on now"), "{prompt}");
        let path = format!("/v1/artifacts/{}", transcript.unwrap());
        let (status, body) = self.call(token, "GET", &path, Body::empty()).await;
        assert_eq!((status, body.as_slice()), (StatusCode::OK, TRANSCRIPT));
    }

    /// A task whose first agent's call waits for money, and its pod's token.
    async fn holding(&mut self) -> (Uuid, String) {
        let task = self.admit("poor", inline).await;
        self.purse(task, 0).await;
        let engine = self.engine();
        engine.settle(&CancellationToken::new()).await.unwrap();
        self.react().await;
        engine.settle(&CancellationToken::new()).await.unwrap();
        let uid: Uuid = sqlx::query_scalar("SELECT object_uid FROM desired WHERE task_uid = $1 AND wanted")
            .bind(task)
            .fetch_one(&self.pool)
            .await
            .unwrap();
        assert_eq!(self.condition(task, "BudgetAvailable").await, "False/BudgetExhausted");
        (task, format!("{NAMESPACE}/{uid}"))
    }

    async fn wanted(&self, task: Uuid) -> Vec<String> {
        sqlx::query_scalar("SELECT name FROM desired WHERE task_uid = $1 AND wanted")
            .bind(task)
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }
}

fn script() -> Script {
    Script { work: |_| Some("whole"), held: true, ..Script::default() }
}

#[tokio::test]
async fn after_a_grace_the_work_is_saved_its_pod_freed_and_another_goes_on_with_the_money() {
    let mut world = World::new(script()).await;
    let (task, token) = Box::pin(world.holding()).await;
    let (engine, stop) = (world.engine(), CancellationToken::new());
    assert_eq!(world.wish(&token).await, Some(false));
    world.later(300);
    engine.settle(&stop).await.unwrap();
    assert_eq!(world.wish(&token).await, Some(false), "the grace is not over");
    world.later(301);
    engine.settle(&stop).await.unwrap();
    assert_eq!(world.wish(&token).await, Some(true));
    assert_eq!(world.wanted(task).await.len(), 1, "it is kept until its work is safe");

    assert!(world.save_pods().await);
    engine.settle(&stop).await.unwrap();
    assert!(world.wanted(task).await.is_empty());
    assert_eq!(world.condition(task, "BudgetAvailable").await, "False/BudgetExhausted");
    assert_eq!(world.condition(task, "Stalled").await, "True/PodFreed");
    let view = world.view(task).await.to_string();
    assert!(view.contains("its pod was freed at"), "{view}");
    let slot: bool = sqlx::query_scalar("SELECT (state->>'slot')::boolean FROM tasks WHERE task_uid = $1")
        .bind(task)
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert!(!slot, "the team works on something else meanwhile");

    for (limit, goes_on) in [(2999, false), (3000, true)] {
        world.purse(task, limit).await;
        world.later(30);
        engine.settle(&stop).await.unwrap();
        assert_eq!(
            world.wanted(task).await.len(),
            usize::from(goes_on),
            "with {limit} of 3000 that are the least"
        );
    }
    assert_eq!(world.condition(task, "BudgetAvailable").await, "True/BudgetAvailable");
    assert_eq!(world.play(&engine, task).await, "Complete");
    assert_nothing_is_left(&world, task).await;
    let record = world.record(task).await;
    let tries = record.iter().filter(|e| e.kind == "TryStarted").count();
    let produced = record.iter().find(|e| e.kind == "Produced").unwrap();
    assert_eq!((tries, &produced.body["attempt"], &produced.body["try"]), (2, &json!(1), &json!(2)));
}

#[tokio::test]
async fn a_budget_that_refuses_for_good_lets_a_freed_task_hear_it() {
    for change in [
        "UPDATE accounts SET on_exhausted = 'Fail' WHERE account_uid = $1",
        "UPDATE accounts SET on_exhausted = 'Ask', denied = 'bob said no' WHERE account_uid = $1",
        "UPDATE accounts SET deleted_at = now() WHERE account_uid = $1",
        "UPDATE accounts SET limit_cost = 4200, spent_cost = 4200, period = 'Day', period_start = now() - interval '2 days',
                             period_end = now() - interval '1 day' WHERE account_uid = $1",
    ] {
        let mut world = World::new(script()).await;
        let (task, _) = Box::pin(world.holding()).await;
        let (engine, stop) = (world.engine(), CancellationToken::new());
        world.later(601);
        engine.settle(&stop).await.unwrap();
        assert!(world.save_pods().await);
        engine.settle(&stop).await.unwrap();
        assert!(world.wanted(task).await.is_empty());
        sqlx::query(change).bind(Uuid::new_v5(&task, b"budget")).execute(&world.pool).await.unwrap();
        world.later(30);
        engine.settle(&stop).await.unwrap();
        assert_eq!(world.wanted(task).await.len(), 1, "{change}");
    }
}

#[tokio::test]
async fn a_pod_saves_once_what_is_stored_when_it_is_asked_and_only_while_it_is_the_newest() {
    let mut world = World::new(script()).await;
    let (task, token) = Box::pin(world.holding()).await;
    let (engine, stop) = (world.engine(), CancellationToken::new());
    let absent = golden_platform::tree::digest(b"never stored");
    let stored = world.put(&token, Tree::from_files([("a", "a")]).unwrap().to_tar().unwrap()).await;
    let body = |tree: &str, transcript: Option<&str>| {
        Body::from(json!({"attempt": 1, "try": 1, "tree": tree, "transcript": transcript}).to_string())
    };
    for (path, body) in [
        ("/v1/try/saved", body(&stored, None)),
        ("/v1/try/not-saved", Body::from("{\"attempt\":1,\"try\":1,\"why\":\"w\"}")),
    ] {
        let (status, _) = world.call(&token, "POST", path, body).await;
        assert_eq!(status, StatusCode::CONFLICT, "{path}: nobody asked");
    }
    world.later(601);
    engine.settle(&stop).await.unwrap();
    for (tree, transcript) in [(absent.as_str(), None), (&stored, Some(absent.as_str()))] {
        let (status, _) = world.call(&token, "POST", "/v1/try/saved", body(tree, transcript)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "what goes on later must be there now");
    }
    for _ in 0..2 {
        let (status, _) = world.call(&token, "POST", "/v1/try/saved", body(&stored, None)).await;
        assert_eq!(status, StatusCode::OK, "an answer that was lost is given again");
        engine.settle(&stop).await.unwrap();
    }
    assert_eq!(world.record(task).await.iter().filter(|e| e.kind == "AttemptSaved").count(), 1);
    world.purse(task, 5000).await;
    world.later(30);
    engine.settle(&stop).await.unwrap();
    assert_eq!(world.wish(&token).await, None, "another pod goes on with it");
    let (status, _) = world
        .call(&token, "POST", "/v1/try/not-saved", Body::from("{\"attempt\":1,\"try\":1,\"why\":\"w\"}"))
        .await;
    assert_eq!(status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn work_that_is_too_large_keeps_its_pod_and_the_task_says_so() {
    let mut world = World::new(script()).await;
    let (task, token) = Box::pin(world.holding()).await;
    let (engine, stop) = (world.engine(), CancellationToken::new());
    world.later(601);
    engine.settle(&stop).await.unwrap();
    let body = json!({"attempt": 1, "try": 1, "why": "the workspace has too many bytes\u{0}"});
    let (status, _) = world.call(&token, "POST", "/v1/try/not-saved", Body::from(body.to_string())).await;
    assert_eq!(status, StatusCode::OK);
    engine.settle(&stop).await.unwrap();
    assert_eq!((world.wish(&token).await, world.wanted(task).await.len()), (Some(false), 1));
    let view = world.view(task).await.to_string();
    assert!(
        view.contains("its pod is kept, since its work cannot be saved: the workspace has too many bytes"),
        "{view}"
    );
}
