//! Globs of paths: small, anchored, and the same wherever a policy names paths.
//!
//! - `*` stands for any characters but `/`, `?` for one of them;
//! - `**` as a whole segment stands for any number of segments, also none: `tests/**` is everything under
//!   `tests` (and `tests` itself), `**/Dockerfile` is every `Dockerfile`;
//! - a trailing `/` means `/**`;
//! - everything else is literal, upper and lower case differ, and the whole path must match. A glob without
//!   `**` is anchored at the root of the tree.

/// Longest glob, in bytes.
pub const MAX_GLOB_BYTES: usize = 512;

/// Why a glob is refused. A glob that means something else than its author thinks protects nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GlobFault {
    #[error("glob is empty; remove it or name a path")]
    Empty,
    #[error("glob has {0} bytes, at most {MAX_GLOB_BYTES} are possible")]
    TooLong(usize),
    #[error("glob {0:?} starts with / or has a . or .. segment; write it relative to the root of the tree")]
    NotRelative(String),
    #[error("glob {glob:?} uses {character:?}, which has no meaning here; use *, ** and ? only")]
    Unsupported { glob: String, character: char },
    #[error("glob {0:?} has ** beside other characters; ** must be a whole segment")]
    PartialDoubleStar(String),
}

/// Checks that a glob means what it looks like.
pub fn check_glob(glob: &str) -> Result<(), GlobFault> {
    if glob.is_empty() {
        return Err(GlobFault::Empty);
    }
    if glob.len() > MAX_GLOB_BYTES {
        return Err(GlobFault::TooLong(glob.len()));
    }
    if let Some(character) = glob.chars().find(|c| "[]{}!\\".contains(*c) || c.is_control()) {
        return Err(GlobFault::Unsupported { glob: glob.to_owned(), character });
    }
    for segment in glob.strip_suffix('/').unwrap_or(glob).split('/') {
        if segment.is_empty() || segment == "." || segment == ".." {
            return Err(GlobFault::NotRelative(glob.to_owned()));
        }
        if segment != "**" && segment.contains("**") {
            return Err(GlobFault::PartialDoubleStar(glob.to_owned()));
        }
    }
    Ok(())
}

/// Whether the glob matches the whole path (relative to the root of the tree; a leading `./` or `/` is dropped).
pub fn glob_matches(glob: &str, path: &str) -> bool {
    let mut pattern: Vec<&str> = glob.split('/').collect();
    if glob.ends_with('/') {
        pattern.pop();
        pattern.push("**");
    }
    let path = path.trim_start_matches("./").trim_start_matches('/');
    let path: Vec<&str> = path.split('/').collect();
    wildcard(&pattern, &path, |p| *p == "**", |p, s| segment_matches(p, s))
}

fn segment_matches(pattern: &str, segment: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let segment: Vec<char> = segment.chars().collect();
    wildcard(&pattern, &segment, |p| *p == '*', |p, c| *p == '?' || p == c)
}

/// Matches with a many-wildcard in time pattern × input: after a mismatch only the last wildcard takes one
/// more element, earlier ones need not be tried again. (The usual greedy algorithm.)
fn wildcard<P, T>(
    pattern: &[P],
    input: &[T],
    many: impl Fn(&P) -> bool,
    one: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut p, mut i) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(element) = input.get(i) {
        match pattern.get(p) {
            Some(wild) if many(wild) => {
                p += 1;
                retry = Some((p, i));
            }
            Some(single) if one(single, element) => {
                p += 1;
                i += 1;
            }
            _ => {
                let Some((after, taken)) = retry else { return false };
                retry = Some((after, taken + 1));
                (p, i) = (after, taken + 1);
            }
        }
    }
    pattern.get(p..).is_none_or(|rest| rest.iter().all(many))
}
