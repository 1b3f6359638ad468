//! Deadlines: an escalation that nobody answered in time gets its default.

use golden_platform::facts;
use golden_platform::wire::{Fact, NewFact};
use sqlx::PgPool;
use uuid::Uuid;

/// Escalations of one pass; the rest follow in the next.
const BATCH: i64 = 50;

#[derive(sqlx::FromRow)]
struct Due {
    escalation_id: Uuid,
    task_uid: Uuid,
    default_option: String,
}

/// Gives every escalation of the team that is past its deadline its default, and tells the orchestrator in the
/// same transaction. A person's answer that came first wins: it took the row out of `Open`. Returns how many.
/// The clock is the database's: the deadline stands there too, and replicas agree. Questions before the first attempt
/// are left to the operator: no orchestrator knows their task.
pub async fn pass(pool: &PgPool, team_uid: Uuid) -> Result<usize, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let due: Vec<Due> = sqlx::query_as(
        "UPDATE escalations SET state = 'Defaulted', chosen = default_option, resolved_at = now()
         WHERE escalation_id IN (
             SELECT escalation_id FROM escalations
             WHERE team_uid = $1 AND state = 'Open' AND deadline <= now() AND attempt > 0
             ORDER BY deadline LIMIT $2 FOR UPDATE SKIP LOCKED)
         RETURNING escalation_id, task_uid, default_option",
    )
    .bind(team_uid)
    .bind(BATCH)
    .fetch_all(&mut *transaction)
    .await?;
    for escalation in &due {
        let fact = NewFact {
            team_uid,
            task_uid: escalation.task_uid,
            object_uid: escalation.task_uid,
            fact_key: format!("escalation/{}", escalation.escalation_id),
            fact: Fact::EscalationDefaulted {
                escalation_id: escalation.escalation_id,
                option: escalation.default_option.clone(),
            },
        };
        facts::insert(&mut transaction, &fact).await?;
    }
    transaction.commit().await?;
    Ok(due.len())
}

/// Open escalations of a team.
pub(crate) async fn open(pool: &PgPool, team_uid: Uuid) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM escalations WHERE team_uid = $1 AND state = 'Open'")
        .bind(team_uid)
        .fetch_one(pool)
        .await
}
