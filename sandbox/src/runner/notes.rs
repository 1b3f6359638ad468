//! What the inner programs tell the runner, on a pipe that the command never holds.

use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufRead, Write as _};
use std::os::fd::AsFd as _;
use std::process::ExitCode;

/// One line on the pipe.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Note {
    /// The command does not run.
    Fault { reason: String, message: String },
    /// It will run in the pod's namespaces, with the network closed by a filter.
    Filtered,
    /// It runs.
    Started,
    /// A signal ended it: an exit code would not say so.
    Signalled(i32),
}

/// The writing end, given as standard input, with nothing left in its place.
pub(super) fn take_stdin() -> io::Result<File> {
    let pipe = io::stdin().as_fd().try_clone_to_owned()?;
    nix::unistd::dup2_stdin(File::open("/dev/null")?)?;
    Ok(File::from(pipe))
}

pub(super) fn tell(pipe: &mut File, note: &Note) {
    let text = serde_json::to_string(note).unwrap_or_default();
    // If the runner is gone there is nobody to tell.
    let _ = writeln!(pipe, "{text}");
}

pub(super) fn refuse(pipe: &mut File, reason: &str, message: impl Into<String>) -> ExitCode {
    tell(pipe, &Note::Fault { reason: reason.into(), message: message.into() });
    ExitCode::FAILURE
}

/// The next line; `None` at the end, and for a line that is none of ours.
pub(super) fn next(from: &mut impl BufRead) -> Option<Note> {
    let mut line = String::new();
    from.read_line(&mut line).ok().filter(|read| *read > 0)?;
    serde_json::from_str(&line).ok()
}
