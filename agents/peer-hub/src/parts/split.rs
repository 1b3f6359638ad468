//! A patch in parts that each fit a question.
//!
//! Files stay whole where they fit, in the patch's order; of a larger one the hunks are taken apart, of a larger hunk
//! the lines. Every line of the patch is in exactly one part: nothing is left out for length. A patch of more than
//! [`MAX_PARTS`] parts is not shown at all, since what nobody saw nobody may approve.

use crate::material::{Change, Hunk, clipped, shown, tokens, wrapped};

/// Most parts of a patch for one voter: each is a paid call.
pub(crate) const MAX_PARTS: usize = golden_platform::wire::VOTER_PARTS as usize;

/// The least room for a part, in tokens: a file's header, a hunk's and one piece of a line fit in any case.
pub(crate) const MIN_ROOM: usize = 2048;

/// Longest header shown, in bytes: a path, which has at most 1024, is whole in it.
const MAX_HEADER: usize = 1200;
/// Longest first line of a hunk, in bytes.
const MAX_RANGE: usize = 80;

/// One part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its stretch of the patch, as it is shown.
    pub(crate) patch: String,
    pub(crate) places: Vec<Place>,
}

/// The changed lines of a file that a part holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) path: String,
    /// First and last line of each hunk, as they are after the change.
    pub(crate) lines: Vec<(u32, u32)>,
}

