//! What the gateway must know of a client's protocol; everything else of a request and its answer passes unread.

use super::fields::Fields;
use super::outline::Outline;
use super::parts::Extent;
use crate::error::CallError;
use golden_crds::model_provider::{OutputCapField, Protocol as ProviderProtocol};
use golden_ledger::{CacheWrites, Usage};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// One of the protocols.
pub(crate) type Protocol = &'static dyn ClientProtocol;

/// The most output that a call may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cap {
    /// Tokens: what the model gives, or less where that cannot be paid.
    pub(crate) most: u64,
    /// Chat Completions only: the one field that the provider takes it in; absent where the client's own stays.
    pub(crate) field: Option<OutputCapField>,
}

/// What a request says, as far as it must be known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) stream: bool,
    /// Whether the client itself asked for the usage of a stream.
    pub(crate) forward_usage: bool,
    /// The output that its own cap field now allows.
    pub(crate) max_output: u64,
    /// Input that the request's own bytes do not bound.
    pub(crate) extent: Extent,
    /// The prompt by the pieces it grows by; absent where it cannot be compared with others.
    pub(crate) outline: Option<Outline>,
    /// What the prompt's digest is made from.
    pub(crate) prompt: Vec<u8>,
    /// Tools taken out of the request: the provider runs them itself, at prices of their own.
    pub(crate) withheld: Vec<String>,
}

/// What an event of a stream is to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Passes,
    /// The gateway alone had asked for it.
    Ours,
    /// Nothing follows. Kept back until the call is settled.
    Last(End),
}

/// How a stream ended, in the provider's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Answered,
    Failed,
}

/// Reads the events of one stream.
pub(crate) trait Reader: std::fmt::Debug + Send {
    /// Looks at the data of an event.
    fn see(&mut self, data: &str) -> Seen;
    /// The usage of the whole answer, once it was stated.
    fn usage(&self) -> Option<Usage>;
}

/// One protocol.
pub(crate) trait ClientProtocol: std::fmt::Debug + Send + Sync {
    /// For people, for example `OpenAI Chat Completions`.
    fn name(&self) -> &'static str;

    /// Providers that speak it.
    fn provider(&self) -> ProviderProtocol;

    /// Where it is served, here and below a provider's `…/v1`: for example `chat/completions`.
    fn path(&self) -> &'static str;

    /// Whether the client chooses among its provider's models; else its role's binding alone says which.
    fn client_names_model(&self) -> bool {
        false
    }

    /// Reads the request, refuses what cannot be priced, and bounds its output in the field the protocol has for it.
    fn prepare(&self, request: &mut Fields<'_>, cap: Cap) -> Result<Asked, CallError>;

    /// What a request asks to be written to the provider's cache; all that has a price, where that is not the client's to
    /// say.
    fn cache_writes(&self, _request: &[u8]) -> CacheWrites {
        CacheWrites::Long
    }

    /// What an answer's field `usage` states, if it makes sense.
    fn usage(&self, stated: &Value) -> Option<Usage>;

    /// A reader for one stream.
    fn reader(&self, forward_usage: bool) -> Box<dyn Reader>;

    /// An error as a whole answer.
    fn error(&self, error: &CallError) -> Value;

    /// An error as the last events of a stream that has begun.
    fn error_events(&self, error: &CallError) -> String;

    /// What keeps a stream alive whose client waits for money.
    fn ping(&self) -> &'static str;
}

/// The one field of an answer that is read.
#[derive(Deserialize)]
struct Answer {
    usage: Option<Value>,
}

/// The usage of an answer in one piece, if it states one; why it is no answer of any protocol, where that is so: each
/// is one JSON object. Nothing else of it is kept: it may be long.
pub(crate) fn stated(protocol: Protocol, answer: &[u8]) -> Result<Option<Usage>, String> {
    let Answer { usage } = object(answer)?;
    Ok(usage.as_ref().and_then(|usage| protocol.usage(usage)))
}

/// A JSON object with nothing behind it.
pub(crate) fn object<T: DeserializeOwned>(answer: &[u8]) -> Result<T, String> {
    let not = |why: &str| format!("its answer of {} bytes is not one whole JSON object: {why}", answer.len());
    // A list would be read as the fields in their order.
    match answer.trim_ascii_start().first() {
        Some(b'{') => serde_json::from_slice(answer).map_err(|e| not(&e.to_string())),
        Some(_) => Err(not("it begins otherwise")),
        None => Err(not("it is empty")),
    }
}
