//! What the stories cost the cluster: memory, and writes to the apiserver.

use crate::memory::{self, Memory};
use crate::stories;
use crate::tools::Tools;
use crate::writes::{self, Writes};
use anyhow::Result;
use serde::Serialize;

/// The task whose writes are counted: two attempts, a guard each, a delivery.
pub const COUNTED: &str = "fix-slugify";

/// Measured after the stories.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Absent where the kubelets could not be asked: many clusters grant nobody `nodes/proxy`.
    pub memory: Option<Memory>,
    /// Absent where the apiserver's audit log cannot be read.
    pub writes: Option<Writes>,
}

/// Asks the kubelets, and reads the audit log where there is one.
///
/// # Errors
/// On the local cluster, when either fails. On one of somebody else's the stories count, and these figures may lack.
pub fn measure(tools: &Tools) -> Result<Figures> {
    let memory = match memory::measure(tools) {
        Ok(memory) => Some(memory),
        Err(_) if tools.context.is_some() => None,
        Err(error) => return Err(error),
    };
    let writes = match &tools.audit_log {
        Some(log) => Some(writes::count(log, &stories::task(tools, COUNTED)?)?),
        None => None,
    };
    Ok(Figures { memory, writes })
}

impl Figures {
    /// For people.
    pub fn text(&self) -> String {
        let writes = self.writes.as_ref().map_or_else(
            || "apiserver writes: not counted, this cluster's audit log is not on this machine".to_owned(),
            |writes| writes.text(COUNTED),
        );
        let memory = self.memory.as_ref().map_or_else(
            || {
                "memory: not measured, the kubelets could not be asked (that takes `get` on nodes/proxy)"
                    .to_owned()
            },
            Memory::text,
        );
        format!("{memory}\n{writes}")
    }
}
