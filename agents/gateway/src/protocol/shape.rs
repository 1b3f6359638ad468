//! Errors in the shapes that the protocols' own clients read.

use crate::error::CallError;
use golden_platform::http::model_error;
use serde_json::Value;

pub(crate) fn openai(error: &CallError) -> Value {
    let (_, kind, code) = error.classify();
    model_error::openai(&error.to_string(), kind, code)
}

pub(crate) fn anthropic(error: &CallError) -> Value {
    let (status, _, code) = error.classify();
    model_error::anthropic(status, &error.to_string(), code)
}
