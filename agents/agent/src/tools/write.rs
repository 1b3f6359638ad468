//! `write_file`

use super::ToolError;
use crate::confine::Workspace;
use crate::limits;
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Args {
    path: String,
    content: String,
}

pub(super) fn run(workspace: &Workspace, args: &Args) -> Result<String, ToolError> {
    save(workspace, &args.path, &args.content)
}

/// Writes a whole file and says so.
pub(super) fn save(workspace: &Workspace, path: &str, content: &str) -> Result<String, ToolError> {
    if content.len() as u64 > limits::FILE {
        return Err(ToolError::file(path, format!("at most {} bytes may be written", limits::FILE)));
    }
    let real = workspace.resolve(path)?;
    if real.is_dir() {
        return Err(ToolError::file(path, "is a folder"));
    }
    if let Some(parent) = real.parent() {
        std::fs::create_dir_all(parent).map_err(|e| ToolError::io(path, &e))?;
    }
    std::fs::write(&real, content).map_err(|e| ToolError::io(path, &e))?;
    Ok(format!("wrote {} ({} bytes)", workspace.shown(&real), content.len()))
}
