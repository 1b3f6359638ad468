//! What voters said of results, and what people made of those: what reviewers' track records are made of.

use golden_consensus::Opinion;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

/// Newest words of voters that are read: enough to judge every voter by.
const MOST_WORDS: i64 = 20_000;
/// Newest tasks whose words are read, so that what a long history costs is bounded.
const MOST_TASKS: i64 = 10_000;

/// What one voter said of one result, and what a person made of that result, if one was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Word {
    /// The task, the attempt and the digest that were judged.
    pub item: String,
    pub task: String,
    pub role: String,
    /// The model, with its provider.
    pub model: String,
    pub verdict: String,
    /// `Approve` or `Reject`.
    pub outcome: Option<String>,
}

impl Word {
    /// As track records read it.
    #[must_use]
    pub fn opinion(&self) -> Opinion<'_> {
        Opinion {
            item: &self.item,
            role: &self.role,
            model: &self.model,
            verdict: &self.verdict,
            outcome: self.outcome.as_deref(),
        }
    }
}

/// The last word of each voter on each result of a namespace, the newest first. Abstentions say nothing. `past`: also
/// those of namespaces that had this name before.
pub async fn words(db: &PgPool, namespace: &str, past: bool) -> sqlx::Result<Vec<Word>> {
    sqlx::query_as(
        "SELECT concat_ws('/', last.task_uid, last.attempt, last.digest) AS item, last.task,
                last.ballot->>'role' AS role, last.model, last.ballot->>'verdict' AS verdict,
                (SELECT CASE WHEN e.chosen = 'Accept' THEN 'Approve' ELSE 'Reject' END FROM escalations e
                 WHERE e.task_uid = last.task_uid AND e.attempt = last.attempt AND e.digest = last.digest
                   AND e.state = 'Resolved' ORDER BY e.resolved_at DESC LIMIT 1) AS outcome
         FROM (SELECT DISTINCT ON (b.task_uid, b.attempt, b.digest, b.voter) b.*, t.name AS task
               FROM (SELECT task_uid, name FROM tasks
                     WHERE namespace = $1
                       AND ($2 OR team_uid IN (SELECT team_uid FROM present_teams WHERE namespace = $1))
                     ORDER BY created_at DESC LIMIT $4) t
               JOIN ballots b USING (task_uid)
               ORDER BY b.task_uid, b.attempt, b.digest, b.voter, b.round DESC) last
         WHERE last.ballot->>'verdict' IN ('Approve', 'Reject')
         ORDER BY last.at DESC LIMIT $3",
    )
    .bind(namespace)
    .bind(past)
    .bind(MOST_WORDS)
    .bind(MOST_TASKS)
    .fetch_all(db)
    .await
}
