//! Recordings: what the model says to whom, turn by turn.
//!
//! A story belongs to one task, known by words of its goal. A conversation belongs to a role, and to an
//! attempt if it names one; one with agents of other makers, which state neither, to the tools that they offer. Its first turn answers a request without tool results; each later turn answers
//! the results of the calls that the turn before made, if they fit `after`. A turn after a plain text reply
//! answers a further user message that fits `asked`.

use crate::answer::ToolCall;
use crate::request::{Situation, digest};
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

const BUILT_IN: [(&str, &str); 6] = [
    ("fix-slugify.yaml", include_str!("../recordings/fix-slugify.yaml")),
    ("foreign-agents.yaml", include_str!("../recordings/foreign-agents.yaml")),
    ("adr-queue.yaml", include_str!("../recordings/adr-queue.yaml")),
    ("small-budget.yaml", include_str!("../recordings/small-budget.yaml")),
    ("last-cent.yaml", include_str!("../recordings/last-cent.yaml")),
    ("chaos.yaml", include_str!("../recordings/chaos.yaml")),
];

/// All stories, in the order in which they are tried.
#[derive(Clone, Debug, Default)]
pub struct Library {
    stories: Vec<Story>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Story {
    name: String,
    /// Words that the first user message holds.
    contains: Vec<String>,
    conversations: Vec<Conversation>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Conversation {
    /// Absent for clients that state none: agents of other makers.
    #[serde(default)]
    role: String,
    /// Tools that the request offers: by them such clients are told apart.
    #[serde(default)]
    offers: Vec<String>,
    #[serde(default)]
    attempt: Option<u32>,
    /// Further words that the first user message holds.
    #[serde(default)]
    contains: Vec<String>,
    turns: Vec<Turn>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Turn {
    /// One per call of the turn before: `*`, `sha256:…`, or words that the result holds.
    #[serde(default)]
    after: Vec<String>,
    /// Words of the further user message this turn answers.
    #[serde(default)]
    asked: Option<String>,
    /// How long the model thinks before the first byte of this reply. The call counts from its beginning.
    #[serde(default, rename = "thinksMs")]
    thinks_ms: u64,
    reply: Reply,
}

/// A recorded answer to a situation.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    pub story: &'a str,
    pub reply: &'a Reply,
    pub thinks: Duration,
}

/// What the model says: text, calls of tools, or both.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Reply {
    #[serde(default)]
    pub content: String,
    #[serde(default)]
    pub tool_calls: Vec<RecordedCall>,
    /// Tokens it thought in silence for: output like any other.
    #[serde(default)]
    pub reasoning_tokens: u64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedCall {
    pub name: String,
    pub arguments: Value,
}

impl RecordedCall {
    pub(crate) fn call(&self, id: String) -> ToolCall {
        ToolCall { id, name: self.name.clone(), arguments: self.arguments.to_string() }
    }
}

/// Why recordings cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("recording {name} is not readable: {why}; compare it with e2e/model/recordings")]
    Unreadable { name: String, why: String },
    #[error("recordings folder {path}: {source}")]
    Folder { path: String, source: std::io::Error },
}

/// No recording fits: everything one needs to add it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no recording fits role {role:?}, attempt {attempt:?}, task {task_digest} ({task_head:?}), \
     {asked} user messages, tools {offered:?}, tool results {results:?}; nearest: {nearest}; add it to e2e/model/recordings"
)]
pub struct Unmatched {
    pub role: String,
    pub attempt: Option<u32>,
    pub task_digest: String,
    pub task_head: String,
    pub asked: usize,
    pub offered: Vec<String>,
    pub results: Vec<String>,
    pub nearest: String,
}

impl Library {
    /// The stories of the demo.
    pub fn built_in() -> Result<Self, LoadError> {
        let mut library = Self::default();
        for (name, text) in BUILT_IN {
            library.add(name, text)?;
        }
        Ok(library)
    }

    /// Adds one file's story. Later ones are tried later.
    pub fn add(&mut self, name: &str, text: &str) -> Result<(), LoadError> {
        let story = serde_saphyr::from_str(text)
            .map_err(|e| LoadError::Unreadable { name: name.to_owned(), why: e.to_string() })?;
        self.stories.push(story);
        Ok(())
    }

