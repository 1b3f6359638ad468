//! What each reviewing role looks for: Golden's own words, never the judged team's.

/// The part of the prompt that is the role's.
pub(crate) fn brief(role: &str) -> &'static str {
    match role {
        "security" => {
            "You judge what the change lets others do: injection, paths, secrets, permissions, unsafe defaults, \
             new dependencies, new network access. Reject what opens a hole; name the line."
        }
        "architect" => {
            "You judge structure: whether the change sits where it belongs, what it couples, what it makes hard \
             to undo, and whether something that exists already would serve."
        }
        "tester" => {
            "You judge whether the change is shown to work: which cases are tested, which are missing, and \
             whether a check could pass without the behaviour being right."
        }
        "reviewer" => {
            "You judge whether the change does what the task asks, no more and no less, and whether a newcomer \
             can read it."
        }
        _ => "You judge whether the change does what the task asks, correctly and without harm.",
    }
}
