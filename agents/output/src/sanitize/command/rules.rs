//! The rules, each for one place of the text.

use super::super::view::{Span, View, is_blank, is_word};
use super::line::Line;
use super::words::{ABOUT, BARE, CALLS, INTERPRETERS, PROGRAMS, READERS, SECRETS, SHELLS, TARGETS, WORDS};

/// The finding that a rule sees at `at`.
pub(super) fn found(view: &View, at: usize, line: &Line) -> Option<Span> {
    match view.at(at) {
        b'$' => substitution(view, at),
        b'`' => backticks(view, at),
        b'|' => piped(view, at, line).or_else(|| chained(view, at, line)),
        b';' | b'&' => chained(view, at, line),
        b'>' => redirected(view, at, line),
        b':' => bomb(view, at),
        b'/' => view.has(at, "/dev/tcp/").then(|| (at, rest(view, at))),
        byte if byte.is_ascii_alphabetic() && !is_word(view.before(at)) => program(view, at),
        _ => None,
    }
}

/// The word at `at`, with what names of programs hold.
fn word(view: &View, at: usize) -> &[u8] {
    let length =
        view.slice(at, at + 32).iter().take_while(|b| is_word(**b) || matches!(b, b'-' | b'.')).count();
    view.slice(at, at + length)
}

fn is_one(word: &[u8], list: &[&str]) -> bool {
    let word = word.strip_suffix(b".exe").unwrap_or(word);
    list.iter().any(|known| known.as_bytes() == word)
}

fn ends(byte: u8) -> bool {
    matches!(byte, 0 | b'\n' | b'\r')
}

/// The end of the simple command at `at`: what ends it stands free of any word.
fn rest(view: &View, at: usize) -> usize {
    let end = view.run(at, |b| !matches!(b, b'\n' | b'\r' | b';' | b'|' | b'&' | b'`' | b'"' | b'\''));
    back(view, at, end)
}

/// Without the blanks at the end.
fn back(view: &View, at: usize, end: usize) -> usize {
    let blanks = view.slice(at, end).iter().rev().take_while(|b| is_blank(**b)).count();
    end - blanks
}

/// Behind blanks and what shells take for one.
fn gap(view: &View, at: usize) -> usize {
    let mut end = at;
    for _ in 0..4 {
        end = view.run(end, is_blank);
        end += match () {
            () if view.has(end, "${ifs}") => 6,
            () if view.has(end, "$ifs$9") => 6,
            () if view.has(end, "$ifs") => 4,
            () => return end,
        };
    }
    end
}

/// Behind the folders before a program's name.
fn base(view: &View, at: usize) -> usize {
    let end = at
        + view
            .slice(at, at + 64)
            .iter()
            .take_while(|b| is_word(**b) || matches!(b, b'/' | b'.' | b'-'))
            .count();
    let path = view.slice(at, end);
    let folder = path.starts_with(b"/") || path.starts_with(b"./");
    path.iter().rposition(|b| *b == b'/').filter(|_| folder).map_or(at, |slash| at + slash + 1)
}

/// `$(…)`. Languages that are no shell write their calls and variables like that, too.
fn substitution(view: &View, at: usize) -> Option<Span> {
    if view.at(at + 1) != b'(' || view.at(at + 2) == b'(' {
        return None;
    }
    let begin = view.run(at + 2, is_blank);
    let path = base(view, begin);
    let name = word(view, path);
    let behind = path + name.len();
    let lower =
        !name.is_empty() && name.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
    let known = is_one(name, PROGRAMS) || is_one(name, WORDS);
    let shell = match view.at(behind) {
        b')' | b'|' | b';' | b'<' | b'$' => known || path > begin,
        b' ' | b'\t' => known || lower && !is_one(name, CALLS),
        _ => false,
    };
    let file = view.at(begin) == b'<' && view.at(begin + 1) != b'(';
    if !(file || shell && lower) {
        return None;
    }
    Some((at, closed(view, at + 1)))
}

