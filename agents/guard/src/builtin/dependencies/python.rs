//! Python's requirements (PEP 508), and the files that list them by the line.

use super::listing::{Listing, add};
use super::source::Source;

/// `requirements.txt`: one a line. Lines that begin with a dash are options; some of them install something.
pub(super) fn requirements(text: &str) -> Listing {
    let mut all = Listing::new();
    for line in text.lines() {
        // A comment begins a line or follows a space, since URLs hold the sign too.
        let line = line.split(" #").next().unwrap_or_default().trim();
        if let Some(place) = option(line, "-e", "--editable") {
            requirement(&mut all, place);
        } else if let Some(file) = option(line, "-r", "--requirement") {
            // Under another name nobody looks at what it lists.
            if Source::of(file).is_none() {
                add(&mut all, file, "a list of its own", None, false);
            }
        } else if !line.is_empty() && !line.starts_with(['#', '-']) {
            requirement(&mut all, line);
        }
    }
    all
}

/// What an option is given, in any of the forms that pip takes: `-e X`, `-eX`, `--editable X`, `--editable=X`.
fn option<'a>(line: &'a str, short: &str, long: &str) -> Option<&'a str> {
    let given = match line.strip_prefix(long) {
        Some(rest) => rest.strip_prefix(['=', ' ', '\t'])?,
        None => line.strip_prefix(short)?,
    };
    Some(given.trim()).filter(|given| !given.is_empty())
}

/// `name[extras] ==1.2 ; marker`, or `name @ URL`, or a bare place, which is its own name: `.` is one, too.
pub(super) fn requirement(all: &mut Listing, line: &str) {
    let line = line.trim();
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c))).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    let name = normal(name);
    if name.is_empty() || rest.starts_with([':', '/', '+']) {
        return add(all, line, "from there", None, false);
    }
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('[').and_then(|r| r.split_once(']')).map_or(rest, |(_, after)| after);
    let version = rest.split([';', '\\']).next().unwrap_or_default().trim();
    let version = version.split("--hash").next().unwrap_or_default().trim();
    let pinned =
        version.strip_prefix("==").is_some_and(|v| !v.contains(['*', ','])) || version.contains("@ ");
    add(all, &name, version, None, pinned);
}

/// The name in its normal form (PEP 503).
pub(super) fn normal(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}
