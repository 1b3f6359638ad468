//! Statements: where one can begin, and where the whole ends.

use super::super::view::View;
use super::cursor::{Caps, Cursor};
use super::tokens::{Sort, Token};
use super::verbs::{Strength, verb};
use super::words::{CLAUSES, one_of};

/// The end of the statement that begins at `at`, if one does.
pub(super) fn end(view: &View, tokens: &[Token], at: usize) -> Option<usize> {
    let token = tokens.get(at)?;
    if token.sort != Sort::Word {
        return None;
    }
    let mut cursor = Cursor::new(view, tokens, at);
    let strength = verb(&mut cursor)?;
    let core = cursor.at;
    let ending = ending(view, tokens, core);
    let position = stands(tokens, at);
    let upper = cursor.caps == Caps::Upper;
    let counts = match (strength, ending) {
        (Strength::Certain, _) | (Strength::Likely, Ending::Terminator) => true,
        (Strength::Possible, Ending::Terminator) => position || upper,
        (_, Ending::Closed) => upper || position && cursor.caps != Caps::Sentence,
        (_, Ending::Open) => false,
    };
    counts.then(|| extent(view, tokens, at, core))
}

/// The beginning of the finding at `at`: a semicolon before it, and the quote before that, belong to it, since it is
/// by them that it became a statement. Not before `free`.
pub(super) fn begin(tokens: &[Token], at: usize, free: usize) -> usize {
    let sort = |at: usize| tokens.get(at).map(|token| token.sort);
    let mut from = at;
    while from > free && sort(from - 1) == Some(Sort::Semicolon) {
        from -= 1;
    }
    if from == at {
        return at;
    }
    let mut outer = from;
    while outer > free && matches!(sort(outer - 1), Some(Sort::Sign(b')'))) {
        outer -= 1;
    }
    if outer > free && matches!(sort(outer - 1), Some(Sort::Quote(_))) { outer - 1 } else { from }
}

/// What follows a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// A semicolon or a comment.
    Terminator,
    /// The text, the line or what quotes the statement ends.
    Closed,
    /// More words.
    Open,
}

fn ending(view: &View, tokens: &[Token], core: usize) -> Ending {
    let Some(token) = tokens.get(core) else {
        // The newlines and comments before the end were skipped as nothing.
        return Ending::Closed;
    };
    let skipped = |back: usize| core.checked_sub(back).and_then(|at| tokens.get(at)).map(|token| token.sort);
    match token.sort {
        Sort::Semicolon | Sort::Comment => Ending::Terminator,
        Sort::Newline | Sort::Quote(_) | Sort::Sign(b'`' | b')' | b']' | b'}' | b'<') => Ending::Closed,
        _ if skipped(1) == Some(Sort::Newline) => Ending::Closed,
        _ if skipped(1) == Some(Sort::Comment) => Ending::Terminator,
        Sort::Word if next_statement(view, tokens, core) => Ending::Closed,
        _ => Ending::Open,
    }
}

/// Whether another statement's verb in capitals follows: what a neutralised text looks like.
fn next_statement(view: &View, tokens: &[Token], at: usize) -> bool {
    const VERBS: [&str; 10] =
        ["SELECT", "INSERT", "UPDATE", "DELETE", "DROP", "CREATE", "ALTER", "TRUNCATE", "GRANT", "EXEC"];
    let text = tokens.get(at).map(|token| view.slice(token.start(), token.end())).unwrap_or_default();
    VERBS.iter().any(|verb| verb.as_bytes() == text)
}

/// Whether a statement can begin at `at`: the text, a line or a quotation begins there, or another statement or
/// sentence ends before it.
fn stands(tokens: &[Token], at: usize) -> bool {
    let mut before = at;
    loop {
        let Some(token) = before.checked_sub(1).and_then(|at| tokens.get(at)) else { return true };
        match token.sort {
            Sort::Comment => before -= 1,
            Sort::Newline | Sort::Semicolon | Sort::Quote(_) => return true,
            Sort::Sign(sign) => {
                return matches!(
                    sign,
                    b'`' | b'('
                        | b'{'
                        | b'['
                        | b':'
                        | b'='
                        | b'>'
                        | b'.'
                        | b'!'
                        | b'?'
                        | b'|'
                        | b'-'
                        | b')'
                        | b'*'
                );
            }
            Sort::Word | Sort::Number => return false,
        }
    }
}

/// Most tokens of one finding; what follows is looked at anew.
const MAX_EXTENT: usize = 4096;

/// Where a statement with this core ends: behind its semicolon and the comments that follow, else where what quotes it,
/// its sentence or its last line ends.
fn extent(view: &View, tokens: &[Token], at: usize, core: usize) -> usize {
    let opener = at.checked_sub(1).and_then(|at| tokens.get(at)).map(|token| token.sort);
    let closes = |sort: Sort| Some(sort) == opener && matches!(sort, Sort::Quote(_) | Sort::Sign(b'`'));
    let most = core.saturating_add(MAX_EXTENT).min(tokens.len());
    let mut end = core.min(tokens.len());
    while end < most {
        let Some(token) = tokens.get(end) else { break };
        match token.sort {
            Sort::Semicolon => return comments(tokens, end + 1),
            sort if closes(sort) => return end,
            Sort::Newline if !goes_on(view, tokens, end) => return end,
            Sort::Sign(b'.') if sentence(tokens, end) => return end,
            _ => end += 1,
        }
    }
    end
}

/// The comments' marks right behind a semicolon.
fn comments(tokens: &[Token], mut end: usize) -> usize {
    while tokens.get(end).is_some_and(|token| token.sort == Sort::Comment) {
        end += 1;
    }
    end
}

/// Whether the line behind the newline at `at` goes on with the statement.
fn goes_on(view: &View, tokens: &[Token], at: usize) -> bool {
    tokens.get(at + 1).is_some_and(|token| match token.sort {
        Sort::Word => one_of(view.slice(token.start(), token.end()), CLAUSES),
        Sort::Sign(sign) => matches!(sign, b'(' | b')' | b','),
        _ => false,
    })
}

/// A full stop that no word touches behind ends a sentence.
fn sentence(tokens: &[Token], at: usize) -> bool {
    match (tokens.get(at), tokens.get(at + 1)) {
        (Some(stop), Some(next)) => next.start() > stop.end() || next.sort == Sort::Newline,
        _ => true,
    }
}
