//! Reviews and ballots in Postgres.

use golden_consensus::{Ballot, DecisionRecord};
use golden_platform::facts;
use golden_platform::wire::{Fact, NewFact};
use sqlx::PgPool;
use sqlx::types::Json;
use uuid::Uuid;

/// Which round of which attempt of which task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) team: Uuid,
    pub(crate) task: Uuid,
    pub(crate) attempt: u32,
    pub(crate) number: u32,
    pub(crate) digest: String,
}

/// Where a review stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Open,
    Decided,
    /// A later round or attempt was asked for, or the task has ended.
    Superseded,
    /// Not there (yet): its request is written before it is sent, so it will be, or the task is gone.
    Absent,
}

/// A ballot to keep, with the words it was read from.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) ballot: Ballot,
    pub(crate) raw: String,
    pub(crate) prompt_digest: String,
}

pub(crate) async fn standing(pool: &PgPool, round: &Round) -> Result<Standing, sqlx::Error> {
    let row: Option<(bool, bool)> = sqlx::query_as(
        "SELECT r.decision IS NOT NULL,
                EXISTS (SELECT FROM reviews later WHERE later.task_uid = r.task_uid
                          AND (later.attempt, later.round) > (r.attempt, r.round))
                OR EXISTS (SELECT FROM tasks t WHERE t.task_uid = r.task_uid AND t.outcome IS NOT NULL)
         FROM reviews r WHERE r.task_uid = $1 AND r.attempt = $2 AND r.round = $3 AND r.digest = $4",
    )
    .bind(round.task)
    .bind(number(round.attempt))
    .bind(number(round.number))
    .bind(&round.digest)
    .fetch_optional(pool)
    .await?;
    Ok(match row {
        None => Standing::Absent,
        Some((true, _)) => Standing::Decided,
        Some((false, true)) => Standing::Superseded,
        Some((false, false)) => Standing::Open,
    })
}

/// What the review's delimiters and canaries are made of.
pub(crate) async fn nonce(pool: &PgPool, round: &Round) -> Result<Uuid, sqlx::Error> {
    sqlx::query_scalar("SELECT nonce FROM reviews WHERE task_uid = $1 AND attempt = $2 AND round = $3")
        .bind(round.task)
        .bind(number(round.attempt))
        .bind(number(round.number))
        .fetch_one(pool)
        .await
}

pub(crate) async fn ballots(pool: &PgPool, round: &Round) -> Result<Vec<Ballot>, sqlx::Error> {
    let rows: Vec<Json<Ballot>> = sqlx::query_scalar(
        "SELECT ballot FROM ballots WHERE task_uid = $1 AND attempt = $2 AND round = $3 AND digest = $4
         ORDER BY voter",
    )
    .bind(round.task)
    .bind(number(round.attempt))
    .bind(number(round.number))
    .bind(&round.digest)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// How long the review's clock has stood still since it was opened, since calls of the task waited for money or for
/// a model that was away, or the task was suspended. As the orchestrator counts it.
pub(crate) async fn pauses(pool: &PgPool, round: &Round) -> Result<Pauses, sqlx::Error> {
    let rows: Vec<(i64, i64, bool)> = sqlx::query_as(
        "WITH waits AS (
             SELECT held.at AS since,
                    (SELECT min(ended.at) FROM facts ended
                     WHERE ended.object_uid = $1
                       AND ended.fact_key = ANY (CASE WHEN held.fact_key LIKE 'held/%'
                           THEN ARRAY['resumed/' || substr(held.fact_key, 6), 'left/' || substr(held.fact_key, 6)]
                           ELSE ARRAY['unstuck/' || substr(held.fact_key, 7)] END)) AS until
             FROM facts held
             WHERE held.object_uid = $1
               AND (held.fact_key LIKE 'held/%' AND held.body->>'onExhausted' <> 'Fail'
                    OR held.fact_key LIKE 'stuck/%')
             UNION ALL
             SELECT suspended.at,
                    (SELECT min(active.at) FROM facts active
                     WHERE active.object_uid = $1 AND active.fact_key LIKE 'spec/%' AND active.id > suspended.id
                       AND active.body->>'desiredState' <> 'Suspended')
             FROM facts suspended
             WHERE suspended.object_uid = $1 AND suspended.fact_key LIKE 'spec/%'
               AND suspended.body->>'desiredState' = 'Suspended')
         SELECT (extract(epoch FROM w.since) * 1000)::bigint,
                (extract(epoch FROM coalesce(w.until, clock_timestamp())) * 1000)::bigint,
                w.until IS NULL
         FROM waits w JOIN reviews r ON r.task_uid = $1 AND r.attempt = $2 AND r.round = $3
         WHERE w.since >= r.opened_at
         ORDER BY w.since",
    )
    .bind(round.task)
    .bind(number(round.attempt))
    .bind(number(round.number))
    .fetch_all(pool)
    .await?;
    Ok(Pauses { open: rows.iter().any(|r| r.2), millis: union(rows.iter().map(|r| (r.0, r.1))) })
}

/// What a review waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pauses {
    /// One goes on now.
    pub(crate) open: bool,
    /// All of it, waits at the same time counted once.
    pub(crate) millis: i64,
}

