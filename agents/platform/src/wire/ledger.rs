//! Calls of the ledger.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Most operations of one request.
pub const MOST_OPERATIONS: usize = 128;

/// Ledger: `POST /v1/operations`: what a gateway asks at one time, at most [`MOST_OPERATIONS`]. Each is decided and answered
/// by itself; steps of one call do not belong into one request. What is late is refused with status 503: a reserve may
/// not be done then, anything else is. Whoever asks may have the operations lent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerOperations<O = LedgerOperation> {
    pub operations: Vec<O>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LedgerOperation {
    Reserve(Box<ReserveRequest>),
    Dispatch(OpRequest),
    Settle(SettleRequest),
    Release(OpRequest),
    /// Nobody will see the end of this call: its bound counts as spent, as Unknown, until the usage is found.
    Abandon(OpRequest),
}

/// The answers, in the order of the operations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerAnswers {
    pub answers: Vec<LedgerAnswer>,
}

/// The ledger's answer to one operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LedgerAnswer {
    /// To a reserve.
    Reserved(ReserveAnswer),
    /// To any other: the state that the call now has.
    Moved(OpAnswer),
    Refused(Refusal),
}

/// An operation that was refused or failed, in the words of an HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub status: u16,
    pub reason: String,
    pub message: String,
}

/// Reserves the bound of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReserveRequest {
    pub op_key: String,
    pub request_hash: String,
    pub team_uid: Uuid,
    pub task_uid: Uuid,
    pub try_uid: Option<Uuid>,
    pub attempt: u32,
    pub role: String,
    pub provider: String,
    pub model: String,
    pub prompt_digest: String,
    pub cost_micro_usd: i64,
    pub tokens: i64,
    /// The call goes upstream at once: the grant is Dispatched, in one durable step instead of two.
    #[serde(default)]
    pub dispatch: bool,
    /// The least that the call can be made with: what is granted is then between this and the whole. All or nothing,
    /// where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<Bound>,
}

/// The most that a call can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bound {
    pub cost_micro_usd: i64,
    /// Input and output together.
    pub tokens: i64,
}

/// The ledger's answer to a reserve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase", tag = "outcome")]
pub enum ReserveAnswer {
    /// Reserved now or before, under this key and request; `state` tells how far that call already is.
    Granted {
        state: String,
        /// What is reserved, where that is not the whole that was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bound: Option<Bound>,
    },
    /// Nothing was reserved: `account` lacks the money. What is missing is told of the whole.
    Exhausted {
        account: String,
        account_uid: Uuid,
        missing_micro_usd: i64,
        missing_tokens: i64,
        /// `Pause` and `Ask` hold the call, `Fail` ends it.
        on_exhausted: String,
        /// Who refused this budget more money, in words; then `on_exhausted` is `Fail`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        denied: Option<String>,
        /// What a provider charged beyond what was reserved: until somebody has edited the limit, nothing is granted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        overage: Option<Bound>,
    },
    /// The key was used with another request.
    OtherRequest,
    /// The task has no account: it was not admitted, or is gone.
    NoAccount,
}

/// Moves a call on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpRequest {
    pub op_key: String,
}

/// Settles a call at what it used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettleRequest {
    pub op_key: String,
    pub cost_micro_usd: i64,
    pub input_tokens: i64,
    pub output_tokens: i64,
    pub latency_ms: i64,
}

/// The ledger's answer to dispatch, release and settle: the state the call now has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpAnswer {
    pub state: String,
}
