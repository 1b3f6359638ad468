//! Moving a reservation on: dispatch, settle, release, and the end of its lease.

use golden_ledger::{Amount, Event, State};
use golden_platform::wire::{OpAnswer, SettleRequest};

use crate::Error;
use crate::engine::{Move, Report};
use crate::ledger::Ledger;

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
        let given = [
            ("costMicroUsd", cost_micro_usd),
            ("inputTokens", input_tokens),
            ("outputTokens", output_tokens),
            ("latencyMs", latency_ms),
        ];
        if let Some((field, _)) = given.into_iter().find(|(_, n)| *n < 0) {
            return Err(Error::Invalid { field, why: "must not be negative" });
        }
        let too_many =
            Error::Invalid { field: "inputTokens and outputTokens", why: "do not fit 64 bits together" };
        let tokens = input_tokens.checked_add(output_tokens).ok_or(too_many)?;
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
        let state = self.moved(op_key, wanted).await?;
        Ok(OpAnswer { state: state.as_str().to_owned() })
    }

    async fn moved(&self, op_key: &str, wanted: Move) -> Result<State, Error> {
        let Some(answers) = &self.answers else { return self.engine.transit(op_key, wanted).await };
        // Whose lease is looked at was found open a moment ago.
        if !wanted.only_overdue
            && let Some(answer) = answers.of_move(op_key, wanted).await
        {
            return answer;
        }
        let state = self.engine.transit(op_key, wanted).await?;
        answers.moved(op_key, state);
        Ok(state)
    }
}