/// The length of the union of spans in order of their beginnings.
fn union(spans: impl Iterator<Item = (i64, i64)>) -> i64 {
    let (mut total, mut reached) = (0, i64::MIN);
    for (from, to) in spans {
        let from = from.max(reached);
        if to > from {
            total += to - from;
            reached = to;
        }
    }
    total
}

/// Keeps a ballot while its review is open: what was decided without it must not look as if it had been heard. The first
/// of a voter counts; true if this was it.
pub(crate) async fn keep(pool: &PgPool, round: &Round, kept: &Kept) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO ballots (task_uid, attempt, round, voter, digest, team_uid, model, ballot, raw, prompt_digest)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 FROM reviews
         WHERE task_uid = $1 AND attempt = $2 AND round = $3 AND digest = $5 AND decision IS NULL
         FOR SHARE
         ON CONFLICT DO NOTHING",
    )
    .bind(round.task)
    .bind(number(round.attempt))
    .bind(number(round.number))
    .bind(&kept.ballot.voter)
    .bind(&round.digest)
    .bind(round.team)
    .bind(&kept.ballot.model)
    .bind(Json(&kept.ballot))
    .bind(kept.raw.replace('\0', "\u{fffd}"))
    .bind(&kept.prompt_digest)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes the ballots of an earlier round over into this one, where their voters have none in it yet: rejections alone,
/// or all.
pub(crate) async fn carry(
    pool: &PgPool,
    round: &Round,
    from: u32,
    rejections_alone: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO ballots (task_uid, attempt, round, voter, digest, team_uid, model, ballot, raw, prompt_digest)
         SELECT task_uid, attempt, $4, voter, digest, team_uid, model, ballot, raw, prompt_digest
         FROM ballots, (SELECT FROM reviews
                        WHERE task_uid = $1 AND attempt = $2 AND round = $4 AND digest = $5 AND decision IS NULL
                        FOR SHARE) AS open
         WHERE task_uid = $1 AND attempt = $2 AND round = $3 AND digest = $5
           AND (NOT $6 OR ballot->>'verdict' = 'Reject')
         ON CONFLICT DO NOTHING",
    )
    .bind(round.task)
    .bind(number(round.attempt))
    .bind(number(from))
    .bind(number(round.number))
    .bind(&round.digest)
    .bind(rejections_alone)
    .execute(pool)
    .await?;
    Ok(())
}

/// Whether a voter was asked in this round and has answered: not whether it has ballots, of which some are taken over
/// from `earlier`.
pub(crate) async fn was_asked(
    pool: &PgPool,
    round: &Round,
    earlier: Option<u32>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM ballots b
                        WHERE b.task_uid = $1 AND b.attempt = $2 AND b.round = $3 AND b.digest = $4
                          AND NOT EXISTS (SELECT FROM ballots e
                                          WHERE e.task_uid = $1 AND e.attempt = $2 AND e.round = $5 AND e.voter = b.voter
                                            AND e.prompt_digest = b.prompt_digest AND e.raw = b.raw))",
    )
    .bind(round.task)
    .bind(number(round.attempt))
    .bind(number(round.number))
    .bind(&round.digest)
    .bind(earlier.map(number))
    .fetch_one(pool)
    .await
}

/// What came of closing a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    Now,
    /// By another call, or it is not there.
    Before,
    /// There are more ballots than the decision has seen.
    MoreBallots,
}

/// Decides a review by so many ballots and tells the orchestrator, in one transaction, once.
pub(crate) async fn close(
    pool: &PgPool,
    round: &Round,
    decision: &DecisionRecord,
    ballots: usize,
) -> Result<Closed, sqlx::Error> {
    let decision = serde_json::to_value(decision).map_err(|e| sqlx::Error::Encode(e.into()))?;
    let mut transaction = pool.begin().await?;
    // Ballots are counted once the row is locked: whoever keeps one shares that lock.
    let done = sqlx::query(
        "UPDATE reviews SET decision = $5, decided_at = now()
         WHERE task_uid = $1 AND attempt = $2 AND round = $3 AND digest = $4 AND decision IS NULL",
    )
    .bind(round.task)
    .bind(number(round.attempt))
    .bind(number(round.number))
    .bind(&round.digest)
    .bind(&decision)
    .execute(&mut *transaction)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(Closed::Before);
    }
    let there: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM ballots WHERE task_uid = $1 AND attempt = $2 AND round = $3 AND digest = $4",
    )
    .bind(round.task)
    .bind(number(round.attempt))
    .bind(number(round.number))
    .bind(&round.digest)
    .fetch_one(&mut *transaction)
    .await?;
    if usize::try_from(there) != Ok(ballots) {
        transaction.rollback().await?;
        return Ok(Closed::MoreBallots);
    }
    let fact = NewFact {
        team_uid: round.team,
        task_uid: round.task,
        object_uid: round.task,
        fact_key: format!("review/{}/{}", round.attempt, round.number),
        fact: Fact::Review {
            attempt: round.attempt,
            round: round.number,
            digest: round.digest.clone(),
            decision,
        },
    };
    facts::insert(&mut transaction, &fact).await?;
    transaction.commit().await?;
    Ok(Closed::Now)
}

fn number(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::union;

    #[test]
    fn calls_that_wait_at_the_same_time_stop_the_clock_once() {
        assert_eq!(union([(0, 10), (5, 8), (7, 20), (30, 31)].into_iter()), 21);
        assert_eq!(union([].into_iter()), 0);
    }
}