/// Behind the parenthesis that closes the one at `at`, or at the line's end.
fn closed(view: &View, at: usize) -> usize {
    let mut depth = 0_u32;
    let mut end = at;
    loop {
        match view.at(end) {
            b'(' => depth += 1,
            b')' if depth == 1 => return end + 1,
            b')' => depth -= 1,
            byte if ends(byte) => return end,
            _ => {}
        }
        end += 1;
    }
}

/// Backticks are Markdown's, unless what stands before them is a shell's, or there is nothing else.
fn backticks(view: &View, at: usize) -> Option<Span> {
    let name = word(view, base(view, at + 1));
    if !is_one(name, PROGRAMS) && !is_one(name, WORDS) {
        return None;
    }
    let close = view.run(at + 1, |b| b != b'`' && !ends(b));
    if view.at(close) != b'`' {
        return None;
    }
    let before = view.before(at);
    let alone = at == 0 && view.run(close + 1, |b| is_blank(b) || ends(b) && b != 0) >= view.len();
    let attached = matches!(before, b'=' | b'"' | b'\'' | b'|' | b';' | b'&' | b'$') || is_word(before);
    (alone || attached).then_some((at, close + 1))
}

/// A pipe into a shell, from the program that fills it.
fn piped(view: &View, at: usize, line: &Line) -> Option<Span> {
    if view.at(at + 1) == b'|' || view.before(at) == b'|' || !line.words && at > 0 {
        return None;
    }
    let mut begin = view.run(at + 1, |b| is_blank(b) || b == b'&');
    for prefix in ["sudo", "env", "exec", "nohup"] {
        if word(view, begin) == prefix.as_bytes() {
            begin = view.run(begin + prefix.len(), is_blank);
        }
    }
    let path = base(view, begin);
    let name = word(view, path);
    let fits = is_one(name, SHELLS) || line.source.is_some() && interpreter(name);
    // A row of a table has several pipes; a pipeline of several begins with a program.
    if !fits || line.pipes > 1 && line.source.is_none() {
        return None;
    }
    let behind = path + name.len();
    let next = view.at(view.run(behind, is_blank));
    let last =
        matches!(next, 0 | b'\n' | b'\r' | b';' | b'&' | b'-' | b'`' | b'"' | b'\'' | b')' | b'<' | b'>');
    let told = line.source.is_some() && (matches!(view.at(behind), b'.' | b',') || is_blank(view.at(behind)));
    (last || told && next != b'|').then(|| (line.source.unwrap_or(at), rest(view, begin)))
}

fn interpreter(name: &[u8]) -> bool {
    is_one(&name.to_ascii_lowercase(), INTERPRETERS)
}

/// A program behind `;`, `&&`, `||`, `|` or `&`.
fn chained(view: &View, at: usize, line: &Line) -> Option<Span> {
    let byte = view.at(at);
    let double = byte != b';' && view.at(at + 1) == byte;
    let begin = view.run(at + 1 + usize::from(double), is_blank);
    let path = base(view, begin);
    let name = word(view, path);
    let own = path > begin && view.at(begin) == b'.' || says(view, path + name.len(), name);
    if name.is_empty() || !own && !starts(view, path + name.len(), name, path > begin) {
        return None;
    }
    // Pipes make tables and filters of a pipeline; a single ampersand is a word of prose.
    let alone = !double && byte != b';';
    if alone && !(is_one(name, PROGRAMS) || is_one(name, BARE) || secret(view, path + name.len())) {
        return None;
    }
    if byte == b'|' && !double && (line.pipes > 1 || line.begin == at || line.source.is_some()) {
        return None;
    }
    Some((at, rest(view, begin)))
}

