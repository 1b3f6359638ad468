//! Which work a calling pod does. Only the newest pod of a task's present work is served.

use super::router::Interface;
use crate::engine::Loaded;
use crate::engine::load;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use golden_platform::artifacts::Scope;
use golden_platform::auth::Caller;
use golden_platform::http::Error;
use golden_platform::wire::DesiredKind;
use http::StatusCode;
use tokio::sync::Semaphore;
use uuid::Uuid;

/// A pod of a task.
pub(super) struct Pod {
    pub(super) uid: Uuid,
    pub(super) kind: DesiredKind,
    pub(super) attempt: u32,
    pub(super) r#try: u32,
    pub(super) loaded: Loaded,
}

impl Pod {
    /// Whether no newer pod was asked for in its place, and the work it was made for is still wanted.
    fn is_newest(&self) -> bool {
        let tries = &self.loaded.state.tries;
        self.loaded.state.outcome.is_none()
            && (tries.kind, tries.attempt, tries.made) == (self.kind, self.attempt, self.r#try)
    }

    /// Refuses all but the newest pod.
    pub(super) fn newest(self) -> Result<Self, Error> {
        if self.is_newest() {
            return Ok(self);
        }
        let message = format!(
            "try {} of attempt {} is not the newest pod of task {}: its work is done elsewhere or not wanted any more",
            self.r#try, self.attempt, self.loaded.task.name
        );
        Err(Error::new(StatusCode::CONFLICT, "NotTheNewestTry", message))
    }

    /// Whether it shall save its work and end, since a call of it waits for money.
    pub(super) fn is_asked_to_save(&self) -> bool {
        self.loaded.state.pod.as_ref().is_some_and(|slot| slot.saving.is_some())
    }

    /// Refuses pods of another kind.
    pub(super) fn of(self, wanted: impl Fn(DesiredKind) -> bool) -> Result<Self, Error> {
        if wanted(self.kind) {
            return Ok(self);
        }
        Err(Error::new(StatusCode::FORBIDDEN, "WrongKind", format!("a {:?} has no business here", self.kind)))
    }
}

impl Interface {
    /// The pod that calls.
    pub(super) async fn pod(&self, caller: &Caller) -> Result<Pod, Error> {
        let Some(uid) = caller.pod_uid else {
            return Err(Error::forbidden("only pods of tasks call here: the token is bound to no pod"));
        };
        let row: Option<(Uuid, String, String, i32, i32)> = sqlx::query_as(
            "SELECT task_uid, namespace, kind, attempt, try FROM desired WHERE object_uid = $1 AND team_uid = $2",
        )
        .bind(uid)
        .bind(self.team)
        .fetch_optional(&self.pool)
        .await?;
        // The operator notes a pod's uid just after it made the pod, which may call sooner.
        let unknown = || {
            let message = format!("pod {uid} is not known as a task's pod of this team (yet)");
            Error::new(StatusCode::SERVICE_UNAVAILABLE, "PodNotKnown", message)
        };
        let Some((task, namespace, kind, attempt, try_no)) = row else { return Err(unknown()) };
        let kind = match kind.as_str() {
            "AttemptPod" => DesiredKind::AttemptPod,
            "FetchPod" => DesiredKind::FetchPod,
            _ => DesiredKind::DeliveryPod,
        };
        if !caller.is(&namespace, kind.account()) {
            return Err(Error::forbidden(format!("{} is not what runs as pod {uid}", caller.username)));
        }
        let mut conn = self.pool.acquire().await?;
        let loaded = load(&mut conn, self.team, task).await.map_err(|e| {
            tracing::error!(%task, error = %e, "a task cannot be read");
            Error::unavailable("the task cannot be read now; try again")
        })?;
        let loaded = loaded.ok_or_else(unknown)?;
        let number = |n: i32| u32::try_from(n).unwrap_or_default();
        Ok(Pod { uid, kind, attempt: number(attempt), r#try: number(try_no), loaded })
    }
}

/// Transfers at once: each holds up to 64 MiB in memory.
static TRANSFERS: Semaphore = Semaphore::const_new(2);

/// Opens the artifacts of its task's namespace to the newest pod.
pub(super) async fn scope(State(interface): State<Interface>, mut request: Request, next: Next) -> Response {
    let Some(caller) = request.extensions().get::<Caller>().cloned() else {
        return Error::unauthorized("show a service-account token").into_response();
    };
    match interface.pod(&caller).await.and_then(Pod::newest) {
        Ok(pod) => {
            let task = &pod.loaded.task;
            request.extensions_mut().insert(Scope {
                namespace: task.namespace.clone(),
                team_uid: task.team_uid,
                task_uid: Some(task.uid),
            });
            // Before the body is read. The semaphore is never closed.
            let _one = TRANSFERS.acquire().await;
            next.run(request).await
        }
        Err(e) => e.into_response(),
    }
}
