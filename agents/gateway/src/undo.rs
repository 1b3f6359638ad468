//! Money of a call that was certainly not sent.

use crate::app::Gateway;
use crate::keys::Keys;
use golden_platform::wire::SettleRequest;
use golden_platform::{Class, Classify as _};
use std::sync::Arc;

/// Gives it back, by itself: what is reserved is released, and what was dispatched with its grant settled at nothing.
/// Where the ledger stays away, the lease ends and what was dispatched is charged in full.
pub(crate) fn give_back(gateway: &Arc<Gateway>, keys: &Keys) {
    let (gateway, op_key) = (Arc::clone(gateway), keys.upstream.clone());
    let settlement = gateway.memory.settling.begin();
    gateway.calls.clone().spawn(async move {
        let given = match gateway.ledger.release(&op_key).await {
            Err(error) if error.class() == Class::Conflict => gateway.ledger.settle(nothing(&op_key)).await,
            released => released,
        };
        drop(settlement);
        if let Err(error) = given {
            tracing::warn!(%error, op_key, "not given back; its lease will end");
        }
    });
}

fn nothing(op_key: &str) -> SettleRequest {
    SettleRequest {
        op_key: op_key.to_owned(),
        cost_micro_usd: 0,
        input_tokens: 0,
        output_tokens: 0,
        latency_ms: 0,
    }
}
