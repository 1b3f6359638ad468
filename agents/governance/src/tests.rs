//! What merging and approvals promise.
