//! `list_files`

use super::{ToolError, walk};
use crate::confine::Workspace;
use crate::limits;
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Args {
    #[serde(default)]
    path: String,
}

pub(super) fn run(workspace: &Workspace, args: &Args) -> Result<String, ToolError> {
    let from = workspace.resolve(&args.path)?;
    if !from.exists() {
        return Err(ToolError::file(&args.path, "there is no such folder"));
    }
    let (files, more) = walk::files(workspace, &from, limits::LISTED);
    if files.is_empty() {
        return Ok("(no files)".to_owned());
    }
    let mut lines: Vec<String> = files.iter().map(|f| workspace.shown(f)).collect();
    if more {
        lines.push(format!("… more than {}; list a folder further down", limits::LISTED));
    }
    Ok(lines.join("\n"))
}
