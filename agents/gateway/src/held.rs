//! A call that waits for money, and what the orchestrator is told of it.

use crate::app::Gateway;
use crate::client::Client;
use crate::error::CallError;
use crate::facts::{hold_has_ended, hold_key, tell};
use crate::identity::{Identity, is_current};
use crate::metrics::Counted;
use crate::plan::Plan;
use golden_platform::wire::{Fact, HeldCall, ReserveAnswer};
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
/// How often a streaming client is told that the connection lives.
const PING: Duration = Duration::from_secs(10);
/// How often it is told again that another budget lacks the money now.
const RETELL: Duration = Duration::from_secs(30);

/// A call that waits for money, or may have to.
pub(crate) struct Hold {
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

/// Why a wait is over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    AskAgain,
    /// The client hung up.
    Gone,
}

/// What the orchestrator was told of a hold.
struct Told {
    account: String,
    on_exhausted: String,
    at: Instant,
}

impl Told {
    fn of(call: &HeldCall) -> Self {
        Self { account: call.account.clone(), on_exhausted: call.on_exhausted.clone(), at: Instant::now() }
    }

    /// Whether the call now says something else that must be told: an end at once, another budget once in a while.
    fn differs(&self, call: &HeldCall) -> bool {
        let changed = (&self.account, &self.on_exhausted) != (&call.account, &call.on_exhausted);
        changed && (call.on_exhausted == "Fail" || self.at.elapsed() >= RETELL)
    }
}

/// The account that lacks the money, and the call as it is told of.
fn held(answer: ReserveAnswer, plan: &Plan) -> Option<(Uuid, HeldCall)> {
    let ReserveAnswer::Exhausted {
        account,
        account_uid,
        missing_micro_usd,
        missing_tokens,
        on_exhausted,
        denied,
        overage,
    } = answer
    else {
        return None;
    };
    let call = HeldCall {
        account,
        missing_micro_usd,
        missing_tokens,
        on_exhausted,
        needs_micro_usd: plan.bound.cost.0,
        needs_tokens: plan.bound.tokens,
        least_micro_usd: plan.least.cost.0,
        least_tokens: plan.least.tokens,
        denied,
        overage,
    };
    Some((account_uid, call))
}

/// What is told of a call that is not waited for.
pub(crate) fn short(answer: ReserveAnswer, plan: &Plan) -> CallError {
    held(answer, plan).map_or(CallError::Ledger, |(_, call)| CallError::exhausted(&call))
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
    pub(crate) fn new(money: Receiver<Uuid>) -> Self {
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
    pub(crate) async fn exhausted(
        &mut self,
        gateway: &Gateway,
        identity: &Arc<Identity>,
        operation: &str,
        plan: &Plan,
        answer: ReserveAnswer,
    ) -> Result<(), CallError> {
        let Some((account, call)) = held(answer, plan) else { return Ok(()) };
        self.account = account;
        let fails = (call.on_exhausted == "Fail").then(|| CallError::exhausted(&call));
        // An end is told also where the hold was begun by an earlier call of the operation.
        if self.told.as_ref().map_or(fails.is_some(), |told| told.differs(&call))
            && !self.end(gateway, identity, true).await
        {
            gateway.memory.holds.put(identity, operation);
        }
        if self.counted.is_none() {
            self.begin(gateway, identity, operation, call).await;
        }
        if let Some(error) = fails {
            // It stays told: it is what ends the task.
            self.counted = None;
            return Err(error);
        }
        Ok(())
    }

    /// Whether it was told that the call waits.
    pub(crate) fn is_held(&self) -> bool {
        self.counted.is_some()
    }

    /// Tells the orchestrator, under the operation's next key.
    async fn begin(&mut self, gateway: &Gateway, identity: &Identity, operation: &str, call: HeldCall) {
        gateway.memory.holds.look(gateway).await;
        self.key = hold_key(&gateway.pool, identity, operation).await;
        self.told = Some(Told::of(&call));
        tracing::info!(task = %identity.task_uid, role = identity.role, "a budget is exhausted");
        self.counted = Some(Counted::new(&gateway.metrics.held));
        let fact = Fact::BudgetHeld { op_key: self.key.clone(), call };
        tell(&gateway.pool, identity, format!("held/{}", self.key), fact).await;
    }

    /// Tells the orchestrator that the operation goes on, or that what is known of its hold changes (`moved`), if this
    /// call was held.
    pub(crate) async fn end(&mut self, gateway: &Gateway, identity: &Identity, moved: bool) -> bool {
        let held = self.counted.take().is_some();
        if held {
            let op_key = self.key.clone();
            let key = format!("resumed/{op_key}");
            tell(&gateway.pool, identity, key, Fact::BudgetResumed { op_key, moved }).await;
        }
        held
    }

    /// Tells the orchestrator that nobody waits for the call any more, if it was held.
    pub(crate) async fn leave(&mut self, gateway: &Gateway, identity: &Identity) {
        if self.counted.take().is_some() {
            let op_key = self.key.clone();
            tell(&gateway.pool, identity, format!("left/{op_key}"), Fact::BudgetHoldLeft { op_key }).await;
        }
    }

    /// A call that is sent again joins the hold of the one before, which may leave only then, at another gateway. Then it
    /// is told anew with its next refusal, under the next key.
    async fn rejoin(&mut self, gateway: &Gateway, identity: &Identity) {
        if self.is_held() && hold_has_ended(&gateway.pool, identity, &self.key).await {
            self.counted = None;
            self.told = None;
        }
    }

    /// Waits for the next time to ask.
    pub(crate) async fn wait(
        &mut self,
        gateway: &Gateway,
        identity: &Identity,
        plan: &Plan,
        client: &mut Client,
    ) -> Result<Waited, CallError> {
        if plan.stream {
            client.begin_events().await;
            if self.pinged.is_none_or(|at| at.elapsed() >= PING) {
                self.pinged = Some(Instant::now());
                client.ping().await;
            }
        }
        tokio::select! {
            () = client.gone() => return Ok(Waited::Gone),
            () = gateway.stop.cancelled() => {
                return Err(CallError::Unavailable("the gateway restarts; send the same request again".to_owned()));
            }
            () = tokio::time::sleep(ASK) => {}
            () = moved(&mut self.money, self.account) => {}
        }
        if self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            is_current(&gateway.pool, identity).await?;
            self.rejoin(gateway, identity).await;
        }
        Ok(Waited::AskAgain)
    }
}
