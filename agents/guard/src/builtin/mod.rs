//! The guards that come with Golden: what changed from the base to the produced tree, against small rules.
//!
//! Contract: pure, and total over hostile trees. What the change did not touch is not held against it. Nothing in the
//! tree can exempt itself: no comment and no configuration file of the examined tree is heeded. What cannot be known
//! from the two trees alone is said in a note, never assumed.

mod dependencies;
mod files;
mod licences;
mod limits;
mod report;
mod secrets;
mod trees;

#[cfg(test)]
mod tests;

pub use report::{Finding, MAX_FINDINGS, Report};
pub use trees::{Change, Node, Tree, Trees};

use golden_crds::agent_task::BuiltinGuard;
use golden_governance::{GlobFault, check_glob};

/// Settings that mean nothing: the guard examines nothing with them, so nothing passes.
#[derive(Debug, thiserror::Error)]
pub enum SettingsFault {
    #[error("exactly one built-in guard has to be named")]
    NotOne,
    #[error(transparent)]
    Glob(#[from] GlobFault),
    #[error("{0:?} is no SPDX licence identifier; write it as on spdx.org/licenses")]
    Licence(String),
    #[error("a pattern of Golden's own cannot be used: {0}")]
    Pattern(#[from] regex::Error),
}

/// Examines a change.
pub fn examine(guard: &BuiltinGuard, trees: &Trees<'_>) -> Result<Report, SettingsFault> {
    guard.globs().try_for_each(check_glob)?;
    let reports = [
        guard.secrets.as_ref().map(|rules| secrets::examine(rules, trees)),
        guard.size_limits.as_ref().map(|rules| Ok(limits::sizes(rules, trees))),
        guard.path_limits.as_ref().map(|rules| Ok(limits::paths(rules, trees))),
        guard.forbidden_files.as_ref().map(|rules| Ok(files::examine(rules, trees))),
        guard.licences.as_ref().map(|rules| licences::examine(rules, trees)),
        guard.dependencies.as_ref().map(|rules| Ok(dependencies::examine(rules, trees))),
    ];
    let mut given = reports.into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(report), None) => report,
        _ => Err(SettingsFault::NotOne),
    }
}

/// Whether one of the globs matches the path.
fn any_matches(globs: &[String], path: &str) -> bool {
    globs.iter().any(|glob| golden_governance::glob_matches(glob, path))
}