/// Whether a shell would start the program `name` with what stands at `behind`.
fn starts(view: &View, behind: usize, name: &[u8], path: bool) -> bool {
    let sure = is_one(name, PROGRAMS);
    if !sure && !is_one(name, WORDS) {
        return path && argument(view, gap(view, behind));
    }
    let next = view.at(behind);
    if matches!(next, b'(' | b'.' | b':' | b',' | b'=' | b'/' | b'[') || is_word(next) {
        return false;
    }
    let begin = gap(view, behind);
    let close = matches!(view.at(begin), 0 | b'\n' | b'\r' | b'#' | b'"' | b'\'' | b';' | b'`' | b'&');
    if close && begin > behind || ends(next) || matches!(next, b'"' | b'\'' | b';' | b'`' | b'&') {
        return is_one(name, BARE) || sure && !ends(next) && begin > behind;
    }
    argument(view, begin) || sure && begin > behind && plain(view, begin)
}

/// Whether the command's one argument stands here, a word that is no sentence's next one.
fn plain(view: &View, at: usize) -> bool {
    let text = word(view, at);
    let next = view.at(view.run(at + text.len(), is_blank));
    let last = ends(next) || matches!(next, b';' | b'|' | b'&' | b'"' | b'\'' | b'`' | b')');
    last && text.first().is_some_and(u8::is_ascii_alphanumeric) && !is_one(text, ABOUT)
}

/// `&& echo done`, `; echo done`.
fn says(view: &View, behind: usize, name: &[u8]) -> bool {
    let begin = view.run(behind, is_blank);
    name == b"echo" && begin > behind && plain(view, begin)
}

/// Whether what stands here looks like a program's argument and not like a sentence's next word.
fn argument(view: &View, at: usize) -> bool {
    let text = view.slice(at, at + 128);
    let end = text.iter().position(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).unwrap_or(text.len());
    let text = text.get(..end).unwrap_or_default();
    match text.first() {
        Some(b'-') => text.get(1).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'-'),
        Some(b'/' | b'~' | b'$' | b'<' | b'>' | b'*' | b'"' | b'\'') => true,
        Some(b'.') => matches!(text.get(1), None | Some(b'/' | b'.')),
        Some(byte) if byte.is_ascii_digit() => true,
        Some(byte) if is_word(*byte) => text.windows(2).any(|pair| {
            matches!(pair, [b'.' | b'/' | b':' | b'@' | b'=' | b'+', next] if is_word(*next) || *next == b'/')
        }),
        _ => false,
    }
}

/// Whether a file that nobody shows is the next argument.
fn secret(view: &View, behind: usize) -> bool {
    let mut begin = gap(view, behind);
    begin += usize::from(view.at(begin) == b'<');
    if view.at(begin) == b'-' {
        begin = gap(view, view.run(begin, |b| !is_blank(b) && !ends(b)));
    }
    begin > behind && SECRETS.iter().any(|file| view.has(begin, file))
}

/// `> /etc/…`, `>> ~/.ssh/…`; not the end of a tag, an arrow or a quotation of a mail.
fn redirected(view: &View, at: usize, line: &Line) -> Option<Span> {
    let before = view.before(at);
    if view.at(at + 1) == b'>' || matches!(before, b'-' | b'=') || !line.content || tag(view, at) {
        return None;
    }
    let begin = if before == b'>' { at - 1 } else { at };
    let target = view.run(view.run(at + 1, |b| matches!(b, b'|' | b'&')), is_blank);
    let quote = usize::from(matches!(view.at(target), b'"' | b'\''));
    let hits = TARGETS.iter().any(|path| view.has(target + quote, path));
    hits.then(|| (begin, rest(view, target + quote)))
}

/// Whether the bracket closes a tag such as `<code>`.
fn tag(view: &View, at: usize) -> bool {
    let near = at.saturating_sub(64);
    let text = view.slice(near, at);
    let Some(open) = text.iter().rposition(|b| *b == b'<') else { return false };
    let inner = text.get(open + 1..).unwrap_or_default();
    inner.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'/') && !inner.contains(&b'>')
}

