//! Getting the money for a call: at once, or by waiting until it is there.

use crate::app::Gateway;
use crate::batches::is_outdated;
use crate::client::Client;
use crate::error::CallError;
use crate::facts::{hold_key, tell};
use crate::identity::{Identity, is_current};
use crate::line::Pass;
use crate::plan::{Plan, Request, fitted};
use crate::undo::give_back;
use golden_ledger::Amount;
use golden_platform::http;
use golden_platform::wire::{Bound, Fact, ReserveAnswer, ReserveRequest};
use prometheus::IntGauge;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

/// How often a held call asks again though nobody said that money moved: a notice may be lost.
const ASK: Duration = Duration::from_secs(3);
/// The least pause between two questions: a busy budget moves all the time.
const LEAST: Duration = Duration::from_millis(100);
/// How often it looks whether its task still wants it.
const LOOK: Duration = Duration::from_secs(3);
/// How long settlements of other gateways take, as a rule.
const OTHERS: Duration = Duration::from_millis(500);
/// How often a streaming client is told that the connection lives.
const PING: Duration = Duration::from_secs(10);
/// How often it is told again that another budget lacks the money now.
const RETELL: Duration = Duration::from_secs(30);

/// The keys of one upstream try.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// Of this call, the same for a client that sends again: names its holds.
    pub(crate) operation: String,
    /// Of this try of the provider: names its reservation, and its place among the calls that wait for money.
    pub(crate) upstream: String,
}

impl Keys {
    /// Of one try of the provider.
    pub(crate) fn new(operation: &str, made: u32, nonce: &str) -> Self {
        let upstream = format!("{operation}/u{made}.{nonce}");
        Self { operation: operation.to_owned(), upstream }
    }
}

/// The provider's pass, where the call has it already: a grant with it is a dispatch.
pub(crate) type MaybePass = Option<Pass>;

/// How it went.
pub(crate) enum Funds {
    /// The call as it is paid for, which may have less output than was asked for.
    Granted(Arc<Plan>, MaybePass),
    /// The client hung up while it waited; nothing is reserved.
    Gone,
}

