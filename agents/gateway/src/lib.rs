//! The gateway: makes any agent governable, since it is the only way to a model.
//!
//! Contract: OpenAI Chat Completions, Responses and Embeddings, and Anthropic Messages, for providers that speak them;
//! of a request and its answer only what costs money is read or changed. Who calls is known by the pod's token, and with it the task, role and
//! model. Each call is reserved before, dispatched durably before its first byte, and settled after its last; a call
//! whose budget is exhausted waits and then goes on, if the budget says so. The provider's key is known here only.

mod answer;
mod app;
mod batches;
mod call;
mod callers;
mod client;
mod count;
mod endpoint;
mod endpoints;
mod error;
mod facts;
mod fallback;
mod form;
mod headers;
mod health;
mod held;
mod hold;
mod holds;
mod identity;
mod inflight;
mod keys;
mod known;
mod ledger;
mod line;
mod listing;
mod metrics;
mod money;
mod output_cap;
mod plan;
mod protocol;
mod providers;
mod rates;
mod refusal;
mod relay;
mod retry;
mod routes;
mod run;
mod secret;
mod settling;
mod shared;
mod standalone;
mod standing;
mod stuck;
mod target;
mod tries;
mod underway;
mod undo;
mod upstream;

pub use app::{Gateway, Memory};
pub use error::CallError;
pub use ledger::Ledger;
pub use metrics::Metrics;
pub use money::{KEPT as NOTICES_KEPT, hear};
pub use providers::{Providers, SecretData, Secrets};
pub use routes::router;
pub use run::{Args, finish, run};
pub use secret::{SecretFault, may_use};
pub use shared::SharedLimits;
pub use standalone::{Config, Fault, Faults, LimitsHandle, Models, Standalone};
pub use standing::tell as tell_standings;
pub use upstream::client as upstream_client;
