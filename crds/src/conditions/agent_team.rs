//! Reasons of AgentTeam.

use super::reasons;
pub use super::shared;
pub use super::shared::{
    CHILD_NAME_TAKEN, CHILD_REFUSED, DATABASE_UNREACHABLE, DELETING, IMAGE_PULL_FAILED, INTERNAL_ERROR,
    INVALID_SPEC, MESSAGING_UNREACHABLE, POD_UNSCHEDULABLE, RUNTIME_CLASS_NOT_FOUND, UNSERVED_FIELD,
};

reasons! {
    /// Every service of the team is available and its streams exist.
    AVAILABLE = "Available";
    /// Services or streams are being created or changed.
    PROGRESSING = "Progressing";
    /// A service's Deployment has fewer available replicas than wanted. The message names it.
    SERVICE_UNAVAILABLE = "ServiceUnavailable";
    /// A service's Deployment made no progress within its deadline. The message carries the pod's reason.
    SERVICE_STALLED = "ServiceStalled";
    /// A role names a ModelProvider that does not exist or is not offered to this namespace.
    PROVIDER_NOT_FOUND = "ProviderNotFound";
    /// A role's ModelProvider is not Ready. The message repeats its reason.
    PROVIDER_NOT_READY = "ProviderNotReady";
    /// A role names a model that its provider does not list.
    MODEL_NOT_FOUND = "ModelNotFound";
    /// A role's model has no price. Write it, also when it is 0.
    MODEL_UNPRICED = "ModelUnpriced";
    /// A role names a PromptRevision that does not exist, or is for another role or team.
    PROMPT_REVISION_NOT_FOUND = "PromptRevisionNotFound";
    /// The PriorityClass of `spec.placement` does not exist.
    PRIORITY_CLASS_NOT_FOUND = "PriorityClassNotFound";
    /// A stream of the team differs from what it should be and cannot be changed without losing messages.
    STREAM_CONFLICT = "StreamConflict";
    /// The team is being deleted; its streams still hold messages and are kept.
    STREAMS_RETAINED = "StreamsRetained";
}
