//! Asking again while another service is away; a refusal is final.

use golden_platform::http::CallError;
use golden_platform::{Class, Classify as _};
use std::time::Duration;

/// Five minutes in all; the pod's own deadline ends it earlier where it must.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_secs(3);

/// Repeats what failed for want of another service.
pub(crate) async fn again<T, F, R>(what: &str, mut call: F) -> Result<T, CallError>
where
    F: FnMut() -> R,
    R: Future<Output = Result<T, CallError>>,
{
    for _ in 0..TRIES {
        match call().await {
            Err(error) if matches!(error.class(), Class::Dependency | Class::Transient) => {
                tracing::warn!(%error, what, "asking again");
                tokio::time::sleep(PAUSE).await;
            }
            other => return other,
        }
    }
    call().await
}
