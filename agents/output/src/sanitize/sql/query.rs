//! SELECT lists, conditions and clauses.

use super::cursor::Cursor;
use super::tokens::Sort;
use super::words::{CLAUSES, FUNCTIONS, PROSE, one_of};

/// Most items of a list that are read.
const MAX_ITEMS: usize = 64;

/// What a list of a SELECT showed.
pub(super) struct List {
    /// It has what prose does not: `*` or a known function's call.
    pub(super) certain: bool,
    pub(super) items: usize,
    /// FROM and a name or a subquery follow.
    pub(super) from: bool,
}

/// Reads what follows SELECT. Nothing if it is no list.
pub(super) fn list(cursor: &mut Cursor<'_>) -> Option<List> {
    let _ = cursor.eat_any(&["distinct", "all"]) || cursor.eat("top") && cursor.number();
    let mut list = List { certain: false, items: 0, from: false };
    while list.items < MAX_ITEMS {
        let certain = item(cursor)?;
        list.certain |= certain;
        list.items += 1;
        if !cursor.sign(b',') {
            break;
        }
    }
    let mut ahead = *cursor;
    if ahead.eat("from") {
        let star = list.certain && ahead.peek_word().is_some();
        if !ahead.name() && !ahead.sign(b'(') && !star {
            return None;
        }
        *cursor = ahead;
        list.from = true;
    }
    Some(list)
}

/// One item with its alias; whether it is one that prose does not have.
fn item(cursor: &mut Cursor<'_>) -> Option<bool> {
    let mut certain = operand(cursor)?;
    for _ in 0..MAX_ITEMS {
        let operator = [b'|', b'+', b'/', b'%'].into_iter().any(|sign| cursor.sign(sign));
        if !operator {
            break;
        }
        let _ = cursor.sign(b'|');
        certain |= operand(cursor)?;
    }
    if cursor.eat("as") {
        return cursor.name().then_some(certain);
    }
    let alias = cursor.peek_word().is_some_and(|word| !one_of(word, PROSE) && !one_of(word, CLAUSES));
    cursor.at += usize::from(alias);
    Some(certain)
}

fn operand(cursor: &mut Cursor<'_>) -> Option<bool> {
    if cursor.sign(b'*') {
        return Some(true);
    }
    if cursor.peek().is_some_and(|token| token.sort == Sort::Sign(b'(')) {
        return cursor.parentheses().then_some(false);
    }
    if cursor.constant().is_some() {
        return Some(false);
    }
    let word = cursor.peek_word()?;
    let known = one_of(word, FUNCTIONS) || word.starts_with(b"@@");
    if !cursor.name() {
        return None;
    }
    // `t.*`
    if cursor.sign(b'.') {
        return cursor.sign(b'*').then_some(true);
    }
    let called = cursor.peek().is_some_and(|token| token.sort == Sort::Sign(b'('));
    if called && !cursor.parentheses() {
        return None;
    }
    Some(known && (called || word.starts_with(b"@@")))
}

/// Whether a condition stands here: a comparison, not a word that happens to follow "where".
pub(super) fn condition(cursor: &mut Cursor<'_>) -> bool {
    while cursor.sign(b'(') {}
    let _ = cursor.eat("not");
    if cursor.eat("exists") {
        return cursor.sign(b'(');
    }
    if cursor.constant().is_none() && !cursor.name() {
        return false;
    }
    let _ = cursor.parentheses();
    if [b'=', b'<', b'>', b'!'].into_iter().any(|sign| cursor.sign(sign)) {
        return true;
    }
    if cursor.eat("is") {
        let _ = cursor.eat("not");
        return cursor.eat_any(&["null", "true", "false"]);
    }
    let _ = cursor.eat("not");
    if cursor.eat_any(&["like", "ilike", "rlike", "regexp"]) {
        return cursor.quote();
    }
    cursor.eat("in") && cursor.sign(b'(') || cursor.eat("between") && cursor.constant().is_some()
}

/// Whether a clause stands here that prose does not have.
pub(super) fn clause(cursor: &mut Cursor<'_>) -> bool {
    let mut ahead = *cursor;
    // An alias of the table.
    let alias = ahead.peek_word().is_some_and(|word| !one_of(word, PROSE) && !one_of(word, CLAUSES));
    ahead.at += usize::from(alias);
    let stands = if ahead.eat("where") {
        condition(&mut ahead)
    } else if ahead.eat_any(&["order", "group"]) {
        ahead.eat("by") && (ahead.number() || ahead.name())
    } else if ahead.eat_any(&["limit", "offset"]) {
        ahead.number()
    } else if ahead.eat("union") {
        let _ = ahead.eat("all");
        ahead.eat("select")
    } else {
        let _ = ahead.eat_any(&["inner", "left", "right", "full", "cross", "natural"]) && ahead.eat("outer");
        ahead.eat("join") && ahead.name()
    };
    if stands {
        *cursor = ahead;
    }
    stands
}
