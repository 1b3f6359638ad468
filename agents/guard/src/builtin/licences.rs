//! Changes of licences: of the work itself (licence files, SPDX headers, fields of manifests), and those of new
//! dependencies where their lock file names them, which npm's does and the others do not.

use super::SettingsFault;
use super::dependencies;
use super::report::Report;
use super::trees::{Change, Node, Trees};
use golden_crds::agent_task::LicenceRules;
use regex::bytes::Regex;
use spdx::{AdditionItem, Expression, LicenseReq, Licensee, ParseMode};

/// How far a file is searched for its header, in bytes.
const LOOKED_AT: usize = 8192;
/// A header as SPDX has it; the end of a comment is none of it.
const HEADER: &str = r"SPDX-License-Identifier:[ \t]*([A-Za-z0-9][A-Za-z0-9.+() -]{0,199})";

pub(super) fn examine(rules: &LicenceRules, trees: &Trees<'_>) -> Result<Report, SettingsFault> {
    let allowed = Allowed::read(&rules.allowed)?;
    let header = Regex::new(HEADER)?;
    let changes = trees.changes();
    let mut report = Report::new("licences", changes.len());
    for change in &changes {
        if is_licence_file(change.path) {
            let message = "a licence file was added, changed or removed; put it back as it was";
            report.find(Some(change.path), || None, "licence-file", message);
        } else {
            own(&mut report, &allowed, change, &header);
            of_dependencies(&mut report, &allowed, change);
        }
    }
    Ok(report)
}

/// What the work says of itself, in a header or a manifest.
fn own(report: &mut Report, allowed: &Allowed, change: &Change<'_>, header: &Regex) {
    let said = |node: Option<Node<'_>>| {
        let bytes = node.as_ref().and_then(Node::bytes)?;
        dependencies::own_licence(change.path, bytes).or_else(|| header_of(header, bytes))
    };
    let (old, new) = (said(change.old), said(change.new));
    if change.new.is_none() || old == new {
        return;
    }
    if let Some(old) = old {
        let now = new.as_deref().unwrap_or("none");
        let message = format!("its licence was {old:?} and is {now:?} now; put it back");
        report.find(Some(change.path), || None, "licence-changed", &message);
    }
    if let Some(fault) = new.and_then(|new| allowed.refuse(&new)) {
        report.find(Some(change.path), || None, "licence-not-allowed", &fault);
    }
}

fn header_of(header: &Regex, bytes: &[u8]) -> Option<String> {
    let found = header.captures(bytes.get(..LOOKED_AT).unwrap_or(bytes))?.get(1)?;
    // The end of a comment in HTML begins with dashes.
    Some(String::from_utf8_lossy(found.as_bytes()).trim_end_matches([' ', '-']).to_owned())
}

/// Licences of dependencies that a lock file gained.
fn of_dependencies(report: &mut Report, allowed: &Allowed, change: &Change<'_>) {
    let Some(gained) = dependencies::gained_in_lock(change) else { return };
    let mut unknown = 0;
    for (name, package) in gained {
        match package.licence() {
            Some(licence) => {
                if let Some(fault) = allowed.refuse(&licence) {
                    let message = format!("dependency {name} {}: {fault}", package.version());
                    report.find(Some(change.path), || None, "licence-not-allowed", &message);
                }
            }
            None => unknown += 1,
        }
    }
    if unknown > 0 {
        let note = format!("{} does not name the licences of {unknown} dependencies it gained", change.path);
        report.note(&note);
    }
}

/// `LICENSE`, `LICENCE-MIT`, `COPYING.txt` and their like, and all below `LICENSES/` (reuse.software).
fn is_licence_file(path: &str) -> bool {
    const STEMS: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE"];
    const ENDS: [&str; 5] = ["MD", "TXT", "RST", "ADOC", "HTML"];
    let upper = path.to_uppercase();
    let mut parts = upper.rsplit('/');
    let name = parts.next().unwrap_or_default();
    if parts.any(|folder| folder == "LICENSES") {
        return true;
    }
    let stem = name.split(['.', '-', '_']).next().unwrap_or_default();
    // `license.rs` is a program.
    let end = name.rsplit_once('.').map(|(_, end)| end);
    STEMS.contains(&stem)
        && end.is_none_or(|end| ENDS.contains(&end) || end.starts_with(|c: char| c.is_ascii_digit()))
}

/// Licences that may be brought in; any, if none is named.
struct Allowed {
    names: String,
    licensees: Vec<Licensee>,
}

impl Allowed {
    fn read(names: &[String]) -> Result<Self, SettingsFault> {
        let read = |name: &String| {
            Licensee::parse_mode(name, ParseMode::LAX).map_err(|_| SettingsFault::Licence(name.clone()))
        };
        Ok(Self { names: names.join(", "), licensees: names.iter().map(read).collect::<Result<_, _>>()? })
    }

    /// Why a licence may not be brought in. An exception of SPDX's list only adds to what a licence allows.
    fn refuse(&self, licence: &str) -> Option<String> {
        if self.licensees.is_empty() {
            return None;
        }
        let names = &self.names;
        let Ok(expression) = Expression::parse_mode(licence, ParseMode::LAX) else {
            return Some(format!(
                "licence {licence:?} is no SPDX expression, so that it cannot be one of {names}"
            ));
        };
        let satisfied = |req: &LicenseReq| {
            let addition = req.addition.clone().filter(|a| !matches!(a, AdditionItem::Spdx(_)));
            let plain = LicenseReq { license: req.license.clone(), addition };
            self.licensees.iter().any(|l| l.satisfies(&plain))
        };
        let ok = expression.evaluate(satisfied);
        (!ok).then(|| format!("licence {licence:?} is none of {names}; use something else"))
    }
}
