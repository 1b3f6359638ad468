//! Calls that wait: for money, or for a model that answers.

use super::reasons::{self, bounded, documented};
use super::state::{Held, Stage, State, Why};
use super::step::Work;
use golden_ledger::Amount;
use golden_platform::wire::HeldCall;
use serde_json::json;

/// Most held calls kept in the state; a task has few at a time.
const MAX_HELD: usize = 64;
/// Most resumed keys remembered against a repeated hold.
const MAX_RESUMED: usize = 256;
/// Bound on why a call is stuck.
const MAX_STUCK_BYTES: usize = 1024;

impl Work<'_> {
    pub(super) fn held(&mut self, op_key: &str, call: &HeldCall) {
        if self.s.resumed.contains(op_key)
            || self.s.held.contains_key(op_key)
            || self.s.held.len() >= MAX_HELD
        {
            return self.ignore("the hold is known");
        }
        let mut entry = json!({
            "opKey": op_key, "account": call.account, "missingMicroUSD": call.missing_micro_usd,
            "missingTokens": call.missing_tokens, "onExhausted": call.on_exhausted, "usage": self.s.usage,
        });
        if let Some(denied) = &call.denied {
            entry["denied"] = bounded(denied, MAX_STUCK_BYTES).into();
        }
        if let Some(overage) = call.overage {
            entry["overage"] = json!(overage);
        }
        self.record("BudgetHeld", entry);
        self.s.held.insert(op_key.to_owned(), Held { call: call.clone(), left: false });
        self.begin_wait();
        self.pause_review();
    }

    /// A call goes on, or its hold moved to another account: then it waits as long as it did, and the next hold follows.
    pub(super) fn resumed(&mut self, op_key: &str, moved: bool) {
        if self.s.resumed.contains(op_key) {
            return self.ignore("the call went on already");
        }
        if self.s.resumed.len() < MAX_RESUMED {
            self.s.resumed.insert(op_key.to_owned());
        }
        if self.s.held.remove(op_key).is_some() {
            self.record("BudgetResumed", json!({"opKey": op_key, "moved": moved}));
            // A freed pod makes no calls: a hold of it that ends has nothing to follow it.
            if !moved || self.s.freed.is_some() {
                self.end_wait();
            }
            self.continue_if_nothing_waits();
        } else if !moved && self.has_left() {
            // It was made again after its client had given up.
            self.end_wait();
        }
    }

    /// The client of a held call gave up, and its agent does something else. Once its pod is asked to save, or was freed,
    /// the hold stands for what becomes of that: the call of a freed pod ends in the same way.
    pub(super) fn hold_left(&mut self, op_key: &str) {
        let saves = self.s.freed.is_some() || self.s.pod.as_ref().is_some_and(|pod| pod.saving.is_some());
        match self.s.held.get_mut(op_key) {
            None => self.ignore("no such call is held"),
            Some(held) if saves => held.left = true,
            Some(_) => self.leave(op_key),
        }
    }

    fn leave(&mut self, op_key: &str) {
        self.s.held.remove(op_key);
        self.record("BudgetHoldLeft", json!({"opKey": op_key}));
        self.suspend_wait();
        self.continue_if_nothing_waits();
    }

    /// The pod stays: holds of clients that gave up meanwhile end.
    pub(super) fn leave_given_up(&mut self) {
        let left: Vec<String> =
            self.s.held.iter().filter(|(_, held)| held.left).map(|(op_key, _)| op_key.clone()).collect();
        for op_key in left {
            self.leave(&op_key);
        }
    }

    /// The calls that were held are over with whatever made them. Their keys are kept, so that a hold told again is
    /// not taken for a new one.
    pub(super) fn forget_holds(&mut self) {
        self.s.stuck.clear();
        let room = MAX_RESUMED.saturating_sub(self.s.resumed.len());
        self.s.resumed.extend(std::mem::take(&mut self.s.held).into_keys().take(room));
    }

    pub(super) fn continue_if_nothing_waits(&mut self) {
        if self.s.held.is_empty() && self.s.stuck.is_empty() && !self.s.suspended {
            self.continue_review();
        }
    }

    /// Calls of this caller fail and are made again. Of an attempt that is over, it is no news.
    pub(super) fn stuck(&mut self, caller: &str, attempt: u32, why: &Why) {
        let calls = matches!(self.s.stage, Stage::Producing | Stage::Reviewing);
        if !calls || attempt != self.s.attempt || self.s.stuck.len() >= MAX_HELD {
            return self.ignore("nobody of that attempt calls a model now");
        }
        let reason = documented(&why.reason, reasons::MODEL_UNREACHABLE);
        let why = Why::new(&reason, bounded(&why.message, MAX_STUCK_BYTES));
        self.s.stuck.insert(caller.to_owned(), why);
        self.pause_review();
    }

    pub(super) fn unstuck(&mut self, caller: &str) {
        if self.s.stuck.remove(caller).is_none() {
            return self.ignore("that caller was not stuck");
        }
        self.continue_if_nothing_waits();
    }

    /// A hold that the budget says to fail on.
    pub(super) fn fatal_budget(&self) -> Option<Why> {
        let mut calls = self.s.held.values().map(|held| &held.call);
        calls.find(|call| call.on_exhausted == "Fail").map(|call| exhausted(call, usual(call)))
    }
}

