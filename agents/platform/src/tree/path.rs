//! Which paths and link targets a tree may have.

use super::Error;

/// Longest path and longest part of one: what file systems take.
const MAX_PATH: usize = 1024;
const MAX_PART: usize = 255;

/// The path of a tar entry: `./` in front and a `/` behind are a matter of taste, all else is not.
pub(super) fn from_tar(raw: &[u8]) -> Result<String, Error> {
    let text = std::str::from_utf8(raw).map_err(|_| Error::Path {
        path: String::from_utf8_lossy(raw).into_owned(),
        why: "it is not UTF-8; rename the file",
    })?;
    let mut path = text;
    while let Some(rest) = path.strip_prefix("./") {
        path = rest;
    }
    check(path)?;
    Ok(path.to_owned())
}

/// Checks that a path is plain, relative, and bounded.
pub(super) fn check(path: &str) -> Result<(), Error> {
    let fault = |why| Err(Error::Path { path: path.chars().take(200).collect(), why });
    if path.is_empty() {
        return fault("it is empty");
    }
    if path.len() > MAX_PATH {
        return fault("it is longer than 1024 bytes");
    }
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return fault("it has a control character or a backslash");
    }
    for part in path.split('/') {
        match part {
            "" => return fault("it starts with / or has an empty part"),
            "." | ".." => return fault("it has a part . or .."),
            _ if part.len() > MAX_PART => return fault("a part is longer than 255 bytes"),
            // git on other systems folds case: .GIT would become its folder there.
            _ if part.eq_ignore_ascii_case(".git") => return fault("a part is named .git"),
            _ => {}
        }
    }
    Ok(())
}

/// Checks a link and gives its target: it is relative, `..` occurs only in front and not more often than the link is deep.
///
/// `..` behind a name would be unsafe even where it looks inside: the name may itself be a link, and `..` is then
/// taken from where that leads. With `..` in front only, each step starts from the link's own folder, which is a
/// real one since no entry lies beneath another; so by induction no chain of links leaves the tree.
pub(super) fn link(path: &str, target: &[u8]) -> Result<String, Error> {
    let shown = String::from_utf8_lossy(target).into_owned();
    let fault = || Error::Link { path: path.to_owned(), target: shown.clone() };
    let text = std::str::from_utf8(target).map_err(|_| fault())?;
    if text.is_empty() || text.len() > MAX_PATH || text.chars().any(|c| c.is_control() || c == '\\') {
        return Err(fault());
    }
    let depth = path.matches('/').count();
    let parts: Vec<&str> = text.split('/').collect();
    let ups = parts.iter().take_while(|p| **p == "..").count();
    let plain = parts.iter().skip(ups).all(|p| {
        !p.is_empty() && *p != ".." && *p != "." && !p.eq_ignore_ascii_case(".git") && p.len() <= MAX_PART
    });
    if ups > depth || !plain {
        return Err(fault());
    }
    Ok(text.to_owned())
}

/// The folders a path lies in, nearest last: `a/b/c` gives `a`, `a/b`.
pub(super) fn above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').filter_map(|(at, _)| path.get(..at))
}
