//! The verbs, and what must follow each.

use super::cursor::{Caps, Cursor};
use super::query::{clause, condition, list};
use super::tokens::Sort;
use super::words::{CLAUSES, OBJECTS, RIGHTS, TYPES, one_of};

/// How surely the words are SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strength {
    /// They have a form that prose does not have.
    Certain,
    /// Two keywords and a name: prose has that seldom, and then goes on.
    Likely,
    /// A sentence could be written so.
    Possible,
}

/// Reads a verb and its core.
pub(super) fn verb(cursor: &mut Cursor<'_>) -> Option<Strength> {
    let word = cursor.peek_word()?;
    let read =
        VERBS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes())).map(|(_, read)| read)?;
    read(cursor)
}

type Read = fn(&mut Cursor<'_>) -> Option<Strength>;

const VERBS: [(&str, Read); 20] = [
    ("select", select),
    ("union", union),
    ("insert", insert),
    ("replace", insert),
    ("update", update),
    ("delete", delete),
    ("drop", drop),
    ("create", create),
    ("alter", alter),
    ("truncate", truncate),
    ("grant", grant),
    ("revoke", grant),
    ("merge", merge),
    ("exec", execute),
    ("execute", execute),
    ("shutdown", shutdown),
    ("copy", copy),
    ("waitfor", |c| certain(c.eat("waitfor") && c.eat_any(&["delay", "time"]) && c.quote())),
    ("load", load),
    ("into", |c| certain(c.eat("into") && c.eat_any(&["outfile", "dumpfile"]) && c.quote())),
];

fn certain(stands: bool) -> Option<Strength> {
    stands.then_some(Strength::Certain)
}

fn load(cursor: &mut Cursor<'_>) -> Option<Strength> {
    let data = cursor.eat("load") && cursor.eat("data");
    let _ = cursor.eat("local");
    certain(data && cursor.eat("infile"))
}

fn merge(cursor: &mut Cursor<'_>) -> Option<Strength> {
    if !cursor.eat("merge") || !cursor.eat("into") || !cursor.name() {
        return None;
    }
    alias(cursor);
    if !cursor.eat("using") || !cursor.name() {
        return None;
    }
    alias(cursor);
    certain(cursor.eat("on"))
}

fn select(cursor: &mut Cursor<'_>) -> Option<Strength> {
    let _ = cursor.eat("select");
    let shown = list(cursor)?;
    if !shown.from {
        return shown.certain.then_some(Strength::Possible);
    }
    let certain = shown.certain || cursor.caps == Caps::Upper || clause(cursor);
    Some(if certain { Strength::Certain } else { Strength::Possible })
}

fn union(cursor: &mut Cursor<'_>) -> Option<Strength> {
    let _ = cursor.eat("union");
    let _ = cursor.eat_any(&["all", "distinct"]);
    while cursor.sign(b'(') {}
    if !cursor.eat("select") {
        return None;
    }
    let first = cursor.peek()?;
    let plain = first.sort == Sort::Word && !one_of(cursor.text(first), &["null", "true", "false"]);
    let shown = list(cursor)?;
    if shown.from || shown.certain || shown.items > 1 || !plain {
        return Some(Strength::Certain);
    }
    Some(Strength::Possible)
}

fn insert(cursor: &mut Cursor<'_>) -> Option<Strength> {
    let _ = cursor.eat_any(&["insert", "replace"]);
    let _ = cursor.eat_any(&["ignore", "low_priority"]) || cursor.eat("or") && cursor.eat("replace");
    if !cursor.eat("into") || !cursor.name() {
        return None;
    }
    let columns = cursor.parentheses();
    let values = cursor.eat_any(&["values", "value"]) && cursor.sign(b'(')
        || cursor.eat("default") && cursor.eat("values")
        || cursor.eat("set") && cursor.name() && cursor.sign(b'=')
        || cursor.eat("select") && list(cursor).is_some();
    if values {
        return Some(Strength::Certain);
    }
    (columns && cursor.caps == Caps::Upper).then_some(Strength::Possible)
}

fn update(cursor: &mut Cursor<'_>) -> Option<Strength> {
    let _ = cursor.eat("update");
    let _ = cursor.eat("only");
    if !cursor.name() {
        return None;
    }
    if !cursor.eat("set") {
        alias(cursor);
        if !cursor.eat("set") {
            return None;
        }
    }
    (cursor.name() && cursor.sign(b'=')).then_some(Strength::Certain)
}

fn delete(cursor: &mut Cursor<'_>) -> Option<Strength> {
    let _ = cursor.eat("delete");
    if !cursor.eat("from") || !cursor.name() {
        return None;
    }
    let mut ahead = *cursor;
    if ahead.eat("where") && condition(&mut ahead) {
        *cursor = ahead;
        return Some(Strength::Certain);
    }
    Some(Strength::Likely)
}

fn if_exists(cursor: &mut Cursor<'_>) -> bool {
    let mut ahead = *cursor;
    if !ahead.eat("if") {
        return false;
    }
    let _ = ahead.eat("not");
    let stands = ahead.eat("exists");
    if stands {
        *cursor = ahead;
    }
    stands
}

fn alias(cursor: &mut Cursor<'_>) {
    let _ = cursor.eat("as");
    if cursor.peek_word().is_some_and(|word| !one_of(word, CLAUSES)) {
        let _ = cursor.name();
    }
}

fn drop(cursor: &mut Cursor<'_>) -> Option<Strength> {
    let _ = cursor.eat("drop");
    let _ = cursor.eat_any(&["materialized", "temporary"]);
    let data = cursor.eat_any(&["table", "database", "schema"]);
    if !data && !cursor.eat_any(OBJECTS) {
        return None;
    }
    let certain = if_exists(cursor);
    if !cursor.name() {
        return None;
    }
    // "Drop type annotations" is prose.
    let told = data || certain || cursor.caps == Caps::Upper;
    for _ in 0..16 {
        if !cursor.sign(b',') {
            break;
        }
        if !cursor.name() {
            return None;
        }
    }
    if cursor.eat_any(&["cascade", "restrict"]) || certain {
        return Some(Strength::Certain);
    }
    told.then_some(Strength::Likely)
}

fn create(cursor: &mut Cursor<'_>) -> Option<Strength> {
    let _ = cursor.eat("create");
    let _ = cursor.eat("or") && cursor.eat("replace");
    let _ = cursor.eat_any(&["temporary", "temp", "unlogged", "unique", "materialized", "global"]);
    if !cursor.eat_any(OBJECTS) {
        return None;
    }
    let certain = if_exists(cursor);
    if !cursor.name() {
        return None;
    }
    if certain || columns(*cursor) {
        return Some(Strength::Certain);
    }
    let mut ahead = *cursor;
    let more = ahead.eat("as") && ahead.eat_any(&["select", "with"])
        || ahead.eat("on") && ahead.name() && ahead.sign(b'(')
        || ahead.eat("identified") && ahead.eat("by")
        || ahead.eat("with") && ahead.eat_any(&["password", "login", "superuser"])
        || ahead.eat_any(&["password", "superuser"]);
    // "Create user accounts; …" is prose.
    if more { Some(Strength::Certain) } else { (cursor.caps == Caps::Upper).then_some(Strength::Likely) }
}

/// Whether columns with types follow.
fn columns(mut cursor: Cursor<'_>) -> bool {
    cursor.sign(b'(') && cursor.name() && cursor.eat_any(TYPES)
}

fn alter(cursor: &mut Cursor<'_>) -> Option<Strength> {
    let _ = cursor.eat("alter");
    if !cursor.eat_any(OBJECTS) {
        return None;
    }
    let _ = if_exists(cursor);
    if !cursor.name() {
        return None;
    }
    let changes = ["add", "drop", "rename", "modify", "alter", "change", "set", "owner", "enable", "disable"];
    let rights = ["superuser", "identified", "password", "with", "createdb"];
    if !cursor.eat_any(&changes) && !cursor.eat_any(&rights) {
        return None;
    }
    let column =
        cursor.eat_any(&["column", "constraint", "to", "by", "password", "superuser", "trigger", "row"]);
    if column || cursor.caps == Caps::Upper {
        return Some(Strength::Certain);
    }
    (cursor.name() && cursor.eat_any(TYPES)).then_some(Strength::Certain)
}

fn truncate(cursor: &mut Cursor<'_>) -> Option<Strength> {
    let _ = cursor.eat("truncate");
    let table = cursor.eat("table");
    if !cursor.name() {
        return None;
    }
    let _ = cursor.eat("cascade");
    Some(if table { Strength::Likely } else { Strength::Possible })
        .filter(|_| table || cursor.caps == Caps::Upper)
}

fn grant(cursor: &mut Cursor<'_>) -> Option<Strength> {
    let _ = cursor.eat_any(&["grant", "revoke"]);
    for _ in 0..16 {
        if !cursor.eat_any(RIGHTS) {
            return None;
        }
        if !cursor.sign(b',') {
            break;
        }
    }
    let _ = cursor.eat("privileges");
    if !cursor.eat("on") {
        return None;
    }
    for _ in 0..4 {
        let _ = cursor.eat_any(&["all", "table", "tables", "schema", "database", "in", "function"]);
    }
    let what = cursor.sign(b'*') || cursor.name();
    let _ = cursor.sign(b'.') && cursor.sign(b'*');
    (what && cursor.eat_any(&["to", "from"]) && cursor.name()).then_some(Strength::Certain)
}

fn execute(cursor: &mut Cursor<'_>) -> Option<Strength> {
    let _ = cursor.eat_any(&["exec", "execute"]);
    if cursor.eat("immediate") {
        return cursor.quote().then_some(Strength::Certain);
    }
    // `EXEC master..xp_cmdshell`
    for _ in 0..6 {
        if cursor.sign(b'.') {
            continue;
        }
        let word = cursor.peek_word()?;
        cursor.at += 1;
        if word.get(..3).is_some_and(|prefix| one_of(prefix, &["xp_", "sp_"])) {
            return Some(Strength::Certain);
        }
    }
    None
}

/// A service can be shut down, too: only behind a semicolon it is the server's.
fn shutdown(cursor: &mut Cursor<'_>) -> Option<Strength> {
    let _ = cursor.eat("shutdown");
    if cursor.eat("with") {
        return cursor.eat("nowait").then_some(Strength::Certain);
    }
    (cursor.caps == Caps::Upper).then_some(Strength::Possible)
}

fn copy(cursor: &mut Cursor<'_>) -> Option<Strength> {
    let _ = cursor.eat("copy");
    if !cursor.parentheses() && !cursor.name() {
        return None;
    }
    let _ = cursor.parentheses();
    if !cursor.eat_any(&["to", "from"]) {
        return None;
    }
    let program = cursor.eat("program") && cursor.quote();
    certain(program || cursor.eat_any(&["stdin", "stdout"]) && cursor.caps == Caps::Upper)
}
