//! How large a change may be, and where it may reach.

use super::any_matches;
use super::report::Report;
use super::trees::{Node, Trees};
use golden_crds::agent_task::{PathLimits, SizeLimits};

pub(super) fn sizes(rules: &SizeLimits, trees: &Trees<'_>) -> Report {
    let changes = trees.changes();
    let mut report = Report::new("sizeLimits", changes.len());
    if let Some(most) = over(changes.len(), rules.max_files) {
        let message = format!("{} files are changed, at most {most} may be; split the work", changes.len());
        report.find(None, || None, "too-many-files", &message);
    }
    let mut total = 0_usize;
    for change in &changes {
        let Some(bytes) = change.new.as_ref().and_then(Node::bytes) else { continue };
        total += bytes.len();
        if let Some(most) = over(bytes.len(), rules.max_file_bytes) {
            let message = format!(
                "it has {} bytes, at most {most} are possible; remove it or make it smaller",
                bytes.len()
            );
            report.find(Some(change.path), || None, "file-too-large", &message);
        }
    }
    if let Some(most) = over(total, rules.max_total_bytes) {
        let message =
            format!("the changed files have {total} bytes, at most {most} are possible; split the work");
        report.find(None, || None, "change-too-large", &message);
    }
    report
}

/// The bound, if there is one and the figure is above it.
fn over(figure: usize, bound: Option<i64>) -> Option<i64> {
    bound.filter(|most| i64::try_from(figure).map_or(true, |figure| figure > *most))
}

pub(super) fn paths(rules: &PathLimits, trees: &Trees<'_>) -> Report {
    let changes = trees.changes();
    let mut report = Report::new("pathLimits", changes.len());
    for change in &changes {
        let path = change.path;
        if any_matches(&rules.denied, path) {
            let message = "nothing may be changed here; put it back as it was";
            report.find(Some(path), || None, "path-denied", message);
        } else if !rules.allowed.is_empty() && !any_matches(&rules.allowed, path) {
            let message = format!(
                "it is outside of what may be changed ({}); put it back as it was",
                rules.allowed.join(", ")
            );
            report.find(Some(path), || None, "path-not-allowed", &message);
        }
    }
    report
}
