use crate::objects::{home, of_task, shown, task};
use crate::world::{SOON, World, shared};
use golden_crds::conditions::{ADMITTED, READY, STALLED, find};
use golden_crds::{AgentTask, GovernancePolicy, PromptRevision};
use kube::Api;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Selects one namespace, so that policies of different tests do not meet.
fn policy(name: &str, namespace: &str) -> Value {
    json!({
        "apiVersion": "goldenarch.dev/v1alpha1", "kind": "GovernancePolicy", "metadata": {"name": name},
        "spec": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "review": {"voters": [{"role": "reviewer"}]}},
    })
}

async fn until(world: &World, name: &str, want: (&str, &str)) -> GovernancePolicy {
    let (api, start): (Api<GovernancePolicy>, _) = (Api::all(world.client.clone()), Instant::now());
    let mut last = None;
    while start.elapsed() < SOON {
        let policy = api.get(name).await.unwrap();
        if shown(policy.status.as_ref().map(|s| s.conditions.as_slice()), want.0) == want.1 {
            return policy;
        }
        last = Some(policy);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("policy {name} is not {want:?}: {last:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_that_contradict_each_other_say_so_and_block_their_tasks_until_one_goes() {
    let world = &shared().await;
    let home = home(world, "policy-conflict").await;
    world.apply(&policy("conflict-a", &home)).await;
    until(world, "conflict-a", (READY, "True/InForce")).await;
    world.apply(&policy("conflict-b", &home)).await;
    until(world, "conflict-a", (STALLED, "True/PolicyConflict")).await;
    until(world, "conflict-b", (STALLED, "True/PolicyConflict")).await;
    world.apply(&task(&home, "fix", "core")).await;
    let blocked = world
        .until::<AgentTask>(&home, "fix", SOON, |t| of_task(t, ADMITTED) == "False/PolicyConflict")
        .await;
    let message = &find(&blocked.status.unwrap().conditions, ADMITTED).unwrap().message.clone();
    assert!(message.contains("conflict-a") && message.contains("conflict-b"), "{message}");
    let api: Api<GovernancePolicy> = Api::all(world.client.clone());
    api.delete("conflict-b", &DeleteParams::default()).await.unwrap();
    world.until::<AgentTask>(&home, "fix", SOON, |t| of_task(t, ADMITTED) == "True/Admitted").await;
    api.delete("conflict-a", &DeleteParams::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_revision_is_stored_and_says_that_learning_is_not_served() {
    let world = &shared().await;
    let home = home(world, "revision").await;
    let revision = |role: &str| {
        json!({
            "apiVersion": "goldenarch.dev/v1alpha1", "kind": "PromptRevision",
            "metadata": {"name": role, "namespace": home},
            "spec": {"teamRef": {"name": "core"}, "role": role, "text": "work well", "rationale": "better", "proposedBy": "alice"},
        })
    };
    world.apply(&revision("developer")).await;
    let of =
        |r: &PromptRevision, type_: &str| shown(r.status.as_ref().map(|s| s.conditions.as_slice()), type_);
    world.until::<PromptRevision>(&home, "developer", SOON, |r| of(r, READY) == "True/Stored").await;
    world.apply(&revision("tester")).await;
    world.until::<PromptRevision>(&home, "tester", SOON, |r| of(r, STALLED) == "True/RoleNotFound").await;
}
