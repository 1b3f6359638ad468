//! Every bound of the agent in one place. Sizes are bytes.

/// Answers of the model in one attempt.
pub(crate) const STEPS: u32 = golden_platform::wire::AGENT_CALLS;
/// Tokens of one answer.
pub(crate) const ANSWER_TOKENS: u64 = 4096;
/// One answer, as received.
pub(crate) const ANSWER: usize = 4 * 1024 * 1024;
/// `prompt.md` and `feedback.md`, each.
pub(crate) const PROMPT: usize = 128 * 1024;
/// What one tool says.
pub(crate) const TOOL_RESULT: usize = 24 * 1024;
/// All messages of one request: older tool results are shortened above it.
pub(crate) const CONVERSATION: usize = 192 * 1024;
/// A file that may be read, searched or written.
pub(crate) const FILE: u64 = 1024 * 1024;
/// Paths of one listing, and hits of one search.
pub(crate) const LISTED: usize = 500;
pub(crate) const HITS: usize = 100;
/// Files looked at by one search.
pub(crate) const SEARCHED: usize = 20_000;
/// Calls of tools in one answer.
pub(crate) const CALLS: usize = 16;
/// Answers in a row without a call of a tool before the agent gives up.
pub(crate) const IDLE_ANSWERS: u32 = 3;
/// The agent's last words.
pub(crate) const SUMMARY: usize = 4096;
/// Transcript of one attempt.
pub(crate) const TRANSCRIPT: usize = 16 * 1024 * 1024;

/// The first `limit` bytes of a text, cut between characters.
pub(crate) fn head(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}
