//! What task pods ask and tell: their work, artifacts, results. Callers are pods, known by their uid.

mod caller;
mod credentials;
mod git_host;
mod job;
mod result;
mod router;
mod saved;
mod work;

pub use credentials::{KubeSecrets, Secrets, credential};
pub use router::{Interface, router};
