//! The operator, the kubelet and what runs in the pods.

use super::world::World;
use axum::body::Body;
use golden_platform::tree::Tree;
use golden_platform::wire::{
    ArtifactStored, DesiredKind, Fact, JobContext, PodOutcome, PodPhase, TryContext,
};
use http::StatusCode;
use serde_json::json;
use uuid::Uuid;

impl World {
    /// The operator and the kubelet: pods that are wanted and have no uid are made and do their work.
    pub(crate) async fn run_pods(&self) -> bool {
        let rows: Vec<(Uuid, String, String, String, i32, i32)> = sqlx::query_as(
            "SELECT task_uid, namespace, name, kind, attempt, try FROM desired
             WHERE team_uid = $1 AND wanted AND object_uid IS NULL ORDER BY name",
        )
        .bind(self.team)
        .fetch_all(&self.pool)
        .await
        .unwrap();
        let any = !rows.is_empty();
        for (task, namespace, name, kind, attempt, try_no) in rows {
            let uid = self.adopt(&name).await;
            let token = format!("{namespace}/{uid}");
            let kind: DesiredKind = serde_json::from_value(json!(kind)).unwrap();
            self.tell(
                task,
                uid,
                "pod/Created",
                Self::pod(kind, &name, uid, (attempt, try_no), PodPhase::Created),
            )
            .await;
            let done = match kind {
                DesiredKind::FetchPod => self.fetch(&token).await,
                DesiredKind::AttemptPod => match self.work(task, &token).await {
                    Some(done) => done,
                    // It runs on, until it is asked to save.
                    None => continue,
                },
                DesiredKind::DeliveryPod => self.deliver(&token, &name).await,
            };
            let phase = if done { PodPhase::Succeeded } else { PodPhase::Failed };
            let key = format!("pod/{phase:?}");
            self.tell(task, uid, &key, Self::pod(kind, &name, uid, (attempt, try_no), phase)).await;
        }
        any
    }

    /// Notes a pod's uid, as the operator does once the pod is made.
    pub(crate) async fn adopt(&self, name: &str) -> Uuid {
        let uid = Uuid::new_v5(&self.team, name.as_bytes());
        sqlx::query("UPDATE desired SET object_uid = $2 WHERE name = $1")
            .bind(name)
            .bind(uid)
            .execute(&self.pool)
            .await
            .unwrap();
        uid
    }

    pub(crate) fn pod(kind: DesiredKind, name: &str, uid: Uuid, at: (i32, i32), phase: PodPhase) -> Fact {
        Fact::Pod(PodOutcome {
            kind,
            name: name.into(),
            pod_uid: uid,
            attempt: at.0.try_into().unwrap(),
            r#try: at.1.try_into().unwrap(),
            phase,
            reason: String::new(),
            message: String::new(),
            exit_code: match phase {
                PodPhase::Succeeded => Some(0),
                PodPhase::Failed => Some(1),
                _ => None,
            },
        })
    }

    async fn fetch(&self, token: &str) -> bool {
        let (status, body) = self.call(token, "GET", "/v1/job", Body::empty()).await;
        if status != StatusCode::OK {
            return false;
        }
        let JobContext::Fetch { credential, .. } = serde_json::from_slice(&body).unwrap() else {
            panic!("not a fetch")
        };
        assert_eq!(credential.unwrap().hosts, ["git.example"]);
        let base = Tree::from_files([("slug.py", "old"), ("tests/test.py", "the base's test")]).unwrap();
        let tree = self.put(token, base.to_tar().unwrap()).await;
        let body = json!({"result": "Fetched", "commit": "c0ffee".repeat(7)[..40], "tree": tree});
        self.call(token, "POST", "/v1/job/result", Body::from(body.to_string())).await.0 == StatusCode::OK
    }

    /// Whether the agent's result was taken; nothing while its call is held.
    async fn work(&self, task: Uuid, token: &str) -> Option<bool> {
        let (status, body) = self.call(token, "GET", "/v1/try", Body::empty()).await;
        if status != StatusCode::OK {
            return Some(false);
        }
        let context: TryContext = serde_json::from_slice(&body).unwrap();
        assert!(context.prompt.contains("Transliterate them.") && context.role == "developer");
        assert_eq!(context.feedback.is_empty(), context.attempt == 1);
        let (status, tree) =
            self.call(token, "GET", &format!("/v1/artifacts/{}", context.tree), Body::empty()).await;
        assert_eq!(status, StatusCode::OK);
        assert!(!Tree::parse(&tree).unwrap().is_empty());
        if self.script.held && context.attempt == 1 {
            let Some(resumes) = context.resumes else {
                self.hold(task).await;
                return None;
            };
            self.assert_resumed(token, &tree, &context.prompt, resumes.transcript).await;
        }
        let made = (self.script.work)(context.attempt);
        let mut result = json!({"attempt": 99, "try": 99, "tree": null, "agentExitCode": 1, "summary": "\u{0}gave up", "transcript": null});
        if let Some(content) = made {
            // The agent also weakens the test, which must help nothing.
            let tree =
                Tree::from_files([("slug.py", content), ("tests/test.py", "nothing is tested")]).unwrap();
            result["tree"] = json!(self.put(token, tree.to_tar().unwrap()).await);
            result["agentExitCode"] = json!(0);
        }
        let (status, _) = self.call(token, "POST", "/v1/result", Body::from(result.to_string())).await;
        Some(status == StatusCode::OK)
    }

    async fn deliver(&self, token: &str, name: &str) -> bool {
        let (status, body) = self.call(token, "GET", "/v1/job", Body::empty()).await;
        if status != StatusCode::OK {
            return false;
        }
        let JobContext::Deliver { branch, message, author_date, tree, .. } =
            serde_json::from_slice(&body).unwrap()
        else {
            panic!("{name} is not a delivery")
        };
        assert!(
            message.starts_with("Transliterate them.\n\n") && message.contains("\nGolden-Record: sha256:"),
            "{message}"
        );
        // A commit is a function of what it is made of.
        let commit = golden_platform::tree::digest(format!("{tree}{message}{author_date}").as_bytes());
        let body = json!({"result": "Delivered", "branch": branch, "commit": commit[7..47]});
        self.call(token, "POST", "/v1/job/result", Body::from(body.to_string())).await.0 == StatusCode::OK
    }

    pub(crate) async fn put(&self, token: &str, bytes: Vec<u8>) -> String {
        let (status, body) = self.call(token, "PUT", "/v1/artifacts", Body::from(bytes)).await;
        assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
        serde_json::from_slice::<ArtifactStored>(&body).unwrap().digest
    }
}
