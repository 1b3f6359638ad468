//! Values that break out of a statement: a closed quote with a condition that always holds, or with the rest of the
//! statement made a comment.

use super::super::view::View;
use super::cursor::Cursor;
use super::tokens::{Sort, Token};
use super::words::{PROBES, one_of};

/// The end of what breaks out at `at`.
pub(super) fn end(view: &View, tokens: &[Token], at: usize) -> Option<usize> {
    let sort = tokens.get(at)?.sort;
    match sort {
        Sort::Quote(_) => commented(view, tokens, at).or_else(|| quoted(view, tokens, at)),
        Sort::Word => unquoted(view, tokens, at),
        _ => None,
    }
}

/// `admin'--`, `x') #`: a quote that closes a word, and the rest a comment.
fn commented(view: &View, tokens: &[Token], at: usize) -> Option<usize> {
    let quote = *tokens.get(at)?;
    let word = tokens.get(at.checked_sub(1)?)?;
    if word.end() != quote.start() || !matches!(word.sort, Sort::Word | Sort::Number) {
        return None;
    }
    let mut end = at + 1;
    while matches!(tokens.get(end).map(|token| token.sort), Some(Sort::Sign(b')') | Sort::Semicolon)) {
        end += 1;
    }
    let comment = tokens.get(end).filter(|token| token.sort == Sort::Comment)?;
    let last = tokens.get(end.checked_sub(1)?)?;
    let next = tokens.get(end + 1).map(|token| token.sort);
    let touches =
        comment.start() == last.end() && !view.slice(comment.start(), comment.end()).starts_with(b"/*");
    (touches || matches!(next, None | Some(Sort::Newline))).then_some(end + 1)
}

/// `' OR '1'='1`, `") OR ("a"="a`, `' OR 1 --`, `' AND SLEEP(5)`, `' ORDER BY 3 --`.
fn quoted(view: &View, tokens: &[Token], at: usize) -> Option<usize> {
    let mut cursor = Cursor::new(view, tokens, at + 1);
    while cursor.sign(b')') {}
    if cursor.eat_any(&["order", "group"]) {
        let stands = cursor.eat("by") && cursor.number();
        return (stands && comment(&cursor)).then_some(cursor.at + 1);
    }
    let pipes = cursor.sign(b'|') && cursor.sign(b'|') || cursor.sign(b'&') && cursor.sign(b'&');
    if !pipes && !cursor.eat_any(&["or", "and", "xor", "having"]) {
        return None;
    }
    let _ = cursor.eat("not");
    while cursor.sign(b'(') {}
    // `||` joins texts in ordinary SQL, function calls among them.
    if !pipes && probe(&mut cursor) {
        return Some(cursor.at);
    }
    let left = cursor.constant()?;
    if comment(&cursor) {
        return Some(cursor.at + 1);
    }
    let right = compared(&mut cursor, left, false)?;
    Some(tail(&cursor, right))
}

/// `1 OR 1=1`, `1 AND SLEEP(5)`: no quote is needed where a number stands.
fn unquoted(view: &View, tokens: &[Token], at: usize) -> Option<usize> {
    let mut cursor = Cursor::new(view, tokens, at);
    if !cursor.eat_any(&["or", "and", "having"]) {
        return None;
    }
    let before = at.checked_sub(1).and_then(|at| tokens.get(at)).map(|token| token.sort);
    let value = matches!(before, Some(Sort::Number | Sort::Quote(_) | Sort::Sign(b')')));
    while cursor.sign(b'(') {}
    if value && probe(&mut cursor) {
        return Some(cursor.at);
    }
    let number = cursor.peek().is_some_and(|token| matches!(token.sort, Sort::Number | Sort::Quote(_)));
    if !number {
        return None;
    }
    let left = cursor.constant()?;
    let right = compared(&mut cursor, left, true)?;
    Some(tail(&cursor, right))
}

/// A call of a function that delays or probes.
fn probe(cursor: &mut Cursor<'_>) -> bool {
    let mut ahead = *cursor;
    let named = ahead.peek_word().is_some_and(|word| one_of(word, PROBES));
    ahead.at += usize::from(named);
    let stands = named && ahead.sign(b'(');
    if stands {
        *cursor = ahead;
    }
    stands
}

/// Takes a comparison with a constant: of equal ones if `strict`. `==` is no comparison of SQL.
fn compared(cursor: &mut Cursor<'_>, left: &[u8], strict: bool) -> Option<usize> {
    let word = cursor.eat_any(&["like", "is", "rlike"]);
    if !word {
        let equals = cursor.sign(b'=');
        let other = !equals && (cursor.sign(b'<') | cursor.sign(b'>') | cursor.sign(b'!'));
        let double = cursor.raw().is_some_and(|token| token.sort == Sort::Sign(b'='));
        if equals && double || !equals && !other {
            return None;
        }
        let _ = other && (cursor.sign(b'=') || cursor.sign(b'>'));
        if other && strict {
            return None;
        }
    }
    while cursor.sign(b'(') {}
    let right = cursor.constant()?;
    (left == right || !strict && !word).then_some(cursor.at)
}

/// A comment that follows belongs to it.
fn tail(cursor: &Cursor<'_>, end: usize) -> usize {
    end + usize::from(comment(cursor))
}

fn comment(cursor: &Cursor<'_>) -> bool {
    cursor.raw().is_some_and(|token| token.sort == Sort::Comment)
}
