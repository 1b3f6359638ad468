//! Holds that an earlier call of an operation did not end: its client hung up, or its gateway died, while it waited.
//! Whoever lets the operation go on ends them. Else a task whose gateway died would be seen to wait for ever, and one whose
//! client gave up would not be known to have money.
//!
//! Nearly no call has one, and none needs the answer: they are looked for beside the path, many at once. A new hold is
//! begun only after all that was granted before it has been looked at, so that a look never ends a later hold.

use crate::app::Gateway;
use crate::facts::tell;
use crate::identity::Identity;
use golden_platform::wire::Fact;
use sqlx::PgPool;
use std::collections::BTreeSet;
use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long grants are gathered for one look.
const GATHER: Duration = Duration::from_millis(20);
/// How often a look is tried while the database is away; a task may then be seen to wait until its attempt ends.
const TRIES: u32 = 8;

/// What was granted and not looked at yet.
#[derive(Default)]
pub(crate) struct Holds {
    granted: Mutex<Vec<Granted>>,
    looking: tokio::sync::Mutex<()>,
}

/// An operation that goes on.
struct Granted {
    identity: Arc<Identity>,
    operation: String,
    at: Instant,
}

/// A hold that was begun and has not ended.
#[derive(sqlx::FromRow)]
struct Open {
    task_uid: Uuid,
    /// The operation and the number of its hold.
    op_key: String,
    age_ms: i64,
}

impl Holds {
    /// An operation goes on, held or not: its holds end soon.
    pub(crate) fn granted(&self, gateway: &Arc<Gateway>, identity: &Arc<Identity>, operation: &str) {
        if self.put(identity, operation) == 1 {
            let gateway = Arc::clone(gateway);
            gateway.calls.clone().spawn(async move {
                tokio::time::sleep(GATHER).await;
                gateway.memory.holds.look(&gateway).await;
            });
        }
    }

    /// An operation goes on, or ends: its holds end with the next [`Holds::look`]. How many wait for that.
    pub(crate) fn put(&self, identity: &Arc<Identity>, operation: &str) -> usize {
        let (identity, operation) = (Arc::clone(identity), operation.to_owned());
        let mut granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        granted.push(Granted { identity, operation, at: Instant::now() });
        granted.len()
    }

    /// Ends the holds of all that was granted until now.
    pub(crate) async fn look(&self, gateway: &Gateway) {
        let _alone = self.looking.lock().await;
        let granted = take(&mut *self.granted.lock().unwrap_or_else(PoisonError::into_inner));
        if granted.is_empty() {
            return;
        }
        let tasks: BTreeSet<Uuid> = granted.iter().map(|g| g.identity.task_uid).collect();
        let tasks: Vec<Uuid> = tasks.into_iter().collect();
        let (at, all) = open(&gateway.pool, &tasks).await;
        for open in all {
            if let Some(identity) = ended(&granted, &open, at) {
                let key = format!("resumed/{}", open.op_key);
                let fact = Fact::BudgetResumed { op_key: open.op_key, moved: false };
                tell(&gateway.pool, identity, key, fact).await;
            }
        }
    }
}

/// Who ended a hold: a grant of its operation that came after it.
fn ended<'a>(granted: &'a [Granted], open: &Open, now: Instant) -> Option<&'a Identity> {
    let (operation, _) = open.op_key.rsplit_once('/')?;
    let age = Duration::from_millis(u64::try_from(open.age_ms).ok()?);
    let by = granted.iter().find(|g| {
        g.operation == operation
            && g.identity.task_uid == open.task_uid
            && now.saturating_duration_since(g.at) <= age
    })?;
    Some(&by.identity)
}

/// All open holds of these tasks, and a time before their ages were taken.
async fn open(pool: &PgPool, tasks: &[Uuid]) -> (Instant, Vec<Open>) {
    let mut pause = Duration::from_millis(100);
    for _ in 0..TRIES {
        match read(pool, tasks).await {
            Ok(open) => return open,
            Err(error) => tracing::warn!(%error, "earlier holds are not known yet"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
    (Instant::now(), Vec::new())
}

async fn read(pool: &PgPool, tasks: &[Uuid]) -> Result<(Instant, Vec<Open>), sqlx::Error> {
    // A connection may have to be waited for.
    let mut connection = pool.acquire().await?;
    let at = Instant::now();
    let open = sqlx::query_as(
        "SELECT held.object_uid AS task_uid, substr(held.fact_key, 6) AS op_key,
                (extract(epoch FROM clock_timestamp() - held.at) * 1000)::bigint AS age_ms
         FROM facts held
         WHERE held.object_uid = ANY($1) AND starts_with(held.fact_key, 'held/')
           AND NOT EXISTS (SELECT FROM facts resumed WHERE resumed.object_uid = held.object_uid
                             AND resumed.fact_key = 'resumed/' || substr(held.fact_key, 6))",
    )
    .bind(tasks)
    .fetch_all(&mut *connection)
    .await?;
    Ok((at, open))
}

#[cfg(test)]
mod tests {
    use super::*;
    use golden_platform::wire::ModelBinding;

    fn identity(task_uid: Uuid) -> Arc<Identity> {
        let binding = ModelBinding {
            namespace: "ns".into(),
            provider: "p".into(),
            model: "m".into(),
            context_window: None,
        };
        let (namespace, role, scope) = ("ns".to_owned(), "developer".to_owned(), "pod".to_owned());
        let (team_uid, attempt, try_uid) = (Uuid::nil(), 1, None);
        Arc::new(Identity { team_uid, task_uid, namespace, attempt, try_uid, role, scope, binding })
    }

    #[test]
    fn a_hold_is_ended_by_a_later_grant_of_its_own_operation() {
        let (task, now) = (Uuid::from_u128(1), Instant::now());
        let at = now.checked_sub(Duration::from_millis(50)).unwrap();
        let granted = [Granted { identity: identity(task), operation: "op-a".into(), at }];
        let ends = |task_uid, op_key: &str, age_ms| {
            ended(&granted, &Open { task_uid, op_key: op_key.into(), age_ms }, now).is_some()
        };
        assert!(ends(task, "op-a/h1", 50));
        assert!(ends(task, "op-a/h2", 60_000));
        assert!(!ends(task, "op-a/h2", 20), "it began after the grant");
        assert!(!ends(task, "op-a/h2", -5), "clocks may go back");
        assert!(!ends(task, "op-ab/h1", 60_000));
        assert!(!ends(Uuid::from_u128(2), "op-a/h1", 60_000));
    }
}
