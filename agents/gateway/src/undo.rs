//! Money of a call that was certainly not sent.

use crate::app::Gateway;
use crate::keys::Keys;
use crate::settling::settle_aside;
use golden_platform::wire::SettleRequest;
use golden_platform::{Class, Classify as _};

/// Gives it back, by itself: what is reserved is released, and what was dispatched with its grant settled at nothing.
/// Where the ledger stays away, the lease ends and what was dispatched is charged in full.
pub(crate) fn give_back(gateway: &Gateway, keys: &Keys) {
    let (ledger, op_key) = (gateway.ledger.clone(), keys.upstream.clone());
    settle_aside(gateway, async move {
        let given = match ledger.release(&op_key).await {
            Err(error) if error.class() == Class::Conflict => ledger.settle(nothing(&op_key)).await,
            released => released,
        };
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