/// A patch that would take more than [`MAX_PARTS`] parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// The parts of a patch, each of at most `room` tokens; one empty part if nothing changed. Below [`MIN_ROOM`] tokens it
/// is as if there were so many.
pub(crate) fn split(changes: &[Change<'_>], room: usize) -> Result<Vec<Part>, TooLarge> {
    let mut parts = Parts { room: room.max(MIN_ROOM), done: vec![], open: Part::default(), cost: 0 };
    for change in changes {
        parts.add(change)?;
    }
    parts.close();
    if parts.done.is_empty() {
        parts.done.push(Part::default());
    }
    if parts.done.len() > MAX_PARTS { Err(TooLarge) } else { Ok(parts.done) }
}

struct Parts {
    room: usize,
    done: Vec<Part>,
    open: Part,
    /// Tokens of the open part.
    cost: usize,
}

impl Parts {
    fn add(&mut self, change: &Change<'_>) -> Result<(), TooLarge> {
        let header = clipped(&shown(change.header), MAX_HEADER);
        let hunks: Vec<Vec<String>> = change.hunks.iter().map(lines).collect();
        let whole: String = std::iter::once(&header).chain(hunks.iter().flatten()).map(ended).collect();
        let lines = change.hunks.iter().map(|h| (h.start, h.end)).collect();
        if tokens(&whole) <= self.room {
            return self.put(&change.path, lines, &whole);
        }
        self.close();
        let header = ended(&header);
        for (hunk, lines) in change.hunks.iter().zip(&hunks) {
            self.hunk(&change.path, &header, hunk, lines)?;
        }
        if hunks.is_empty() { self.put(&change.path, vec![], &header) } else { Ok(()) }
    }

    /// A hunk of a file that does not fit whole; each part that holds some of it begins with the file's header.
    fn hunk(&mut self, path: &str, header: &str, hunk: &Hunk<'_>, lines: &[String]) -> Result<(), TooLarge> {
        let range = lines.first().map(ended).unwrap_or_default();
        let begin = |parts: &mut Self| {
            let head = if parts.holds(path) { range.clone() } else { format!("{header}{range}") };
            parts.put(path, vec![(hunk.start, hunk.end)], &head)
        };
        let whole: String = lines.iter().map(ended).collect();
        if self.cost + tokens(header) + tokens(&whole) > self.room {
            self.close();
        }
        begin(self)?;
        for line in lines.iter().skip(1).map(ended) {
            if self.cost + tokens(&line) > self.room {
                self.close();
                begin(self)?;
            }
            self.cost += tokens(&line);
            self.open.patch.push_str(&line);
        }
        Ok(())
    }

    /// Adds a text that fits into a part, to the open one if there is room.
    fn put(&mut self, path: &str, lines: Vec<(u32, u32)>, text: &str) -> Result<(), TooLarge> {
        if self.cost + tokens(text) > self.room {
            self.close();
        }
        if self.done.len() >= MAX_PARTS {
            return Err(TooLarge);
        }
        self.cost += tokens(text);
        self.open.patch.push_str(text);
        match self.open.places.last_mut().filter(|place| place.path == path) {
            Some(place) => place.lines.extend(lines),
            None => self.open.places.push(Place { path: path.to_owned(), lines }),
        }
        Ok(())
    }

    fn holds(&self, path: &str) -> bool {
        self.open.places.last().is_some_and(|place| place.path == path)
    }

    fn close(&mut self) {
        if self.open != Part::default() {
            self.done.push(std::mem::take(&mut self.open));
        }
        self.cost = 0;
    }
}

/// The lines of a hunk as they are shown, the one with its range first.
fn lines(hunk: &Hunk<'_>) -> Vec<String> {
    let text = shown(hunk.text);
    let mut lines = text.lines();
    let range = clipped(lines.next().unwrap_or_default(), MAX_RANGE);
    let body = lines.flat_map(|line| wrapped(line, line.get(..1).unwrap_or_default()));
    std::iter::once(range).chain(body).collect()
}

fn ended(line: &String) -> String {
    if line.is_empty() || line.ends_with('\n') { line.clone() } else { format!("{line}\n") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::material::changes;
    use golden_platform::tree::Tree;
    use proptest::prelude::*;

    fn patch(files: &[(String, String)]) -> String {
        let base = Tree::from_files([("kept", "kept\n")]).unwrap();
        let files = files.iter().cloned().chain([("kept".to_owned(), "kept\n".to_owned())]);
        base.diff(&Tree::from_files(files).unwrap()).unwrap()
    }

    fn text(line: &str, count: usize) -> String {
        (0..count).fold(String::new(), |all, n| all + &format!("{line} {n}\n"))
    }

    fn added(parts: &[Part]) -> Vec<String> {
        let lines = parts.iter().flat_map(|p| p.patch.lines());
        lines.filter(|l| l.starts_with('+') && !l.starts_with("+++")).map(str::to_owned).collect()
    }

    #[test]
    fn what_fits_is_one_part() {
        let patch = patch(&[("a".into(), text("x", 10)), ("b".into(), text("y", 10))]);
        let parts = split(&changes(&patch), MIN_ROOM).unwrap();
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].patch, patch);
        assert_eq!(parts[0].places[1], Place { path: "b".into(), lines: vec![(1, 10)] });
    }

    #[test]
    fn files_stay_whole_where_they_fit() {
        let patch = patch(&[("a".into(), text("x", 500)), ("b".into(), text("y", 500))]);
        let parts = split(&changes(&patch), MIN_ROOM).unwrap();
        let paths: Vec<Vec<&str>> =
            parts.iter().map(|p| p.places.iter().map(|place| place.path.as_str()).collect()).collect();
        assert_eq!(paths, [["a"], ["b"]]);
    }

    #[test]
    fn a_large_file_is_taken_apart_and_every_part_names_it() {
        let content = text("a line of some length", 3000);
        let patch = patch(&[("big".into(), content.clone())]);
        let parts = split(&changes(&patch), MIN_ROOM * 2).unwrap();
        assert!(parts.len() > 3, "{}", parts.len());
        for part in &parts {
            assert!(part.patch.starts_with("diff --git a/big b/big\n") && part.patch.contains("\n@@ "));
            assert!(tokens(&part.patch) <= MIN_ROOM * 2);
        }
        let want: Vec<String> = content.lines().map(|l| format!("+{l}")).collect();
        assert_eq!(added(&parts), want);
    }

    #[test]
    fn a_line_as_long_as_its_file_is_shown_whole_in_pieces() {
        let patch = patch(&[("min.js".into(), "x".repeat(20_000))]);
        let parts = split(&changes(&patch), MIN_ROOM).unwrap();
        assert!(parts.len() > 2);
        let shown: usize = added(&parts).iter().map(|l| l.matches('x').count()).sum();
        assert_eq!(shown, 20_000);
    }

    #[test]
    fn more_parts_than_the_bound_are_refused_and_nothing_is_an_empty_part() {
        let patch = patch(&[("big".into(), text("a line of some length", 60_000))]);
        assert_eq!(split(&changes(&patch), MIN_ROOM), Err(TooLarge));
        assert_eq!(split(&[], MIN_ROOM), Ok(vec![Part::default()]));
    }

    #[test]
    fn a_file_without_hunks_is_shown() {
        let binary = "diff --git a/x b/x\nnew file mode 100644\nBinary files /dev/null and b/x differ\n";
        assert_eq!(split(&changes(binary), MIN_ROOM).unwrap()[0].patch, binary);
    }

    fn file() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            "[a-z \t]{0,80}",
            "\\PC{0,40}",
            Just("diff --git a/x b/x".to_owned()),
            "x{1000,1500}"
        ];
        prop::collection::vec(line, 0..60)
            .prop_map(|lines| lines.iter().fold(String::new(), |all, l| all + &format!("{l}\n")))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        #[test]
        fn every_line_is_in_exactly_one_part_and_each_part_fits(
            files in prop::collection::vec(file(), 1..5), room in MIN_ROOM..20_000,
        ) {
            let named: Vec<(String, String)> =
                files.iter().enumerate().map(|(n, text)| (format!("f{n}"), text.clone())).collect();
            let patch = patch(&named);
            let changes = changes(&patch);
            if let Ok(parts) = split(&changes, room) {
                let large = split(&changes, usize::MAX / 4).unwrap();
                prop_assert_eq!(large.len(), 1);
                prop_assert_eq!(added(&parts), added(&large));
                for part in &parts {
                    prop_assert!(tokens(&part.patch) <= room, "{} > {room}", tokens(&part.patch));
                }
            }
        }
    }
}
