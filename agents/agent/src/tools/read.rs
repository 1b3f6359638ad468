//! `read_file`

use super::ToolError;
use crate::confine::Workspace;
use crate::limits;
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Args {
    path: String,
    #[serde(default)]
    start_line: Option<usize>,
    #[serde(default)]
    lines: Option<usize>,
}

pub(super) fn run(workspace: &Workspace, args: &Args) -> Result<String, ToolError> {
    let text = text(workspace, &args.path)?;
    if args.start_line.is_none() && args.lines.is_none() {
        return Ok(text);
    }
    let skip = args.start_line.unwrap_or(1).saturating_sub(1);
    let part: Vec<&str> = text.lines().skip(skip).take(args.lines.unwrap_or(usize::MAX)).collect();
    if part.is_empty() {
        return Err(ToolError::file(&args.path, format!("it has only {} lines", text.lines().count())));
    }
    Ok(part.join("\n"))
}

/// A text file of the workspace, bounded.
pub(super) fn text(workspace: &Workspace, path: &str) -> Result<String, ToolError> {
    let real = workspace.resolve(path)?;
    let meta = real.metadata().map_err(|e| ToolError::io(path, &e))?;
    if !meta.is_file() {
        return Err(ToolError::file(path, "is not a file; use list_files for folders"));
    }
    if meta.len() > limits::FILE {
        return Err(ToolError::file(
            path,
            format!("has {} bytes, at most {} are read", meta.len(), limits::FILE),
        ));
    }
    let bytes = std::fs::read(&real).map_err(|e| ToolError::io(path, &e))?;
    String::from_utf8(bytes).map_err(|_| ToolError::file(path, "is not text"))
}
