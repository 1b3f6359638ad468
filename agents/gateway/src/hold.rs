//! Getting the money for a call: at once, or by waiting until it is there.

use crate::app::Gateway;
use crate::batches::is_outdated;
use crate::client::Client;
use crate::error::CallError;
use crate::held::{Hold, Waited, short};
use crate::identity::Identity;
use crate::keys::Keys;
use crate::line::Pass;
use crate::plan::{Plan, Request, fitted};
use crate::undo::give_back;
use golden_ledger::{Amount, State};
use golden_platform::http;
use golden_platform::wire::{Bound, ReserveAnswer, ReserveRequest};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long settlements of other gateways take, as a rule.
const OTHERS: Duration = Duration::from_millis(500);

/// The provider's pass, where the call has it already: a grant with it is a dispatch.
pub(crate) type MaybePass = Option<Pass>;

/// How it went.
pub(crate) enum Funds {
    /// The call as it is paid for, which may have less output than was asked for.
    Granted(Arc<Plan>, MaybePass),
    /// The client hung up while it waited; nothing is reserved.
    Gone,
    /// There is too little for it, and it is not worth waiting for.
    Short(CallError),
}

/// What a lack of money means for a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lack {
    /// It waits, or fails, as its budget says.
    Holds,
    /// It is a fallback, and one that cannot be paid is none.
    Skips,
}

/// Reserves, and holds the call while its budget is exhausted and says Pause or Ask. With the provider's pass the grant
/// dispatches the call, which saves a step; a call that waits for money keeps no pass from others.
pub(crate) async fn reserve(
    gateway: &Arc<Gateway>,
    identity: &Arc<Identity>,
    request: &Request,
    plan: &Arc<Plan>,
    paying: (&mut Keys, MaybePass),
    (client, lack): (&mut Client, Lack),
) -> Result<Funds, CallError> {
    // Listens before it asks: money that comes in between is heard.
    let mut hold = Hold::new(gateway.money.subscribe());
    let funds = granted(gateway, identity, request, plan, paying, (client, &mut hold, lack)).await;
    if !matches!(funds, Ok(Funds::Granted(..))) {
        hold.leave(gateway, identity).await;
    }
    funds
}

async fn granted(
    gateway: &Arc<Gateway>,
    identity: &Arc<Identity>,
    request: &Request,
    plan: &Arc<Plan>,
    (keys, mut pass): (&mut Keys, MaybePass),
    (client, hold, lack): (&mut Client, &mut Hold, Lack),
) -> Result<Funds, CallError> {
    loop {
        let answer = offer(gateway, identity, request, plan, (keys, &mut pass), client).await;
        // It may have been granted, and the answer was lost.
        let unsure = answer.is_err();
        match answer {
            Ok(ReserveAnswer::Granted { state, .. }) if has_ended(&state) => {
                // The answer was lost, and the ledger was away for longer than the lease. Nothing was sent for it, also where
                // its end was not seen.
                give_back(gateway, keys);
                keys.renew();
                continue;
            }
            Ok(ReserveAnswer::Granted { state, bound }) => {
                if !hold.end(gateway, identity, false).await {
                    gateway.memory.holds.granted(gateway, identity, &keys.operation);
                }
                let pass = pass.filter(|_| state == "Dispatched");
                let Some(plan) = paid(request, plan, bound) else {
                    // Never so: what can be asked for in full can be with the least output that is granted.
                    give_back(gateway, keys);
                    let why = "what is left of the budget pays for too little of this call";
                    return Err(CallError::Unavailable(why.to_owned()));
                };
                return Ok(Funds::Granted(plan, pass));
            }
            Ok(ReserveAnswer::NoAccount) => return Err(CallError::NoAccount),
            Ok(ReserveAnswer::OtherRequest) => {
                return Err(CallError::Unavailable(
                    "the operation key belongs to another request".to_owned(),
                ));
            }
            Ok(exhausted @ ReserveAnswer::Exhausted { .. }) if lack == Lack::Skips => {
                return Ok(Funds::Short(short(exhausted, plan)));
            }
            Ok(exhausted @ ReserveAnswer::Exhausted { .. }) => {
                pass = None;
                // Rare and large, as the wait below: in memory of its own, or each call would have it.
                Box::pin(hold.exhausted(gateway, identity, &keys.operation, plan, exhausted)).await?;
            }
            // A call that waits anyway goes on waiting while the ledger is away.
            Err(error) if hold.is_held() => tracing::warn!(%error, "ledger, while a call is held"),
            Err(error) => {
                give_back(gateway, keys);
                return Err(unavailable(&error));
            }
        }
        let waited = Box::pin(hold.wait(gateway, identity, plan, client)).await;
        if unsure && !matches!(waited, Ok(Waited::AskAgain)) {
            give_back(gateway, keys);
        }
        if waited? == Waited::Gone {
            return Ok(Funds::Gone);
        }
    }
}

