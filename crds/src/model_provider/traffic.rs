//! How calls of a provider flow: how many, how long they may take, and when they are not made at all.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much of a provider is used, by all replicas of the gateway together while they have a Redis, else by each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderLimits {
    /// Calls begun within any 60 seconds, 1 to 1000000; any number when absent. Calls above it wait in line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests_per_minute: Option<i64>,
    /// Tokens within any 60 seconds, 1000 to 1000000000; any number when absent. A call counts with the most that it can
    /// use while it runs, and with what it used from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1000, max = 1_000_000_000))]
    pub tokens_per_minute: Option<i64>,
    /// Calls under way at the same time, 1 to 1024.
    #[serde(default = "default_concurrent")]
    #[schemars(range(min = 1, max = 1024))]
    pub max_concurrent: i64,
}

fn default_concurrent() -> i64 {
    64
}

impl Default for ProviderLimits {
    fn default() -> Self {
        Self { requests_per_minute: None, tokens_per_minute: None, max_concurrent: default_concurrent() }
    }
}

/// How long a provider may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderTimeouts {
    /// Seconds to connect, 1 to 60.
    #[serde(default = "default_connect")]
    #[schemars(range(min = 1, max = 60))]
    pub connect_seconds: i64,
    /// Seconds from the request to the first byte of its answer, 1 to 3600. Reasoning models think for minutes before it.
    #[serde(default = "default_first_byte")]
    #[schemars(range(min = 1, max = 3600))]
    pub first_byte_seconds: i64,
    /// Seconds between two pieces of a stream, 1 to 3600.
    #[serde(default = "default_idle")]
    #[schemars(range(min = 1, max = 3600))]
    pub idle_seconds: i64,
}

fn default_connect() -> i64 {
    10
}
fn default_first_byte() -> i64 {
    600
}
fn default_idle() -> i64 {
    120
}

impl Default for ProviderTimeouts {
    fn default() -> Self {
        Self {
            connect_seconds: default_connect(),
            first_byte_seconds: default_first_byte(),
            idle_seconds: default_idle(),
        }
    }
}

/// When a provider that fails is not called for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderBreaker {
    /// Failures in a row after which it is not called, 1 to 1000.
    #[serde(default = "default_threshold")]
    #[schemars(range(min = 1, max = 1000))]
    pub failure_threshold: i64,
    /// Seconds after which one call is let through to see, 1 to 3600.
    #[serde(default = "default_recovery")]
    #[schemars(range(min = 1, max = 3600))]
    pub recovery_seconds: i64,
}

fn default_threshold() -> i64 {
    5
}
fn default_recovery() -> i64 {
    30
}

impl Default for ProviderBreaker {
    fn default() -> Self {
        Self { failure_threshold: default_threshold(), recovery_seconds: default_recovery() }
    }
}
