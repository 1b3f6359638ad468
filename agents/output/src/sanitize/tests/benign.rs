//! What must not be found: prose and code reviews.

use crate::sanitize::sanitize;

const TEXTS: &[&str] = &[
    "select the best option from the list",
    "update the README; then delete the branch",
    "Select items from the menu, or drop the table reservation.",
    "Please insert a comment into the configuration file.",
    "Delete from the list whatever is out of date.",
    "We should create a table of contents and alter the introduction.",
    "Drop table reservations when the guest cancels.",
    "The DROP TABLE statement needs an exclusive lock.",
    "A SELECT ... FOR UPDATE would hold the row until the end.",
    "The union select committee meets on Tuesday.",
    "Grant access to the repository, then revoke it when they leave.",
    "Truncate output at 64 KiB; say so in the message.",
    "He's sure it's the user's choice -- and it isn't ours.",
    "If a == 'x' or b == 'y', return early.",
    "if name in ('a', 'b') and x == 1: pass",
    "`let total = a + b;` is fine; `return total;` follows.",
    "Use `cargo test` before you push; `cargo clippy` comes after.",
    "`id` is the primary key, `cat` the category.",
    "JavaScript: The Good Parts is a book.",
    "The script tag is loaded once, and on load it starts.",
    "Vec<String> and HashMap<K, V> are types; Option<Script> is one, too.",
    "The function is called once = good, twice = bad.",
    "button.onclick = handler is assigned in setup()",
    "a < b && c > d || e",
    "Call $(document).ready(function() {}) and $('#id').hide().",
    "CC = $(CROSS)gcc and $(wildcard src/*.c)",
    "Costs are $5 (five) and $10; more & more.",
    "| name | type | default |\n|---|---|---|\n| shell | sh | bash |",
    "the page; find the cause; make sure; cat is an animal; which one",
    "Pipes (|) are filtered: ps aux | grep golden | sort",
    "> /etc/hosts was quoted from the mail",
    "Settings -> /etc/golden/config.yaml holds them",
    "<code>/etc/hosts</code> is read only",
    "R&D && Q&A are abbreviations; time flies; test it",
    "The closure |a, b| a + b; |sh| sh.run() too",
    "if (user && id) { return user.id || host; }",
    "rm is not used here; removal is done by the store.",
    "Line 12: `if err != nil { return err }`; line 14 drops the error.",
    "Approve: the change is small; tests cover it; no open questions.",
    "# Heading\n\n- first; second\n- third -- with a dash\n\n1. or 2 are fine",
    "for (let i = 0; i < n; i++) { sum += i; }",
    "match x { Some(y) => y, None => 0 }; let z = |x| x | 1;",
    "fn main() { println!(\"{}\", 1 << 3); }",
    "Set the timeout to 30 s and the limit to 5; restart; watch the logs.",
    "See https://example.org/a?b=c&d=e#f; it explains why.",
    "2 and 2 are 4, or so they say; 1 or 2 of them fail",
    "The value ranges from 1 to 5; values above are dropped.",
    "Ünïcode: naïve café, 日本語のテキスト; emoji 🎉 too.",
    "{\"verdict\": \"Approve\", \"severity\": \"Info\", \"confidence\": 80, \"rationale\": \"fine\"}",
    "--verbose and '--quiet' exclude each other; -- ends options",
    "const re = /^[a-z]+$/; // `$` ends it",
    "As we replace into smaller files, merge into main.",
    "execute the plan; copy the file to the folder; load data lazily",
    "SELECT 'held/' || substr(fact_key, 6)",
    "we ship no shell; bash is not in the image; sudo would not help; curl and wget neither",
    "git add . && git commit -m 'x'; then cargo build && cargo test",
    "Create user accounts; then log in. Create index pages; create database backups; rotate them.",
    "- drop type annotations\n- drop function arguments\n- alter type signatures to match",
    "copy data from stdin; copy files to stdout; merge into main using squash",
    "insert into list (sorted)",
    "it is a tool; ls lists files; bash handles it; python runs it; curl fetches the page; rm needs care",
    "Update users set to inactive; delete from here to the end",
    "The union selects rows; select any of them.",
    "for (const x of xs) { if (x && y) { z ||= x; } }; return x ?? y;",
    "let s = format!(\"{a} | {b}\"); let c = |sh| sh; a |= b;",
    "Use `<T: Into<String>>`; see `impl<'a> From<&'a str> for Name`.",
    "x -> y; x => y; x >= y; x >> 2; so be it",
    "The header `Content-Type: text/html; charset=utf-8` is set once; `Accept: */*`.",
    "\"status\": \"ok\"; \"count\": 1; 'a' and 'b' or 'c'",
    "Line 7: `data.on('error', cb)`; line 8: `el.onload = cb`",
    "Where is it? It is where it was: in the same place.",
];

#[test]
fn prose_and_reviews_have_no_findings() {
    assert!(TEXTS.len() >= 30);
    let found: Vec<_> = TEXTS
        .iter()
        .map(|text| (text, sanitize(text.as_bytes()).unwrap()))
        .filter(|(text, done)| !done.findings.is_empty() || done.neutralised != **text)
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}
