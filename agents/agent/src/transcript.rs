//! The transcript: one JSON line per message, bounded, and never a reason to fail.

use crate::chat::Message;
use crate::limits;
use std::fs::File;
use std::io::Write;
use std::path::Path;

pub(crate) struct Transcript {
    file: Option<File>,
    room: usize,
}

impl Transcript {
    /// Begins `out/transcript.jsonl`, or writes nothing where that is not possible.
    pub(crate) fn begin(golden: &Path) -> Self {
        let out = golden.join("out");
        let file = std::fs::create_dir_all(&out).and_then(|()| File::create(out.join("transcript.jsonl")));
        if let Err(error) = &file {
            tracing::info!(%error, "no transcript is kept");
        }
        Self { file: file.ok(), room: limits::TRANSCRIPT }
    }

    pub(crate) fn extend(&mut self, messages: &[Message]) {
        for message in messages {
            self.add(message);
        }
    }

    pub(crate) fn add(&mut self, message: &Message) {
        let Some(file) = &mut self.file else {
            return;
        };
        let Ok(line) = serde_json::to_string(message) else {
            return;
        };
        if line.len() >= self.room || writeln!(file, "{line}").is_err() {
            self.file = None;
            return;
        }
        self.room -= line.len() + 1;
    }
}
