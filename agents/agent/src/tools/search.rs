//! `search`

use super::{ToolError, walk};
use crate::confine::Workspace;
use crate::limits;
use serde::Deserialize;

/// Longest part of a line that is shown.
const LINE: usize = 240;

#[derive(Deserialize)]
pub(super) struct Args {
    query: String,
    #[serde(default)]
    path: String,
}

pub(super) fn run(workspace: &Workspace, args: &Args) -> Result<String, ToolError> {
    if args.query.is_empty() {
        return Err(ToolError::Arguments { tool: "search".into(), why: "query is empty".into() });
    }
    let from = workspace.resolve(&args.path)?;
    let (files, _) = walk::files(workspace, &from, limits::SEARCHED);
    let mut hits = Vec::new();
    for file in files {
        if !file.metadata().is_ok_and(|m| m.len() <= limits::FILE) {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(&file) else {
            continue;
        };
        for (number, line) in text.lines().enumerate().filter(|(_, line)| line.contains(&args.query)) {
            if hits.len() == limits::HITS {
                hits.push(format!("… more than {} hits; search for more words", limits::HITS));
                return Ok(hits.join("\n"));
            }
            hits.push(format!("{}:{}: {}", workspace.shown(&file), number + 1, limits::head(line, LINE)));
        }
    }
    Ok(if hits.is_empty() { "(no hits)".to_owned() } else { hits.join("\n") })
}
