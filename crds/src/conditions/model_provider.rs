//! Reasons of ModelProvider.

use super::reasons;
pub use super::shared;
pub use super::shared::{
    INTERNAL_ERROR, INVALID_SPEC, SECRET_HOST_NOT_ALLOWED, SECRET_MALFORMED, SECRET_NOT_ANNOTATED,
    SECRET_NOT_FOUND, UNSERVED_FIELD,
};

reasons! {
    /// The endpoint is configured and its breaker is closed.
    AVAILABLE = "Available";
    /// The provider has not been looked at since its last change.
    PROGRESSING = "Progressing";
    /// Models without a price cannot be called. The message names them. Write the price, also when it is 0.
    MODEL_UNPRICED = "ModelUnpriced";
    /// `allowedNamespaces` is set on a provider outside Golden's namespace, where it has no effect.
    NOT_SHAREABLE = "NotShareable";
    /// Condition Reachable: the provider answered when it was called last.
    ANSWERS = "Answers";
    /// Condition Reachable: no call within the last minutes said anything. It is seen at the next one.
    NOT_CALLED = "NotCalled";
    /// Condition Reachable: no connection, no byte in time, answers that break off or that are none, so often that it is
    /// not called for a while. Check `baseURL`, the endpoint and the way to it.
    ENDPOINT_UNREACHABLE = "EndpointUnreachable";
    /// Condition Reachable: the endpoint answers 401 or 403. Correct the key in the Secret, or its rights.
    KEY_REFUSED = "KeyRefused";
    /// Condition Reachable: the endpoint answers with 429 or 5xx, so often that it is not called for a while. It is tried
    /// again after `spec.breaker.recoverySeconds`.
    BREAKER_OPEN = "BreakerOpen";
    /// Condition FallbacksUsable: a fallback names no ModelProvider of this namespace or offered to it, or no model of it.
    FALLBACK_NOT_FOUND = "FallbackNotFound";
    /// Condition FallbacksUsable: a fallback speaks another protocol. Nothing is translated, so it is never asked.
    FALLBACK_PROTOCOL_DIFFERS = "FallbackProtocolDiffers";
    /// Condition FallbacksUsable: a fallback's model has no price, so it is never asked.
    FALLBACK_UNPRICED = "FallbackUnpriced";
    /// Condition LimitsShared: the replicas of the gateway count together.
    SHARED = "Shared";
    /// Condition LimitsShared: a replica of the gateway cannot use Redis. Each counts the limits for itself until it is back,
    /// so that the provider may see them once for each replica; calls and money are not affected. Bring Redis back:
    /// it is used again at once. A corrected `redis-url` in the stores' Secret counts from the gateway's next start.
    CACHE_UNREACHABLE = "CacheUnreachable";
}
