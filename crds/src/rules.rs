//! CEL rules that several fields share. Each names its field, says what is wrong with it and what to do.
//!
//! Bounds a schema can express (lengths, ranges, patterns, enums, unique keys) are in the schema; a rule is for
//! what it cannot. Every rule has an accept and a reject case in `tests/cases`, run both by the crate and by a
//! real apiserver.

use kube::core::{Reason, Rule};

/// Matches a path with an empty, `.`, `..` or `.git` part: absolute ones, ones that end in `/`, ones that leave
/// the workspace, and ones that would plant git hooks or configuration.
const UNSAFE_PATH: &str = r"(?i)(^|/)(\\.{1,2}|\\.git)?(/|$)";

/// Matches what git refuses in a ref beyond the characters the schema's pattern excludes.
const UNSAFE_REF: &str = r"\\.\\.|//|/\\.|\\.lock(/|$)|[/.]$";

/// The whole spec never changes.
pub(crate) fn immutable_spec(kind: &str) -> Rule {
    Rule::new("self == oldSelf")
        .message(format!("spec is immutable: create another {kind} instead").as_str())
        .reason(Reason::FieldValueForbidden)
}

/// A required or defaulted field of a spec that never changes.
pub(crate) fn immutable(field: &str) -> Rule {
    forbidden(field, format!("self.{field} == oldSelf.{field}"))
}

/// An optional field of a spec that is never set, changed or removed after creation.
pub(crate) fn immutable_optional(field: &str) -> Rule {
    let rule = format!(
        "has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"
    );
    forbidden(field, rule)
}

fn forbidden(field: &str, rule: String) -> Rule {
    Rule::new(rule)
        .message(format!("{field} is immutable: create another AgentTask instead").as_str())
        .reason(Reason::FieldValueForbidden)
        .field_path(format!(".{field}"))
}

/// A string field that is a path inside the workspace.
pub(crate) fn path_inside(field: &str) -> Rule {
    invalid(
        field,
        format!("!self.{field}.matches('{UNSAFE_PATH}')"),
        "must be relative, without empty, '.', '..' or '.git' parts and without a '/' at its end",
    )
}

/// An optional list of paths or globs inside the workspace.
pub(crate) fn paths_inside(field: &str) -> Rule {
    invalid(
        field,
        format!("!has(self.{field}) || self.{field}.all(p, !p.matches('{UNSAFE_PATH}'))"),
        "must be relative paths, without empty, '.', '..' or '.git' parts and without a '/' at their end",
    )
}

/// A string field that git takes as a ref.
pub(crate) fn git_ref(field: &str) -> Rule {
    invalid(
        field,
        format!("!self.{field}.matches('{UNSAFE_REF}')"),
        "must be a name git accepts: no '..', '//', '/.' or '.lock' part, and no '/' or '.' at its end",
    )
}

/// A list of arguments whose first, the program, is not empty.
pub(crate) fn program(field: &str, optional: bool) -> Rule {
    let guard = if optional { format!("!has(self.{field}) || ") } else { String::new() };
    invalid(
        field,
        format!("{guard}self.{field}[0] != ''"),
        "must begin with the program to run, which cannot be empty",
    )
}

/// At most 512 KiB of inline files together: the object has to fit into etcd with room to spare.
pub(crate) fn files_fit(optional: bool) -> Rule {
    let guard = if optional { "!has(self.files) || " } else { "" };
    invalid(
        "files",
        format!("{guard}self.files.map(f, size(bytes(f.content))).sum() <= 524288"),
        "together may hold at most 524288 bytes: put larger trees into git",
    )
}

/// `field` breaks `rule`; the message is `field` and `what`.
pub(crate) fn invalid(field: &str, rule: impl Into<String>, what: &str) -> Rule {
    Rule::new(rule)
        .message(format!("{field} {what}").as_str())
        .reason(Reason::FieldValueInvalid)
        .field_path(format!(".{field}"))
}

/// An entry of `limits` that may be raised, but not lowered, added or removed: adding one lowers what was
/// unlimited, and removing one hides a raise without bound.
pub(crate) fn raise_only(entry: &str) -> Rule {
    let set = |of: &str| format!("(has({of}.limits) && has({of}.limits.{entry}))");
    let rule = format!(
        "{} ? {} && self.limits.{entry} >= oldSelf.limits.{entry} : !{}",
        set("oldSelf"),
        set("self"),
        set("self")
    );
    Rule::new(rule)
        .message(format!("limits.{entry} can be raised, but not lowered, added or removed").as_str())
        .reason(Reason::FieldValueForbidden)
        .field_path(format!(".limits.{entry}"))
}