/// Asks for the whole bound, or for a part of it that is worth a call: how much of it, what is left decides and who else
/// needs it. What is told of an exhausted budget is about the whole. Money that is on its way back is waited for first.
async fn offer(
    gateway: &Gateway,
    identity: &Identity,
    request: &Request,
    plan: &Plan,
    (keys, pass): (&Keys, &mut MaybePass),
    client: &Client,
) -> Result<ReserveAnswer, http::CallError> {
    let ask = async |dispatch| {
        let begun = Instant::now();
        let answer = gateway.ledger.reserve(reservation(identity, request, plan, (keys, dispatch))).await;
        gateway.metrics.reserve_seconds.observe(begun.elapsed().as_secs_f64());
        answer
    };
    let coming_back = gateway.memory.settling.under_way();
    let answer = ask(pass.is_some()).await?;
    let ReserveAnswer::Exhausted { on_exhausted, denied, .. } = &answer else { return Ok(answer) };
    let ends = on_exhausted == "Fail" && denied.is_none();
    if coming_back.is_none() && !ends {
        return Ok(answer);
    }
    // Others go meanwhile.
    *pass = None;
    tokio::select! {
        () = moment(gateway, coming_back, ends) => ask(false).await,
        () = client.gone() => Ok(answer),
    }
}

/// Until money that is on its way back has come: of this gateway's settlements, and, where the answer would end the call
/// and perhaps its task, of other gateways'.
async fn moment(gateway: &Gateway, coming_back: Option<u64>, ends: bool) {
    if let Some(settlements) = coming_back {
        gateway.memory.settling.landed_before(settlements).await;
    }
    if ends {
        tokio::time::sleep(OTHERS).await;
    }
}

/// Whether nothing is reserved any more by a call that was granted before.
fn has_ended(state: &str) -> bool {
    State::parse(state).is_some_and(|state| !matches!(state, State::Reserved | State::Dispatched))
}

/// The call as it is paid for.
fn paid(request: &Request, plan: &Arc<Plan>, bound: Option<Bound>) -> Option<Arc<Plan>> {
    let Some(Bound { cost_micro_usd, tokens }) = bound else { return Some(Arc::clone(plan)) };
    fitted(request, plan, Amount::new(cost_micro_usd, tokens))
}

fn reservation(
    identity: &Identity,
    request: &Request,
    plan: &Plan,
    (keys, dispatch): (&Keys, bool),
) -> ReserveRequest {
    let Amount { cost, tokens } = plan.least;
    ReserveRequest {
        op_key: keys.upstream.clone(),
        request_hash: plan.request_hash.clone(),
        team_uid: identity.team_uid,
        task_uid: identity.task_uid,
        try_uid: identity.try_uid,
        attempt: identity.attempt,
        role: identity.role.clone(),
        provider: request.provider.to_string(),
        model: plan.model.clone(),
        prompt_digest: plan.prompt_digest.clone(),
        cost_micro_usd: plan.bound.cost.0,
        tokens: plan.bound.tokens,
        dispatch,
        least: Some(Bound { cost_micro_usd: cost.0, tokens }),
    }
}

pub(crate) fn unavailable(error: &http::CallError) -> CallError {
    tracing::warn!(%error, "ledger");
    if is_outdated(error) { CallError::LedgerOutdated } else { CallError::Ledger }
}