/// Reserves, and holds the call while its budget is exhausted and says Pause or Ask. With the provider's pass the grant
/// dispatches the call, which saves a step; a call that waits for money keeps no pass from others.
pub(crate) async fn reserve(
    gateway: &Arc<Gateway>,
    identity: &Arc<Identity>,
    request: &Request,
    plan: &Arc<Plan>,
    (keys, mut pass): (&Keys, MaybePass),
    client: &mut Client,
) -> Result<Funds, CallError> {
    // Listens before it asks: money that comes in between is heard.
    let mut hold = Hold::new(gateway.money.subscribe());
    loop {
        match offer(gateway, identity, request, plan, (keys, &mut pass), client).await {
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
            Ok(exhausted @ ReserveAnswer::Exhausted { .. }) => {
                pass = None;
                hold.exhausted(gateway, identity, &keys.operation, plan, exhausted).await?;
            }
            // A call that waits anyway goes on waiting while the ledger is away.
            Err(error) if hold.counted.is_some() => tracing::warn!(%error, "ledger, while a call is held"),
            Err(error) => {
                // It may have been granted; the answer was lost.
                give_back(gateway, keys);
                return Err(unavailable(&error));
            }
        }
        if let Some(funds) = hold.wait(gateway, identity, plan, client).await? {
            return Ok(funds);
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
        provider: request.provider.clone(),
        model: plan.model.clone(),
        prompt_digest: plan.prompt_digest.clone(),
        cost_micro_usd: plan.bound.cost.0,
        tokens: plan.bound.tokens,
        dispatch,
        place: None,
        least: Some(Bound { cost_micro_usd: cost.0, tokens }),
    }
}

pub(crate) fn unavailable(error: &http::CallError) -> CallError {
    tracing::warn!(%error, "ledger");
    if is_outdated(error) { CallError::LedgerOutdated } else { CallError::Ledger }
}

/// Counts a call that waits for as long as it lives.
pub(crate) struct Counted(IntGauge);

impl Counted {
    pub(crate) fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

struct Hold {
    /// Names its facts.
    key: String,
    /// Present once the call is held.
    counted: Option<Counted>,
    /// The account that lacked the money when it was last asked.
    account: Uuid,
    /// What was told last.
    told: Option<Told>,
    /// Accounts on which money moved.
    money: Receiver<Uuid>,
    /// When its client was last told that the connection lives.
    pinged: Option<Instant>,
    looked: Instant,
}

/// What the orchestrator was told of a hold.
struct Told {
    account: String,
    on_exhausted: String,
    at: Instant,
}

impl Told {
    /// Whether the answer says something else that must be told: an end at once, another budget once in a while.
    fn differs(&self, account: &str, on_exhausted: &str) -> bool {
        let changed = (self.account.as_str(), self.on_exhausted.as_str()) != (account, on_exhausted);
        changed && (on_exhausted == "Fail" || self.at.elapsed() >= RETELL)
    }
}

/// Returns when money moved on the account, not too soon after the last time; never, if nothing is heard any more.
async fn moved(money: &mut Receiver<Uuid>, account: Uuid) {
    tokio::time::sleep(LEAST).await;
    loop {
        match money.recv().await {
            Ok(on) if on != account && !on.is_nil() => {}
            // What was missed may have been about it.
            Ok(_) | Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl Hold {
    fn new(money: Receiver<Uuid>) -> Self {
        let now = Instant::now();
        Self {
            key: String::new(),
            counted: None,
            account: Uuid::nil(),
            told: None,
            money,
            pinged: None,
            looked: now,
        }
    }

    /// Holds the call, or ends it where its budget says Fail or was refused more. Told once, and again under another key
    /// when that changes.
    async fn exhausted(
        &mut self,
        gateway: &Gateway,
        identity: &Arc<Identity>,
        operation: &str,
        plan: &Plan,
        answer: ReserveAnswer,
    ) -> Result<(), CallError> {
        let ReserveAnswer::Exhausted {
            account,
            account_uid,
            missing_micro_usd,
            missing_tokens,
            on_exhausted,
            denied,
        } = answer
        else {
            return Ok(());
        };
        self.account = account_uid;
        let fail = on_exhausted == "Fail";
        let short = match &denied {
            Some(denied) => CallError::Denied { account: account.clone(), denied: denied.clone() },
            None => CallError::Exhausted { account: account.clone(), missing_micro_usd, missing_tokens },
        };
        // An end is told also where the hold was begun by an earlier call of the operation.
        if self.told.as_ref().map_or(fail, |told| told.differs(&account, &on_exhausted))
            && !self.end(gateway, identity, true).await
        {
            gateway.memory.holds.put(identity, operation);
        }
        if self.counted.is_none() {
            gateway.memory.holds.look(gateway).await;
            let op_key = hold_key(&gateway.pool, identity, operation).await;
            self.key.clone_from(&op_key);
            self.told = Some(Told {
                account: account.clone(),
                on_exhausted: on_exhausted.clone(),
                at: Instant::now(),
            });
            let (needs, least) = (plan.bound, plan.least);
            let (needs_micro_usd, needs_tokens) = (needs.cost.0, needs.tokens);
            let (least_micro_usd, least_tokens) = (least.cost.0, least.tokens);
            let fact = Fact::BudgetHeld {
                op_key,
                missing_micro_usd,
                missing_tokens,
                account,
                on_exhausted,
                needs_micro_usd,
                needs_tokens,
                least_micro_usd,
                least_tokens,
                denied,
            };
            self.begin(gateway, identity, fact).await;
        }
        if fail { Err(short) } else { Ok(()) }
    }

    /// Tells the orchestrator.
    async fn begin(&mut self, gateway: &Gateway, identity: &Identity, fact: Fact) {
        tracing::info!(task = %identity.task_uid, role = identity.role, "a budget is exhausted");
        self.counted = Some(Counted::new(&gateway.metrics.held));
        tell(&gateway.pool, identity, format!("held/{}", self.key), fact).await;
    }

    /// Tells the orchestrator that the operation goes on, or that what is known of its hold changes (`moved`), if this
    /// call was held.
    async fn end(&mut self, gateway: &Gateway, identity: &Identity, moved: bool) -> bool {
        let held = self.counted.take().is_some();
        if held {
            let op_key = self.key.clone();
            let key = format!("resumed/{op_key}");
            tell(&gateway.pool, identity, key, Fact::BudgetResumed { op_key, moved }).await;
        }
        held
    }

    /// Waits for the next time to ask; ends the hold if nobody waits any more.
    async fn wait(
        &mut self,
        gateway: &Gateway,
        identity: &Identity,
        plan: &Plan,
        client: &mut Client,
    ) -> Result<Option<Funds>, CallError> {
        if plan.stream {
            client.begin_events().await;
            if self.pinged.is_none_or(|at| at.elapsed() >= PING) {
                self.pinged = Some(Instant::now());
                client.ping().await;
            }
        }
        tokio::select! {
            () = client.gone() => return Ok(Some(Funds::Gone)),
            () = gateway.stop.cancelled() => {
                return Err(CallError::Unavailable("the gateway restarts; send the same request again".to_owned()));
            }
            () = tokio::time::sleep(ASK) => {}
            () = moved(&mut self.money, self.account) => {}
        }
        if self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            is_current(&gateway.pool, identity).await?;
        }
        Ok(None)
    }
}
