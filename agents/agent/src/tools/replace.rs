//! `replace_in_file`

use super::{ToolError, read, write};
use crate::confine::Workspace;
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Args {
    path: String,
    old: String,
    new: String,
}

pub(super) fn run(workspace: &Workspace, args: &Args) -> Result<String, ToolError> {
    let text = read::text(workspace, &args.path)?;
    let places = if args.old.is_empty() { 0 } else { text.matches(&args.old).count() };
    if places != 1 {
        return Err(ToolError::file(
            &args.path,
            format!("`old` occurs {places} times; give a text that occurs exactly once, letter by letter"),
        ));
    }
    write::save(workspace, &args.path, &text.replacen(&args.old, &args.new, 1))
}
