//! Files that a change may not bring in.

use super::any_matches;
use super::report::Report;
use super::trees::{Change, Node, Trees};
use golden_crds::agent_task::{FileKind, ForbiddenFiles};

pub(super) fn examine(rules: &ForbiddenFiles, trees: &Trees<'_>) -> Report {
    let changes = trees.changes();
    let mut report = Report::new("forbiddenFiles", changes.len());
    for change in changes.iter().filter(|c| c.new.is_some()) {
        if any_matches(&rules.paths, change.path) {
            let message = "such a file may not be added or changed; remove it, or put it back as it was";
            report.find(Some(change.path), || None, "forbidden-path", message);
        }
        for kind in rules.kinds.iter().filter(|kind| is(change, **kind)) {
            let (rule, message) = match kind {
                FileKind::Binary => {
                    ("forbidden-binary", "binary files may not be added or changed; remove it")
                }
                FileKind::Executable => (
                    "forbidden-executable",
                    "files may not be made executable; take the right away (chmod -x)",
                ),
                FileKind::Link => ("forbidden-link", "symbolic links may not be added or changed; remove it"),
            };
            report.find(Some(change.path), || None, rule, message);
        }
    }
    report
}

fn is(change: &Change<'_>, kind: FileKind) -> bool {
    match (kind, change.new) {
        (FileKind::Binary, Some(node @ Node::File { .. })) => node.text().is_none(),
        (FileKind::Executable, Some(Node::File { executable, .. })) => {
            executable && !matches!(change.old, Some(Node::File { executable: true, .. }))
        }
        (FileKind::Link, Some(Node::Link { .. })) => true,
        _ => false,
    }
}
