//! Errors as answers: `{"error": {"reason", "message"}}`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use crate::{Class, Classify as _};

/// A refused or failed request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Error {
    pub status: StatusCode,
    /// One word for programs, such as `NotFound`.
    pub reason: &'static str,
    /// What happened, to what, and what to do.
    pub message: String,
}

impl Error {
    pub fn new(status: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self { status, reason, message: message.into() }
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", message)
    }

    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "Forbidden", message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", message)
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "Conflict", message)
    }

    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "TooLarge", message)
    }

    /// Something this service needs is away; the caller repeats later.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "Unavailable", message)
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal", message)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::error!(
                status = self.status.as_u16(),
                reason = self.reason,
                message = self.message,
                "failed"
            );
        }
        let body = Json(json!({"error": {"reason": self.reason, "message": self.message}}));
        let retry = self.status == StatusCode::SERVICE_UNAVAILABLE;
        let mut response = (self.status, body).into_response();
        if retry {
            response.headers_mut().insert(http::header::RETRY_AFTER, http::HeaderValue::from_static("1"));
        }
        response
    }
}

impl Error {
    /// The caller learns whether to repeat; what the database said is for the log.
    pub fn of_database(error: &sqlx::Error) -> Self {
        match error.class() {
            Class::Dependency | Class::Transient | Class::Conflict => {
                tracing::warn!(error = %error, "database");
                Self::unavailable("the database does not answer; try again")
            }
            Class::Invalid | Class::Bug => {
                tracing::error!(error = %error, "database");
                Self::internal("the database refused a statement; see this service's log")
            }
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::of_database(&error)
    }
}
