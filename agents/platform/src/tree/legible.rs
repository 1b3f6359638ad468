//! What of a file can be shown to whoever judges it.
//!
//! What nobody saw nobody may approve, so a file is hidden as binary only where its name and its first bytes both say that
//! it is of a format that no text can show. One stray byte in a script, or a script under a picture's name, hides nothing.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Formats without text: endings of names, and what such a file has at an offset.
#[rustfmt::skip]
const FORMATS: [(&[&str], usize, &[u8]); 31] = [
    (&["png"], 0, b"\x89PNG\r\n\x1a\n"),
    (&["jpg", "jpeg"], 0, b"\xff\xd8\xff"),
    (&["gif"], 0, b"GIF8"),
    (&["webp"], 8, b"WEBP"),
    (&["avif", "heic", "mp4", "m4a", "mov"], 4, b"ftyp"),
    (&["bmp"], 0, b"BM"),
    (&["ico"], 0, b"\0\0\x01\0"),
    (&["tif", "tiff"], 0, b"II*\0"),
    (&["tif", "tiff"], 0, b"MM\0*"),
    (&["pdf"], 0, b"%PDF-"),
    (&["zip", "jar", "whl", "docx", "xlsx", "pptx", "odt", "ods", "npz", "keras"], 0, b"PK\x03\x04"),
    (&["gz", "tgz"], 0, b"\x1f\x8b"),
    (&["bz2"], 0, b"BZh"),
    (&["xz"], 0, b"\xfd7zXZ\0"),
    (&["zst"], 0, b"\x28\xb5\x2f\xfd"),
    (&["7z"], 0, b"7z\xbc\xaf\x27\x1c"),
    (&["tar"], 257, b"ustar"),
    (&["woff"], 0, b"wOFF"),
    (&["woff2"], 0, b"wOF2"),
    (&["ttf"], 0, b"\0\x01\0\0"),
    (&["otf"], 0, b"OTTO"),
    (&["mp3"], 0, b"ID3"),
    (&["ogg"], 0, b"OggS"),
    (&["wav"], 8, b"WAVE"),
    (&["wasm"], 0, b"\0asm"),
    (&["class"], 0, b"\xca\xfe\xba\xbe"),
    (&["pyc"], 2, b"\r\n"),
    (&["db", "sqlite", "sqlite3", "coverage"], 0, b"SQLite format 3\0"),
    (&["parquet"], 0, b"PAR1"),
    (&["npy"], 0, b"\x93NUMPY"),
    (&["o", "so", "a"], 0, b"\x7fELF"),
];

/// A file's content as lines can show it: text as it is, and of other files the bytes that are no text as `⟨e9 00⟩`. None
/// of a format that has no text.
pub fn legible<'a>(path: &str, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Some(Cow::Borrowed(text)),
        _ if has_no_text(path, bytes) => None,
        _ => Some(Cow::Owned(escaped(bytes))),
    }
}

fn has_no_text(path: &str, bytes: &[u8]) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some((_, ending)) = name.rsplit_once('.') else { return false };
    FORMATS.iter().any(|(endings, offset, magic)| {
        endings.iter().any(|e| ending.eq_ignore_ascii_case(e))
            && bytes.get(*offset..).is_some_and(|from| from.starts_with(magic))
    })
}

fn escaped(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    let mut run: Vec<u8> = vec![];
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '\0' {
                run.push(0);
                continue;
            }
            close(&mut out, &mut run);
            out.push(c);
        }
        run.extend(chunk.invalid());
    }
    close(&mut out, &mut run);
    out
}

/// Writes the bytes that wait, between brackets.
fn close(out: &mut String, run: &mut Vec<u8>) {
    for (n, byte) in run.iter().enumerate() {
        let _ = write!(out, "{}{byte:02x}", if n == 0 { '⟨' } else { ' ' });
    }
    if !run.is_empty() {
        out.push('⟩');
        run.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shown_as_it_is_and_other_bytes_between_brackets() {
        assert_eq!(legible("a", "ä\n".as_bytes()).unwrap(), "ä\n");
        assert_eq!(legible("a.py", b"# \xe9t\xe9\nrun()\0\0\n").unwrap(), "# ⟨e9⟩t⟨e9⟩\nrun()⟨00 00⟩\n");
        assert_eq!(legible("a", b"\0\xff\xfe").unwrap(), "⟨00 ff fe⟩");
    }

    #[test]
    fn only_what_name_and_beginning_both_say_has_no_text() {
        let png = b"\x89PNG\r\n\x1a\n\0\0";
        assert!(legible("docs/logo.PNG", png).is_none());
        assert!(legible("run.sh", png).is_some(), "a picture's beginning before a script");
        assert!(legible("logo.png", b"#!/bin/sh\nevil\0").is_some(), "a script under a picture's name");
        assert!(legible("program", b"\x7fELF\0").is_some(), "a program is not hidden");
        assert!(legible("png", png).is_some(), "a name without an ending");
    }
}
