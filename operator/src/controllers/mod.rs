//! One controller per kind, each in the same five steps: observe (I/O), validate (pure), plan (pure), act (I/O),
//! report (one status write, also when acting failed).

pub(crate) mod agent_task;
pub(crate) mod agent_team;
pub(crate) mod budget;
pub(crate) mod decision;
pub(crate) mod governance_policy;
pub(crate) mod model_provider;
pub(crate) mod prompt_revision;
pub(crate) mod sandbox_run;
