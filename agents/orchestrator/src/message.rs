//! The message of a delivered commit.

use crate::machine::{State, Task};
use jiff::Timestamp;

/// Who commits: Golden, not the person who submitted the task, who did not write the change.
pub const AUTHOR: &str = "Golden <golden@goldenarch.dev>";

/// Longest subject, in characters, as git's own tools show it.
const MAX_SUBJECT: usize = 72;

/// The whole message with its trailers. A function of what was approved, so that a repeated delivery makes the
/// same commit. Empty until something was.
pub fn commit_message(task: &Task, state: &State) -> String {
    let Some(delivery) = &state.delivery else { return String::new() };
    format!(
        "{}\n\nTask {}/{}, attempt {}.\n\nGolden-Task: {}\nGolden-Record: {}\n",
        subject(&task.spec.goal, &task.name),
        task.namespace,
        task.name,
        state.attempt,
        task.uid,
        delivery.record
    )
}

/// The commit's date: when it was approved, in whole seconds, which is all git keeps.
pub fn commit_date(approved_at: Timestamp) -> String {
    Timestamp::from_second(approved_at.as_second()).unwrap_or(approved_at).to_string()
}

/// The goal's first line with words, cut at a word. Control characters have no place in a commit.
fn subject(goal: &str, name: &str) -> String {
    let line = goal.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or(name);
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    if line.chars().count() <= MAX_SUBJECT {
        return line;
    }
    let cut: String = line.chars().take(MAX_SUBJECT - 1).collect();
    let words = cut.rsplit_once(' ').map_or(cut.as_str(), |(words, _)| words);
    format!("{}…", words.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subject_is_the_goals_first_line() {
        assert_eq!(subject("\n  Transliterate them.\nKeep the signature.", "x"), "Transliterate them.");
        assert_eq!(subject(" \n", "fix-slugify"), "fix-slugify");
    }

    #[test]
    fn a_long_subject_is_cut_at_a_word() {
        let cut = subject(&"word ".repeat(40), "x");
        assert!(cut.chars().count() <= MAX_SUBJECT && cut.ends_with("word…"), "{cut}");
    }

    #[test]
    fn control_characters_do_not_reach_git() {
        assert_eq!(subject("a\u{1b}[31mb", "x"), "a[31mb");
    }

    #[test]
    fn the_date_has_whole_seconds() {
        assert_eq!(commit_date("2026-03-01T10:00:00.987654Z".parse().unwrap()), "2026-03-01T10:00:00Z");
    }
}