/// What the task lacks, and what became of its pod.
pub(super) fn lacking(s: &State) -> Option<Why> {
    let call = &s.held.values().next()?.call;
    let freed = super::pause::freed(s);
    let mut why = exhausted(call, freed.as_deref().unwrap_or_else(|| usual(call)));
    why.message.extend(super::pause::kept(s));
    Some(why)
}

/// What follows once there is money.
fn usual(call: &HeldCall) -> &'static str {
    if call.on_exhausted == "Fail" { "submit the task again" } else { "the held call then goes on" }
}

/// What is missing and what to do, in the words of a condition.
fn exhausted(call: &HeldCall, then: &str) -> Why {
    let missing = match (call.missing_micro_usd, call.missing_tokens) {
        (cost, tokens) if cost > 0 && tokens > 0 => format!("{} and {tokens} tokens", dollars(cost)),
        (cost, tokens) if cost <= 0 && tokens > 0 => format!("{tokens} tokens"),
        (cost, _) => dollars(cost),
    };
    if let Some(denied) = &call.denied {
        let message = format!(
            "{} lacks {missing} for the next call, and more was refused: {}; submit the task again once there is money",
            call.account,
            bounded(denied, MAX_STUCK_BYTES)
        );
        return Why::new(reasons::BUDGET_DENIED, message);
    }
    // The ledger names accounts by kind: `Budget ns/name`, or `AgentTask ns/name` for the task's own limits.
    let own = call.account.starts_with("AgentTask ");
    let (reason, raise) = if own {
        (reasons::TASK_LIMIT_REACHED, "raise spec.limits of the AgentTask".to_owned())
    } else {
        let asked = question(call).unwrap_or_default();
        (reasons::BUDGET_EXHAUSTED, format!("{asked}raise the limit of that Budget"))
    };
    let account = &call.account;
    let message = match unconfirmed(call) {
        Some(over) => format!(
            "{account} pays for nothing, since a provider charged {over} beyond what was reserved: to confirm that, {raise}, \
             {then}"
        ),
        None => format!("{account} lacks {missing} for the next call: {raise}, {then}"),
    };
    Why::new(reason, message)
}

/// What was charged beyond what was reserved, where nothing else stands in the way.
fn unconfirmed(call: &HeldCall) -> Option<String> {
    let over = call.overage.filter(|_| call.missing_micro_usd == 0 && call.missing_tokens == 0)?;
    Amount::new(over.cost_micro_usd, over.tokens).words()
}

/// Who is asked for more, and how they answer, where the Budget asks.
fn question(call: &HeldCall) -> Option<String> {
    let (namespace, name) = call.account.strip_prefix("Budget ")?.split_once('/')?;
    (call.on_exhausted == "Ask").then(|| {
        format!(
            "whoever may approve budgets in {namespace} is asked for more: `golden approve budget/{name} -n {namespace}`; or "
        )
    })
}

/// Exact, since what is missing is often far below a cent.
fn dollars(micro_usd: i64) -> String {
    let (whole, rest) = (micro_usd / 1_000_000, (micro_usd % 1_000_000).abs());
    format!("${whole}.{rest:06} ({micro_usd} micro-USD)")
}
