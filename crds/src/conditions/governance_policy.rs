//! Reasons of GovernancePolicy.

use super::reasons;
pub use super::shared;
pub use super::shared::{
    DATABASE_UNREACHABLE, INTERNAL_ERROR, INVALID_SPEC, RUNTIME_CLASS_NOT_FOUND, UNSERVED_FIELD,
};

reasons! {
    /// The policy applies to the tasks it selects.
    IN_FORCE = "InForce";
    /// The policy has not been looked at since its last change.
    PROGRESSING = "Progressing";
    /// Another policy of the same priority also carries a review and selects some of the same tasks.
    POLICY_CONFLICT = "PolicyConflict";
    /// The quorum cannot be reached, or the weights are unusable. The message shows the arithmetic.
    QUORUM_UNREACHABLE = "QuorumUnreachable";
    /// A selector is not a usable label selector.
    SELECTOR_INVALID = "SelectorInvalid";
    /// A voter's ModelProvider does not exist in Golden's namespace.
    PROVIDER_NOT_FOUND = "ProviderNotFound";
    /// A voter's model is not listed by its provider.
    MODEL_NOT_FOUND = "ModelNotFound";
    /// A voter's model has no price. Write it, also when it is 0.
    MODEL_UNPRICED = "ModelUnpriced";
}
