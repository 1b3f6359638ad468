//! The one TLS provider.

/// Makes ring the provider of every TLS client in the process. Call once at start, before any connection:
/// several crates share rustls, and without a chosen provider it refuses to guess.
pub fn init_crypto() {
    // Err means that a provider is installed already, by an earlier call: nothing to do.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
