//! What a browser would run: script and frame tags, event handler attributes, script URLs.
//!
//! Works on the view for markup, where entities are decoded. A tag is not read as strictly as a browser does: it may be
//! unclosed or broken off by a quote, as it is where a text is put into a page.

use super::view::{Span, View, is_blank, is_word};

/// All findings, in order.
pub(super) fn find(view: &View) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut closes = Closes::default();
    // Where the tag begins that is open at this place.
    let mut tag = None;
    let (mut at, mut free) = (0, 0);
    while at < view.len() {
        let found = match view.at(at) {
            b'<' => {
                tag = name_begins(view, at + 1).then_some(at).or(tag);
                script(view, at, &mut closes).or_else(|| frame(view, at))
            }
            b'>' => {
                tag = None;
                None
            }
            b'o' | b'O' => handler(view, at, tag),
            b'j' | b'J' | b'v' | b'V' | b'd' | b'D' => url(view, at),
            _ => None,
        };
        match found {
            Some((from, to)) if to > at => {
                spans.push((from.max(free), to));
                tag = tag.filter(|_| view.before(to) != b'>');
                (at, free) = (to, to);
            }
            _ => at += 1,
        }
    }
    spans
}

/// The ends of script elements, each looked for once.
#[derive(Clone, Copy, Default)]
enum Closes {
    #[default]
    Unknown,
    /// The next one at or after the place last asked for.
    At(Span),
    /// There is none any more.
    None,
}

impl Closes {
    fn after(&mut self, view: &View, at: usize) -> Option<Span> {
        let known = match self {
            Self::None => true,
            Self::At((from, _)) => *from >= at,
            Self::Unknown => false,
        };
        if !known {
            let found = (at..view.len()).find(|at| view.at(*at) == b'<' && closing(view, *at));
            *self = found.map_or(Self::None, |from| Self::At((from, tag_end(view, from))));
        }
        match self {
            Self::At(span) => Some(*span),
            _ => None,
        }
    }
}

/// Between a bracket and a tag's name a browser skips nothing, but filters do.
fn gap(byte: u8) -> bool {
    is_blank(byte) || matches!(byte, b'\n' | b'\r')
}

fn name_begins(view: &View, at: usize) -> bool {
    view.at(view.run(at, |b| b == b'/')).is_ascii_alphabetic()
}

fn closing(view: &View, at: usize) -> bool {
    let slash = view.run(at + 1, gap);
    view.at(slash) == b'/' && named(view, slash + 1, "script")
}

/// Whether a tag's name stands behind a gap.
fn named(view: &View, at: usize, name: &str) -> bool {
    let begin = view.run(at, gap);
    let behind = view.at(begin + name.len());
    view.has(begin, name) && !is_word(behind) && !matches!(behind, b'-' | b'.')
}

/// Behind the bracket that closes the tag, or before what cannot be in one.
fn tag_end(view: &View, at: usize) -> usize {
    let end = view.run(at + 1, |b| !matches!(b, b'<' | b'>'));
    if view.at(end) == b'>' { end + 1 } else { end }
}

/// `<script …>` with all that it holds, or a lone `</script>`.
fn script(view: &View, at: usize, closes: &mut Closes) -> Option<Span> {
    if closing(view, at) {
        return Some((at, tag_end(view, at)));
    }
    if !named(view, at + 1, "script") {
        return None;
    }
    let open = tag_end(view, at);
    let close = closes.after(view, open).map(|(_, end)| end);
    // `Option<Script>` names a type.
    let generic = is_word(view.before(at)) && view.slice(at, open) == b"<Script>";
    if generic && close.is_none() { None } else { Some((at, close.unwrap_or(open))) }
}

/// Tags that load what runs. `<Object>` and `<Embed>` without attributes are types of programs.
fn frame(view: &View, at: usize) -> Option<Span> {
    let frame = ["iframe", "embed", "object", "applet"].into_iter().find(|name| named(view, at + 1, name))?;
    let behind = view.run(at + 1, gap) + frame.len();
    let attribute = matches!(view.at(behind), b'/' | b' ' | b'\t' | b'\n' | b'\r');
    let end = tag_end(view, at);
    let assigned = view.slice(behind, end).contains(&b'=');
    (attribute && assigned).then_some((at, end))
}

