//! The files that a patch touches, as they are after it, with line numbers to quote by.

use super::{shown, tokens, wrapped};
use crate::evidence::Files;
use crate::parts::Place;
use std::fmt::Write as _;

/// Lines shown before and behind a change of a file that is not shown whole.
const AROUND: u32 = 40;

/// The files of these places, each whole if it fits, else around what was changed, else left out with a word: what is
/// shown here helps to understand a patch, which itself is never cut. At most `room` tokens.
pub(crate) fn excerpts(files: &Files, places: &[Place], mut room: usize) -> String {
    let mut out = String::new();
    for place in places {
        let Some(text) = files.get(&place.path) else { continue };
        let lines: Vec<&str> = text.lines().collect();
        let last = u32::try_from(lines.len()).unwrap_or(u32::MAX);
        let whole = [(1, last)];
        let around: Vec<(u32, u32)> = place
            .lines
            .iter()
            .map(|(from, to)| (from.saturating_sub(AROUND).max(1), to.saturating_add(AROUND).min(last)))
            .collect();
        let fits = |ranges: &[(u32, u32)]| {
            let text = numbered(&place.path, &lines, ranges, room)?;
            (tokens(&text) <= room).then_some(text)
        };
        if let Some(text) = fits(&whole).or_else(|| fits(&joined(around))) {
            room -= tokens(&text);
            out.push_str(&text);
        }
    }
    out
}

/// Ranges in order that touch or overlap, as one.
fn joined(ranges: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    let mut joined: Vec<(u32, u32)> = vec![];
    for (from, to) in ranges {
        match joined.last_mut().filter(|last| from <= last.1.saturating_add(1)) {
            Some(last) => last.1 = last.1.max(to),
            None => joined.push((from, to)),
        }
    }
    joined
}

/// The lines with their numbers; none if they are certainly more than `room` tokens.
fn numbered(path: &str, lines: &[&str], ranges: &[(u32, u32)], room: usize) -> Option<String> {
    let mut out = format!("file {}\n", shown(path));
    for (from, to) in ranges {
        for number in *from..=*to {
            let line = lines.get(usize::try_from(number).ok()?.checked_sub(1)?)?;
            // Before it is made longer: a line may be as long as its file.
            if line.len() / 2 > room {
                return None;
            }
            for (index, piece) in wrapped(&shown(line), "").into_iter().enumerate() {
                let _ = if index == 0 { write!(out, "{number:>6}| ") } else { write!(out, "      | ") };
                let _ = writeln!(out, "{piece}");
            }
            if out.len() / 2 > room {
                return None;
            }
        }
        if *to < u32::try_from(lines.len()).unwrap_or(u32::MAX) {
            out.push_str("      …\n");
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(lines: u32) -> Files {
        let text: String = (1..=lines).fold(String::new(), |all, n| all + &format!("line {n}\n"));
        [("a.py".to_owned(), text)].into()
    }

    fn place(lines: &[(u32, u32)]) -> Vec<Place> {
        vec![Place { path: "a.py".into(), lines: lines.to_vec() }]
    }

    #[test]
    fn a_small_file_is_shown_whole_with_numbers() {
        let text = excerpts(&files(3), &place(&[(2, 2)]), 1000);
        assert_eq!(text, "file a.py\n     1| line 1\n     2| line 2\n     3| line 3\n");
    }

    #[test]
    fn a_large_file_is_shown_around_its_changes() {
        let text = excerpts(&files(5000), &place(&[(100, 101), (150, 150), (4000, 4000)]), 3000);
        assert!(text.contains("    60| line 60\n") && text.contains("   190| line 190\n      …\n"));
        assert!(!text.contains("line 59\n") && !text.contains("line 191\n") && text.contains("line 4040\n"));
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        assert_eq!(excerpts(&files(5000), &place(&[(1, 5000)]), 3000), "");
        assert_eq!(excerpts(&files(5), &place(&[(1, 1)]), 3), "");
        let huge: Files = [("a.py".to_owned(), "x".repeat(1 << 20))].into();
        assert_eq!(excerpts(&huge, &place(&[(1, 1)]), 3000), "");
    }

    #[test]
    fn a_removed_file_has_no_excerpt() {
        let gone = vec![Place { path: "gone".into(), lines: vec![(1, 0)] }];
        assert_eq!(excerpts(&files(3), &gone, 1000), "");
    }
}
