//! The tools: what the model may do, how it is described to the model, and how a call is carried out.

mod list;
mod read;
mod replace;
mod search;
mod walk;
mod write;

use crate::chat::ToolCall;
use crate::confine::{PathError, Workspace};
use crate::limits;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// What a call comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Said back to the model.
    Result(String),
    /// The model says that it is done.
    Finished(String),
}

/// Why a call was not carried out. The text is for the model: it can mend its call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolError {
    #[error("arguments of {tool} are not readable: {why}; send one JSON object that fits its schema")]
    Arguments { tool: String, why: String },
    #[error(
        "there is no tool {0:?}; use list_files, read_file, search, write_file, replace_in_file or finish"
    )]
    Unknown(String),
    #[error(transparent)]
    Path(#[from] PathError),
    #[error("{path}: {why}")]
    File { path: String, why: String },
}

impl ToolError {
    fn file(path: &str, why: impl Into<String>) -> Self {
        Self::File { path: path.to_owned(), why: why.into() }
    }

    fn io(path: &str, error: &std::io::Error) -> Self {
        Self::file(path, error.to_string())
    }
}

#[derive(Deserialize)]
struct Finish {
    #[serde(default)]
    summary: String,
}

/// Carries out a call. Errors become the tool's result.
pub(crate) fn call(workspace: &Workspace, call: &ToolCall) -> Outcome {
    match carry_out(workspace, call) {
        Ok(outcome) => outcome,
        Err(error) => Outcome::Result(format!("error: {error}")),
    }
}

fn carry_out(workspace: &Workspace, call: &ToolCall) -> Result<Outcome, ToolError> {
    let result = match call.function.name.as_str() {
        "list_files" => list::run(workspace, &arguments(call)?)?,
        "read_file" => read::run(workspace, &arguments(call)?)?,
        "search" => search::run(workspace, &arguments(call)?)?,
        "write_file" => write::run(workspace, &arguments(call)?)?,
        "replace_in_file" => replace::run(workspace, &arguments(call)?)?,
        "finish" => {
            let finish: Finish = arguments(call)?;
            return Ok(Outcome::Finished(limits::head(&finish.summary, limits::SUMMARY).to_owned()));
        }
        other => return Err(ToolError::Unknown(limits::head(other, 100).to_owned())),
    };
    Ok(Outcome::Result(bounded(result)))
}

/// Reads the arguments. Nothing at all stands for an empty object, as some models send it.
fn arguments<T: DeserializeOwned>(call: &ToolCall) -> Result<T, ToolError> {
    let text = call.function.arguments.trim();
    serde_json::from_str(if text.is_empty() { "{}" } else { text })
        .map_err(|e| ToolError::Arguments { tool: call.function.name.clone(), why: e.to_string() })
}

fn bounded(text: String) -> String {
    if text.len() <= limits::TOOL_RESULT {
        return text;
    }
    let head = limits::head(&text, limits::TOOL_RESULT);
    format!("{head}\n… {} bytes are left out; ask for less at a time", text.len() - head.len())
}

/// The tools in the form in which a request names them.
pub(crate) fn schemas() -> Value {
    let path = json!({"type": "string", "description": "Relative to the workspace."});
    json!([
        tool("list_files", "Lists files below a folder.", &json!({"path": path}), &[]),
        tool(
            "read_file",
            "Reads a text file, whole or some of its lines.",
            &json!({
                "path": path,
                "start_line": {"type": "integer", "minimum": 1, "description": "First line, from 1."},
                "lines": {"type": "integer", "minimum": 1, "description": "How many lines."},
            }),
            &["path"],
        ),
        tool(
            "search",
            "Finds lines that hold a text, letter by letter.",
            &json!({"query": {"type": "string"}, "path": path}),
            &["query"],
        ),
        tool(
            "write_file",
            "Writes a whole text file, new or in place of the old one.",
            &json!({"path": path, "content": {"type": "string"}}),
            &["path", "content"],
        ),
        tool(
            "replace_in_file",
            "Replaces a text that occurs exactly once in a file.",
            &json!({"path": path, "old": {"type": "string"}, "new": {"type": "string"}}),
            &["path", "old", "new"],
        ),
        tool(
            "finish",
            "Says that the work is done.",
            &json!({"summary": {"type": "string", "description": "What was changed and why, in a few lines."}}),
            &["summary"],
        ),
    ])
}

fn tool(name: &str, description: &str, properties: &Value, required: &[&str]) -> Value {
    json!({"type": "function", "function": {
        "name": name,
        "description": description,
        "parameters": {"type": "object", "properties": properties, "required": required,
                       "additionalProperties": false},
    }})
}

#[cfg(test)]
mod tests;