    /// Adds every `.yaml` and `.json` file of a folder, by name.
    pub fn add_folder(&mut self, path: &Path) -> Result<(), LoadError> {
        let folder = |source| LoadError::Folder { path: path.display().to_string(), source };
        let mut files: Vec<_> = std::fs::read_dir(path)
            .map_err(folder)?
            .collect::<Result<Vec<_>, _>>()
            .map_err(folder)?
            .into_iter()
            .map(|entry| entry.path())
            .filter(|p| p.extension().is_some_and(|e| e == "yaml" || e == "json"))
            .collect();
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(&file).map_err(folder)?;
            self.add(&file.display().to_string(), &text)?;
        }
        Ok(())
    }

    /// Adds another library's stories after these.
    pub fn extend(&mut self, other: Self) {
        self.stories.extend(other.stories);
    }

    /// The reply to a situation.
    pub fn reply(&self, situation: &Situation) -> Result<Found<'_>, Box<Unmatched>> {
        let mut nearest = String::from("none of this task");
        for story in self.stories.iter().filter(|s| holds_all(situation.task(), &s.contains)) {
            for conversation in &story.conversations {
                match conversation.turn(situation) {
                    Ok(turn) => {
                        let thinks = Duration::from_millis(turn.thinks_ms);
                        return Ok(Found { story: &story.name, reply: &turn.reply, thinks });
                    }
                    Err(Some(why)) => {
                        nearest = format!("{} {}: {why}", story.name, conversation.role);
                    }
                    Err(None) => {}
                }
            }
        }
        Err(Box::new(unmatched(situation, nearest)))
    }
}

impl Conversation {
    /// The turn that answers; or why this conversation, though of the right role, does not.
    fn turn(&self, situation: &Situation) -> Result<&Turn, Option<String>> {
        let offered = self.offers.iter().all(|tool| situation.offered.contains(tool));
        let of_attempt = self.attempt.is_none_or(|attempt| Some(attempt) == situation.attempt);
        if self.role != situation.role || !offered || !of_attempt {
            return Err(None);
        }
        if !holds_all(situation.task(), &self.contains) {
            return Err(Some(format!("the first message lacks one of {:?}", self.contains)));
        }
        let (mut results, mut asked) = (&situation.tool_results[..], situation.asked.get(1..).unwrap_or(&[]));
        let mut before: Option<&Turn> = None;
        for turn in &self.turns {
            if let Some(before) = before {
                (results, asked) = turn.follows(before, results, asked).map_err(Some)?;
            }
            if results.is_empty() && asked.is_empty() {
                return Ok(turn);
            }
            before = Some(turn);
        }
        Err(Some(format!("it has only {} turns", self.turns.len())))
    }
}

impl Turn {
    /// Takes from the request what happened between the turn before and this one.
    fn follows<'a>(
        &self,
        before: &Self,
        results: &'a [String],
        asked: &'a [String],
    ) -> Result<(&'a [String], &'a [String]), String> {
        if let Some(words) = &self.asked {
            let (first, rest) = asked.split_first().ok_or("no further user message")?;
            return if first.contains(words) {
                Ok((results, rest))
            } else {
                Err(format!("the user message lacks {words:?}"))
            };
        }
        let calls = before.reply.tool_calls.len();
        if calls == 0 || results.len() < calls {
            return Err(format!(
                "{calls} tool results belong to the turn before, {} are left",
                results.len()
            ));
        }
        let (own, rest) = results.split_at(calls);
        for (result, pattern) in own.iter().zip(&self.after) {
            if !fits(result, pattern) {
                return Err(format!("tool result {result:.200?} does not fit {pattern:?}"));
            }
        }
        Ok((rest, asked))
    }
}

fn fits(result: &str, pattern: &str) -> bool {
    pattern == "*"
        || (pattern.starts_with("sha256:") && digest(result) == pattern)
        || result.contains(pattern)
}

fn holds_all(text: &str, words: &[String]) -> bool {
    words.iter().all(|w| text.contains(w.as_str()))
}

fn unmatched(situation: &Situation, nearest: String) -> Unmatched {
    Unmatched {
        role: situation.role.clone(),
        attempt: situation.attempt,
        task_digest: digest(situation.task()),
        task_head: situation.task().chars().take(120).collect(),
        asked: situation.asked.len(),
        offered: situation.offered.clone(),
        results: situation.result_digests(),
        nearest,
    }
}
