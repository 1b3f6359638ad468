//! Moving a reservation on: dispatch, settle, release, and the end of its lease.

use golden_ledger::{Amount, Event, State, Step, transition};
use golden_platform::subjects::NOTIFY_ACCOUNTS;
use golden_platform::wire::{OpAnswer, SettleRequest};
use golden_platform::{Class, Classify as _};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::ledger::{AGAIN, Ledger};
use crate::{Error, rows};

/// What a provider reported.
#[derive(Clone, Copy, Debug)]
struct Report {
    input_tokens: i64,
    output_tokens: i64,
    latency_ms: i64,
}

/// What shall happen to a reservation.
#[derive(Clone, Copy, Debug)]
struct Move {
    event: Event,
    report: Option<Report>,
    /// Only if its lease has ended, as looked at under the lock.
    only_overdue: bool,
}

impl Move {
    fn of(event: Event) -> Self {
        Self { event, report: None, only_overdue: false }
    }
}

impl Ledger {
    /// The call is about to go upstream: durable before its first byte does.
    pub async fn dispatch(&self, op_key: &str) -> Result<OpAnswer, Error> {
        self.transit(op_key, Move::of(Event::Dispatch)).await
    }

    /// The call will not go upstream: its money goes back.
    pub async fn release(&self, op_key: &str) -> Result<OpAnswer, Error> {
        self.transit(op_key, Move::of(Event::Release)).await
    }

    /// The call ended. What it cost beyond its bound is kept apart, as overage. The first report counts; one
    /// after the lease's end corrects the bound that was counted as spent.
    pub async fn settle(&self, request: &SettleRequest) -> Result<OpAnswer, Error> {
        let SettleRequest { cost_micro_usd, input_tokens, output_tokens, latency_ms, .. } = *request;
        if [cost_micro_usd, input_tokens, output_tokens, latency_ms].iter().any(|n| *n < 0) {
            return Err(Error::Invalid { field: "amounts", why: "must not be negative" });
        }
        let tokens = input_tokens.checked_add(output_tokens).ok_or(golden_ledger::AmountError::Overflow)?;
        let event = Event::Settle { actual: Amount::new(cost_micro_usd, tokens) };
        let report = Some(Report { input_tokens, output_tokens, latency_ms });
        self.transit(&request.op_key, Move { report, ..Move::of(event) }).await
    }

    /// The caller says that nobody will see the call's end: what a lease's end does, at once. The bound counts
    /// as spent until the usage is found.
    pub async fn abandon(&self, op_key: &str) -> Result<OpAnswer, Error> {
        self.transit(op_key, Move::of(Event::LeaseEnded)).await
    }

    /// The lease ended, if it really has.
    pub(crate) async fn lease_ended(&self, op_key: &str) -> Result<OpAnswer, Error> {
        self.transit(op_key, Move { only_overdue: true, ..Move::of(Event::LeaseEnded) }).await
    }

    async fn transit(&self, op_key: &str, wanted: Move) -> Result<OpAnswer, Error> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.transit_once(op_key, wanted).await {
                Err(e)
                    if tries < AGAIN && e.class() == Class::Conflict && matches!(e, Error::Database(_)) => {}
                Err(e) => return Err(e),
                Ok(state) => return Ok(OpAnswer { state: state.as_str().to_owned() }),
            }
        }
    }

    async fn transit_once(&self, op_key: &str, wanted: Move) -> Result<State, Error> {
        let Move { event, report, only_overdue } = wanted;
        let mut tx = self.pool.begin().await?;
        let Some(found) = rows::find(&mut tx, op_key).await? else {
            return Err(Error::UnknownKey(op_key.chars().take(80).collect()));
        };
        // Accounts before the reservation, as reserve does. A dispatch touches no account.
        let accounts = match event {
            Event::Dispatch => Vec::new(),
            _ => rows::lock_path(&mut tx, &found.path).await?,
        };
        let row = rows::lock(&mut tx, op_key).await?;
        let reservation = row.reservation()?;
        if only_overdue && !row.overdue {
            return Ok(reservation.state);
        }
        let step = transition(&reservation, event)?;
        if step.duplicate {
            return Ok(step.reservation.state);
        }
        for account in &accounts {
            account.account().apply(&step.effect)?;
        }
        rows::apply(&mut tx, &found.path, &step.effect).await?;
        self.write(&mut tx, op_key, &step, report).await?;
        if step.reservation.state != State::Dispatched {
            notify(&mut tx, &found.path).await?;
        }
        tx.commit().await?;
        Ok(step.reservation.state)
    }

    async fn write(
        &self,
        conn: &mut PgConnection,
        op_key: &str,
        step: &Step,
        report: Option<Report>,
    ) -> Result<(), sqlx::Error> {
        let state = step.reservation.state;
        // Unknown: the bound, until the usage is found.
        let actual = match state {
            State::Settled => step.reservation.actual.map(|a| a.cost.0),
            State::Unknown => Some(step.reservation.amount.cost.0),
            State::Reserved | State::Dispatched | State::Released => None,
        };
        sqlx::query(
            "UPDATE reservations SET state = $2, actual_cost = $3,
                 input_tokens = $4, output_tokens = $5, latency_ms = $6,
                 dispatched_at = CASE WHEN $2 = 'Dispatched' THEN now() ELSE dispatched_at END,
                 lease_until = CASE WHEN $2 = 'Dispatched' THEN now() + make_interval(secs => $7)
                               ELSE lease_until END,
                 ended_at = CASE WHEN $2 = 'Dispatched' THEN NULL ELSE now() END
             WHERE op_key = $1",
        )
        .bind(op_key)
        .bind(state.as_str())
        .bind(actual)
        .bind(report.map(|r| r.input_tokens))
        .bind(report.map(|r| r.output_tokens))
        .bind(report.map(|r| r.latency_ms))
        .bind(self.leases.dispatched.as_secs_f64())
        .execute(conn)
        .await
        .map(drop)
    }
}

/// Money moved: whoever waits for it, or shows it, looks again.
async fn notify(conn: &mut PgConnection, path: &[Uuid]) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_notify($1, account::text) FROM unnest($2::uuid[]) AS account")
        .bind(NOTIFY_ACCOUNTS)
        .bind(path)
        .execute(conn)
        .await
        .map(drop)
}
