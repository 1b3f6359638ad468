//! ModelProvider: an endpoint, its models and their prices.

mod traffic;

pub use traffic::{ProviderBreaker, ProviderLimits, ProviderTimeouts};

use crate::agent_team::ModelRef;
use crate::common::LocalRef;
use crate::rules;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a model is called and what it costs.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "goldenarch.dev",
    version = "v1alpha1",
    kind = "ModelProvider",
    namespaced,
    status = "ModelProviderStatus",
    shortname = "mp",
    category = "golden",
    doc = "A model endpoint, its models and their prices.",
    cel,
    printcolumn(name = "Protocol", type_ = "string", json_path = ".spec.protocol"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].reason"
    ),
    printcolumn(
        name = "Answers",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Reachable')].status"
    ),
    printcolumn(name = "Circuit", type_ = "string", json_path = ".status.circuit.state"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "URL", type_ = "string", json_path = ".spec.baseURL", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    ),
    validation = Rule::new("!has(self.spec.fallbacks) || !self.spec.fallbacks.exists(f, f.provider == self.metadata.name)")
        .message("fallbacks name the provider itself: name other providers only")
        .reason(Reason::FieldValueInvalid)
        .field_path(".spec.fallbacks")
)]
#[x_kube(
    validation = rules::invalid(
        "fallbacks",
        "!has(self.fallbacks) || self.fallbacks.all(f, self.fallbacks.exists_one(g, g.provider == f.provider && g.model == f.model))",
        "must name each model once: it is asked once in any case"
    ),
    validation = rules::invalid(
        "baseURL",
        r"self.baseURL.matches('^https?://([^/?#\\s]*@)?[A-Za-z0-9\\[][A-Za-z0-9.:_\\[\\]-]*(/[^?#\\s]*)?$')",
        "must be an http or https URL with a host and without a query: for example https://models.example/v1"
    ),
    validation = rules::invalid(
        "outputCapField",
        "!has(self.outputCapField) || self.protocol == 'OpenAI'",
        "is for protocol OpenAI: leave it out, Anthropic's protocol has one field for the cap"
    ),
    validation = Rule::new("!self.baseURL.matches('^[a-z]+://[^/]*@')")
        .message("baseURL must not carry credentials: put the key into a Secret and name it in secretRef")
        .reason(Reason::FieldValueForbidden)
        .field_path(".baseURL")
)]
#[serde(rename_all = "camelCase")]
pub struct ModelProviderSpec {
    /// How the endpoint is spoken to: `OpenAI` (Chat Completions, Responses, Embeddings) or `Anthropic` (Messages).
    pub protocol: Protocol,
    /// Where the endpoint is, for example `https://models.example/v1`: http or https, without credentials. OpenAI's
    /// protocols are called below it (`…/chat/completions`), Anthropic's below its `/v1`, which may be left out.
    #[serde(rename = "baseURL")]
    #[schemars(length(min = 1, max = 2048))]
    pub base_url: String,
    /// Where Chat Completions carry the output cap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_cap_field: Option<OutputCapField>,
    /// A Secret (key `apiKey`) annotated with use `model` and its hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalRef>,
    /// 1 to 64 models. Only these can be called.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub models: Vec<ModelSpec>,
    /// Namespaces beside its own that may use it; only honoured in Golden's namespace. `*` offers it to all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        inner(length(min = 1, max = 63), regex(pattern = "^(\\*|[a-z0-9]([-a-z0-9]*[a-z0-9])?)$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub allowed_namespaces: Vec<String>,
    /// At most 4 models of other providers that speak the same protocol. They are asked in this order where this
    /// provider cannot answer a call and cannot have charged for it; the call is paid at their prices. Their own
    /// fallbacks are not asked. They need not be offered to the namespaces that this provider is offered to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub fallbacks: Vec<ModelRef>,
    /// How much of it is used. The replicas of the gateway count together in Redis; without it each counts for itself
    /// (condition LimitsShared).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ProviderLimits>,
    /// How long it may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<ProviderTimeouts>,
    /// When it is not called for a while, since it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<ProviderBreaker>,
}

/// How an endpoint is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Protocol {
    /// OpenAI's Chat Completions, Responses and Embeddings; the key goes as a bearer token.
    OpenAI,
    /// Anthropic's Messages; the key goes as `x-api-key`.
    Anthropic,
}

