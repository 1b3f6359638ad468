//! Checks of single values: names, variables, addresses, the token. Pure.

use super::config::Token;
use super::fault::Fault;
use golden_platform::cache::check_url;
use sqlx::postgres::PgConnectOptions;
use std::net::{Ipv4Addr, SocketAddr};

/// The least length of a token that others on the network may try to guess.
const LEAST_TOKEN: usize = 16;
const MAX_TOKEN: usize = 256;

/// Looks a variable up.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The value of an environment variable that a field names.
pub(super) fn variable(field: &str, name: &str, environment: Environment<'_>) -> Result<String, Fault> {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if !first || name.len() > 128 || !bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(Fault::new(field, "must be the name of an environment variable, not what it holds"));
    }
    let value = environment(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let value = value.ok_or_else(|| Fault::new(field, format!("names {name}, which is not set")))?;
    if !value.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Fault::new(
            field,
            format!("names {name}, which holds spaces or other signs than ASCII's"),
        ));
    }
    Ok(value)
}

/// Names of providers, budgets and tasks: a DNS label, as in a cluster.
pub(super) fn label(field: &str, name: &str) -> Result<(), Fault> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.is_empty()
        || name.len() > 63
        || !name.bytes().all(inner)
        || name.starts_with('-')
        || name.ends_with('-')
    {
        let why = "must have 1 to 63 small letters, digits and '-', with a letter or digit at both ends";
        return Err(Fault::new(field, why));
    }
    Ok(())
}

/// A URL, or `env:` and the variable that holds it.
fn url(field: &str, text: &str, environment: Environment<'_>) -> Result<String, Fault> {
    match text.strip_prefix("env:") {
        Some(name) => variable(field, name.trim(), environment),
        None => Ok(text.to_owned()),
    }
}

/// Where it listens; if nothing is said, where this machine alone reaches it.
pub(super) fn listen(text: Option<String>) -> Result<SocketAddr, Fault> {
    let Some(text) = text else { return Ok((Ipv4Addr::LOCALHOST, 8080).into()) };
    let why = "must be an address and a port, such as 127.0.0.1:8080 or 0.0.0.0:8080";
    text.parse().map_err(|_| Fault::new("listen", why))
}

pub(super) fn database(text: &str, environment: Environment<'_>) -> Result<String, Fault> {
    let url = url("postgres", text, environment)?;
    let known = url.starts_with("postgres://") || url.starts_with("postgresql://");
    if !known || url.parse::<PgConnectOptions>().is_err() {
        let why = "must be a URL such as postgres://user:password@127.0.0.1:5432/golden, or env: and the name of a \
                   variable that holds one";
        return Err(Fault::new("postgres", why));
    }
    Ok(url)
}

pub(super) fn redis(text: &str, environment: Environment<'_>) -> Result<String, Fault> {
    let url = url("redis", text, environment)?;
    check_url(&url).map_err(|error| Fault::new("redis", format!("{error}; it may be left out")))?;
    Ok(url)
}

pub(super) fn token(
    token: Option<String>,
    token_env: Option<String>,
    listen: Option<SocketAddr>,
    environment: Environment<'_>,
) -> Result<Token, Fault> {
    let (field, token) = match (token, token_env) {
        (Some(value), None) => ("token", Token { value, variable: None }),
        (None, Some(name)) => {
            let value = variable("tokenEnv", &name, environment)?;
            ("tokenEnv", Token { value, variable: Some(name) })
        }
        (None, None) => {
            let why =
                "is missing; name the variable that holds what clients must send, or write it as `token`";
            return Err(Fault::new("tokenEnv", why));
        }
        (Some(_), Some(_)) => return Err(Fault::new("token", "says the same as tokenEnv; leave one out")),
    };
    let length = token.value.len();
    if length == 0 || length > MAX_TOKEN || !token.value.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Fault::new(
            field,
            format!("must have 1 to {MAX_TOKEN} letters, digits and signs of ASCII"),
        ));
    }
    if let Some(listen) = listen.filter(|listen| !listen.ip().is_loopback() && length < LEAST_TOKEN) {
        let why = format!("must have at least {LEAST_TOKEN} signs where others can reach {listen}");
        return Err(Fault::new(field, why));
    }
    Ok(token)
}
