//! What each process is told: pure rendering of arguments and files.

pub(crate) mod apiserver;
pub(crate) mod kubeconfig;