/// Beginnings of events' names behind "on": "once" and "online" are words.
const EVENTS: [&str; 62] = [
    "abort",
    "activate",
    "after",
    "animation",
    "auxclick",
    "before",
    "begin",
    "blur",
    "bounce",
    "cancel",
    "canplay",
    "change",
    "click",
    "close",
    "contextmenu",
    "copy",
    "cuechange",
    "cut",
    "dblclick",
    "drag",
    "drop",
    "duration",
    "emptied",
    "end",
    "error",
    "finish",
    "focus",
    "formdata",
    "fullscreen",
    "gotpointer",
    "hashchange",
    "input",
    "invalid",
    "key",
    "load",
    "lostpointer",
    "message",
    "mouse",
    "page",
    "paste",
    "pause",
    "play",
    "pointer",
    "pop",
    "progress",
    "ratechange",
    "readystate",
    "repeat",
    "reset",
    "resize",
    "scroll",
    "search",
    "seek",
    "select",
    "show",
    "start",
    "submit",
    "toggle",
    "touch",
    "transition",
    "unload",
    "wheel",
];

/// An event handler attribute: anywhere in a tag, or behind a quote or word that it breaks out of.
fn handler(view: &View, at: usize, tag: Option<usize>) -> Option<Span> {
    let before = view.before(at);
    let apart = gap(before) || matches!(before, b'/' | b'"' | b'\'' | b'`');
    if !apart || !view.has(at, "on") || !EVENTS.iter().any(|event| view.has(at + 2, event)) {
        return None;
    }
    let name = view.run(at, |b| b.is_ascii_alphanumeric());
    let equals = view.run(name, gap);
    if view.at(equals) != b'=' || view.at(equals + 1) == b'=' {
        return None;
    }
    if let Some(begin) = tag {
        return Some((begin, tag_end(view, equals)));
    }
    let value = view.run(equals + 1, gap);
    let quoted = matches!(view.at(value), b'"' | b'\'' | b'`');
    let end = if quoted {
        let quote = view.at(value);
        let close = view.run(value + 1, |b| b != quote && b != b'\n');
        close + usize::from(view.at(close) == quote)
    } else {
        view.run(value, |b| !gap(b) && !matches!(b, b'"' | b'\'' | b'<' | b'>'))
    };
    let called = view.slice(value, end).contains(&b'(');
    // Where the attribute breaks out of a quote, that quote belongs to it.
    let broken = at.checked_sub(1).map(|last| trimmed(view, last)).filter(|at| is_quote(view.at(*at)));
    let touches = equals == name && value == equals + 1;
    match broken {
        Some(quote) if quoted || called => Some((quote, end)),
        _ if touches && called => Some((at, end)),
        _ => None,
    }
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

/// The last character at or before `at` that is no space; few are skipped.
fn trimmed(view: &View, at: usize) -> usize {
    (at.saturating_sub(8)..=at).rev().find(|at| !gap(view.at(*at)) && view.at(*at) != b'/').unwrap_or(at)
}

/// `javascript:`, `vbscript:` and `data:text/html`, which browsers also take with tabs and line ends between letters.
fn url(view: &View, at: usize) -> Option<Span> {
    let before = view.before(at);
    if is_word(before) || matches!(before, b'.' | b'-') {
        return None;
    }
    let scheme = ["javascript:", "vbscript:"].into_iter().find_map(|scheme| spelled(view, at, scheme));
    let page = || {
        let end =
            ["data:text/html", "data:image/svg+xml"].into_iter().find_map(|data| spelled(view, at, data))?;
        matches!(view.at(end), b',' | b';').then_some(end)
    };
    let value = scheme.or_else(page)?;
    // "JavaScript: The Good Parts" is a book; in an attribute or a link a space may follow.
    let opener = at.checked_sub(1).map_or(0, |last| view.at(trimmed(view, last)));
    let attribute = matches!(opener, b'=' | b'"' | b'\'' | b'(' | b'`');
    let code = view.run(value, is_blank);
    let ends = matches!(view.at(code), 0 | b'\n' | b'\r' | b'"' | b'\'' | b'`' | b')');
    if ends || code > value && !attribute {
        return None;
    }
    Some((at, view.run(code, |b| !gap(b) && !matches!(b, b'"' | b'\'' | b'<' | b'>' | b'`'))))
}

/// The place behind `word`, where tabs and line ends between letters are skipped.
fn spelled(view: &View, at: usize, word: &str) -> Option<usize> {
    let mut place = at;
    for (index, letter) in word.bytes().enumerate() {
        if index > 0 {
            // A few: a longer run is no trick that works unseen, and each place must cost little.
            let run = view
                .slice(place, place + 8)
                .iter()
                .take_while(|b| matches!(b, b'\t' | b'\n' | b'\r'))
                .count();
            place += run;
        }
        if !view.at(place).eq_ignore_ascii_case(&letter) {
            return None;
        }
        place += 1;
    }
    Some(place)
}
