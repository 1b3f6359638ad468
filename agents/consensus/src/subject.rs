//! What is judged, and by which models it was made.

/// A result under review.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Ballots and facts that name another digest are about something else.
    pub digest: &'a str,
    /// The models that made it, as ballots name theirs. Needed where the policy asks for independent reviewers.
    pub author_models: &'a [String],
}

impl<'a> From<&'a str> for Subject<'a> {
    fn from(digest: &'a str) -> Self {
        Self { digest, author_models: &[] }
    }
}

impl<'a> From<&'a String> for Subject<'a> {
    fn from(digest: &'a String) -> Self {
        digest.as_str().into()
    }
}

/// Whether two names are of one model: what stands before the last `/` names who serves it, and case is no difference.
pub fn same_model(a: &str, b: &str) -> bool {
    let model = |name: &str| name.rsplit('/').next().unwrap_or(name).trim().to_lowercase();
    model(a) == model(b)
}
