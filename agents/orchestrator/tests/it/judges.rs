//! The sandbox and the peers.

use super::world::{NAMESPACE, World};
use golden_consensus::{
    Ballot, DecisionRecord, GuardFact, GuardVerdict, SeatWeight, decide, policy_from_value,
};
use golden_platform::tree::{Entry, Tree};
use golden_platform::wire::{Fact, GuardOutcome, GuardRequest, ReviewRequest};
use serde_json::json;
use uuid::Uuid;

impl World {
    /// The sandbox: looks at the tree it was given.
    pub(crate) async fn run_guard(&self, task: Uuid, attempt: u32, request: &GuardRequest) {
        let bytes = self.store.get(NAMESPACE, &request.tree).await.unwrap();
        let tree = Tree::parse(&bytes).unwrap();
        assert_eq!(file(&tree, "tests/test.py"), "the base's test", "a guard's tests are the base's");
        let passed = (self.script.passes)(&file(&tree, "slug.py"));
        let run_uid = Uuid::new_v5(&task, request.run_name.as_bytes());
        let outcome = GuardOutcome {
            attempt,
            guard: request.guard.name.clone(),
            verdict: if passed { "Passed" } else { "Failed" }.into(),
            tree: request.tree.clone(),
            sandbox_run: request.run_name.clone(),
            run_uid,
            exit_code: Some(i32::from(!passed)),
            reason: if passed { "Completed" } else { "NonZeroExit" }.into(),
            excerpt: "assert 'strae' == 'strasse'".into(),
            output_digest: None,
            image_id: None,
            isolation: "gvisor".into(),
            quarantine: None,
        };
        let key = format!("guard/{attempt}/{}", request.guard.name);
        self.tell(task, run_uid, &key, Fact::Guard(outcome)).await;
    }

    /// The peers: each votes, and the consensus decides.
    pub(crate) async fn vote(&self, task: Uuid, attempt: u32, request: &ReviewRequest) {
        let mut ballots = vec![];
        let voters = request.rules["voters"].as_array().unwrap().iter();
        for role in voters.map(|voter| voter["role"].as_str().unwrap()) {
            let ballot: Ballot = serde_json::from_value(json!({
                "voter": role, "role": role, "model": "m", "verdict": (self.script.verdict)(role, attempt),
                "severity": "Minor", "confidence": 80, "rationale": "the mapping is hard to read",
                "digest": request.digest,
                "evidence": [{"file": "slug.py", "startLine": 1, "endLine": 1, "quote": "whole", "verified": true}],
            }))
            .unwrap();
            sqlx::query(
                "INSERT INTO ballots (task_uid, attempt, round, voter, digest, team_uid, model, ballot, raw, prompt_digest)
                 VALUES ($1, $2, $3, $4, $5, $6, 'm', $7, 'raw', 'sha256:00') ON CONFLICT DO NOTHING",
            )
            .bind(task)
            .bind(i64::from(attempt))
            .bind(i64::from(request.round))
            .bind(role)
            .bind(&request.digest)
            .bind(self.team)
            .bind(serde_json::to_value(&ballot).unwrap())
            .execute(&self.pool)
            .await
            .unwrap();
            ballots.push(ballot);
        }
        let mut policy = policy_from_value(&request.rules).unwrap();
        let weights: Option<Vec<SeatWeight>> = serde_json::from_value(request.weights.clone()).unwrap();
        policy.weigh(&weights.unwrap_or_default());
        let guards: Vec<GuardFact> = request
            .guards
            .iter()
            .map(|g| GuardFact {
                guard: g.guard.clone(),
                verdict: if g.verdict == "Passed" { GuardVerdict::Passed } else { GuardVerdict::Failed },
                required: true,
                digest: None,
            })
            .collect();
        let decision: DecisionRecord = decide(&policy, &ballots, &guards, &request.digest, true).into();
        let fact = Fact::Review {
            attempt,
            round: request.round,
            digest: request.digest.clone(),
            decision: serde_json::to_value(decision).unwrap(),
        };
        self.tell(task, task, &format!("review/{attempt}/{}", request.round), fact).await;
    }
}

fn file(tree: &Tree, path: &str) -> String {
    match tree.get(path) {
        Some(Entry::File { bytes, .. }) => String::from_utf8(bytes.to_vec()).unwrap(),
        _ => String::new(),
    }
}
