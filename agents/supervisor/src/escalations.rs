//! `EscalationRaised`: the row is written by the orchestrator before the message is sent; here it is made sure
//! of, so that an escalation has an owner and a deadline whatever happened between.

use crate::metrics::Metrics;
use golden_platform::consumer::{Delivery, Failure};
use golden_platform::wire::{Envelope, EscalationRaised, Message};
use sqlx::PgPool;
use sqlx::types::Json;

/// Takes in escalations.
#[derive(Clone)]
pub struct Escalations {
    pub pool: PgPool,
    pub metrics: Metrics,
}

impl Escalations {
    /// Handles one delivery; again changes nothing.
    pub async fn handle(&self, delivery: Delivery) -> Result<(), Failure> {
        let envelope = delivery.envelope;
        let Message::EscalationRaised(raised) = &envelope.message else {
            return Err(Failure::Poison("the supervisor takes escalations only".to_owned()));
        };
        if ensure(&self.pool, &envelope, raised).await? {
            tracing::warn!(escalation = %raised.escalation_id, "an escalation had no row; it was made");
        }
        tracing::info!(escalation = %raised.escalation_id, task = %envelope.task, owner = raised.owner,
            reason = raised.reason, deadline = raised.deadline, "a person is asked");
        self.metrics.raised.with_label_values(&[] as &[&str]).inc();
        Ok(())
    }
}

async fn ensure(pool: &PgPool, envelope: &Envelope, raised: &EscalationRaised) -> Result<bool, Failure> {
    let done = sqlx::query(
        "INSERT INTO escalations (escalation_id, team_uid, task_uid, attempt, reason, evidence, options, owner,
                                  digest, deadline, default_option)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::timestamptz, $11) ON CONFLICT DO NOTHING",
    )
    .bind(raised.escalation_id)
    .bind(envelope.team)
    .bind(envelope.task)
    .bind(i32::try_from(envelope.attempt).unwrap_or(i32::MAX))
    .bind(&raised.reason)
    .bind(&raised.evidence)
    .bind(Json(&raised.options))
    .bind(&raised.owner)
    .bind(&raised.digest)
    .bind(&raised.deadline)
    .bind(&raised.default_option)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}