/// `:(){ :|:& };:`
fn bomb(view: &View, at: usize) -> Option<Span> {
    if view.at(at + 1) != b'(' {
        return None;
    }
    let text: Vec<u8> = view.slice(at, at + 32).iter().copied().filter(|b| !is_blank(*b)).collect();
    text.starts_with(b":(){:|:&};:").then(|| (at, back(view, at, view.run(at, |b| !ends(b)))))
}

/// Programs that harm by themselves, wherever they are named with those arguments.
fn program(view: &View, at: usize) -> Option<Span> {
    let name = word(view, at);
    let behind = at + name.len();
    if matches!(view.before(at), b'-' | b'.') {
        return None;
    }
    let begin = gap(view, behind);
    if begin == behind && !matches!(view.at(begin), b'<') {
        return None;
    }
    let harms = match name.to_ascii_lowercase().as_slice() {
        b"rm" => flag(view, begin, b"rR", "--recursive"),
        b"chmod" => flag(view, begin, b"R", "--recursive") || view.has(begin, "777") || view.has(begin, "+s"),
        b"chown" => flag(view, begin, b"R", "--recursive"),
        b"dd" => view.has(begin, "if=") || view.has(begin, "of=/dev/"),
        b"nc" | b"ncat" | b"netcat" => flag(view, begin, b"e", "--exec"),
        b"bash" | b"sh" | b"zsh" => {
            view.has(begin, "-i ")
                || view.has(begin, "-c \"")
                || view.has(begin, "-c '")
                || view.has(begin, "-c $")
        }
        b"python" | b"python2" | b"python3" | b"perl" | b"ruby" => {
            ["-c '", "-c \"", "-e '", "-e \""].iter().any(|option| view.has(begin, option))
        }
        b"powershell" | b"powershell.exe" | b"pwsh" => {
            ["-e", "-nop", "-c", "-w", "iex"].iter().any(|option| view.has(begin, option))
        }
        b"cmd" | b"cmd.exe" => view.has(begin, "/c") || view.has(begin, "/k"),
        b"del" | b"rd" | b"rmdir" => view.has(begin, "/s") || view.has(begin, "/f") || view.has(begin, "/q"),
        b"format" => view.has(begin, "c:"),
        b"remove-item" => {
            view.slice(begin, begin + 128).windows(8).any(|w| w.eq_ignore_ascii_case(b"-recurse"))
        }
        b"iex" | b"invoke-expression" => matches!(view.at(begin), b'(' | b'$'),
        b"tee" => tee(view, begin),
        b"eval" => matches!(view.at(begin), b'"' | b'$' | b'`') && view.at(begin + 1) != b'{',
        lower => return (is_one(lower, READERS) && secret(view, behind)).then(|| (at, rest(view, at))),
    };
    let reads = || is_one(name, READERS) && secret(view, behind);
    (harms || reads()).then(|| (at, rest(view, at)))
}

fn tee(view: &View, begin: usize) -> bool {
    let path = if view.has(begin, "-a") { view.run(begin + 2, is_blank) } else { begin };
    TARGETS.iter().any(|target| view.has(path, target))
}

/// Whether one of the options at `begin` has one of `letters`, or is `long`. A few options are looked at.
fn flag(view: &View, begin: usize, letters: &[u8], long: &str) -> bool {
    let mut at = begin;
    for _ in 0..4 {
        if view.at(at) != b'-' {
            return false;
        }
        if view.has(at, long) {
            return true;
        }
        let end = at
            + view
                .slice(at, at + 32)
                .iter()
                .take_while(|b| !is_blank(**b) && !ends(**b) && **b != b'$')
                .count();
        let option = view.slice(at + 1, end);
        let short = !option.starts_with(b"-") && option.len() <= 6;
        if short && option.iter().all(u8::is_ascii_alphabetic) && option.iter().any(|b| letters.contains(b)) {
            return true;
        }
        at = gap(view, end);
    }
    false
}
