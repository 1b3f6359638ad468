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
}