/// The field of a Chat Completions request in which the endpoint takes the output cap: a cap that a client names in
/// the other one goes out in this one. When absent: `MaxCompletionTokens` for api.openai.com and hosts below
/// openai.azure.com, whose reasoning models refuse `max_tokens`; elsewhere the field that the client names, and
/// `max_tokens` where it names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OutputCapField {
    /// `max_completion_tokens`: counts what a model thinks as well.
    MaxCompletionTokens,
    /// `max_tokens`: the older one, which servers other than OpenAI's may know alone.
    MaxTokens,
}

/// One model. A model without a price is refused, never free: zero must be written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = rules::invalid(
        "maxOutputTokens",
        "self.maxOutputTokens <= self.contextWindow",
        "must not be above contextWindow, which counts prompt and answer together"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ModelSpec {
    /// The name that teams and policies use.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^\\S+$"))]
    pub name: String,
    /// The name the endpoint knows the model by; `name` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = "^\\S+$"))]
    pub upstream_name: Option<String>,
    /// Tokens of prompt and answer together, 1 to 100000000.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub context_window: i64,
    /// Tokens of one answer, at most; bounds what a call can cost.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub max_output_tokens: i64,
    /// Price: millionths of a US dollar per million input tokens. Without it the model cannot be called.
    #[schemars(range(min = 0, max = 1_000_000_000_000_i64))]
    #[serde(default, rename = "inputMicroUSDPerMToken", skip_serializing_if = "Option::is_none")]
    pub input_micro_usd_per_mtoken: Option<i64>,
    /// Price: millionths of a US dollar per million output tokens. Without it the model cannot be called.
    #[schemars(range(min = 0, max = 1_000_000_000_000_i64))]
    #[serde(default, rename = "outputMicroUSDPerMToken", skip_serializing_if = "Option::is_none")]
    pub output_micro_usd_per_mtoken: Option<i64>,
    /// Price: millionths of a US dollar per million input tokens read from the provider's cache. As other input when
    /// absent.
    #[schemars(range(min = 0, max = 1_000_000_000_000_i64))]
    #[serde(default, rename = "cachedInputMicroUSDPerMToken", skip_serializing_if = "Option::is_none")]
    pub cached_input_micro_usd_per_mtoken: Option<i64>,
    /// Price: millionths of a US dollar per million input tokens written to the provider's cache. When absent: 1.25
    /// times other input with protocol `Anthropic`, as Anthropic charges; as other input with `OpenAI`, some of whose
    /// models charge more.
    #[schemars(range(min = 0, max = 1_000_000_000_000_i64))]
    #[serde(default, rename = "cacheWriteMicroUSDPerMToken", skip_serializing_if = "Option::is_none")]
    pub cache_write_micro_usd_per_mtoken: Option<i64>,
    /// Price: the same for input that is kept there long (Anthropic: an hour, OpenAI: 12 hours). When absent: twice other input with protocol
    /// `Anthropic`; as other input with `OpenAI`.
    #[schemars(range(min = 0, max = 1_000_000_000_000_i64))]
    #[serde(default, rename = "longCacheWriteMicroUSDPerMToken", skip_serializing_if = "Option::is_none")]
    pub long_cache_write_micro_usd_per_mtoken: Option<i64>,
}

/// What Golden reports of a provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelProviderStatus {
    /// `metadata.generation` this status was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// Conditions, one of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
    /// Its circuit breakers; absent while no replica of the gateway has asked it lately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit: Option<CircuitStatus>,
}

/// The breakers of a provider: each replica of the gateway has its own. The API and the metric
/// `golden_breaker_state` tell them apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CircuitStatus {
    /// Open where one of them is.
    pub state: CircuitState,
    /// Replicas that let no calls through but for single ones that look whether it is back.
    #[schemars(range(min = 0, max = 100))]
    pub open_replicas: u32,
    /// Replicas that asked it lately.
    #[schemars(range(min = 1, max = 100))]
    pub replicas: u32,
    /// Since when the first of the open ones is. RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub open_since: Option<String>,
}

/// Whether calls are let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CircuitState {
    /// They are.
    Closed,
    /// After failures in a row they are not, but for single ones that look whether it is back.
    Open,
}
