//! What people are told on standard output: where it listens, which models answer, what is left, what to set; and at
//! the end what was spent. Pure.

use super::config::{Config, Token};
use super::models::{Models, Rule};
use super::rows::{Spent, Standing};
use golden_crds::model_provider::Protocol;
use golden_ledger::MicroUsd;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Everything somebody needs to make a first call.
pub(super) fn welcome(config: &Config, listens: SocketAddr, standing: &Standing) -> String {
    let url = url(listens);
    let mut text = format!("golden gateway listens on {url}\n");
    if !listens.ip().is_loopback() {
        text += "It speaks plain HTTP: whoever can read this network reads prompts and the token.\n";
    }
    for speaks in [Protocol::Anthropic, Protocol::OpenAI] {
        for Rule { asked, target } in config.models.rules(speaks) {
            let asked = if asked == "*" { "any model" } else { asked };
            let (provider, model) = (&target.binding.provider, &target.binding.model);
            let _ = writeln!(text, "  {} asked for {asked}: {provider}/{model} answers", family(speaks));
        }
    }
    text += &budget(standing);
    if config.redis.is_some() {
        text += "Gateways on the same Redis keep the providers' limits together; without it each counts for itself.\n";
    }
    text += &clients(config, &url);
    text
}

fn family(speaks: Protocol) -> &'static str {
    match speaks {
        Protocol::OpenAI => "OpenAI client",
        Protocol::Anthropic => "Anthropic client",
    }
}

/// How a client on this machine reaches it.
fn url(listens: SocketAddr) -> String {
    let here = match listens.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(here, listens.port()))
}

/// What is left, and what happens when nothing is.
pub(super) fn budget(standing: &Standing) -> String {
    let Standing { name, period, period_ends_at, on_exhausted, .. } = standing;
    let left = left(standing);
    let until = match (period_ends_at, period.as_str()) {
        (_, "Total") => String::new(),
        (Some(end), period) => format!(" of this {} (until {end})", period.to_lowercase()),
        (None, period) => format!(" of a {}, which begins with the first call", period.to_lowercase()),
    };
    let then = if on_exhausted == "Pause" { "waits" } else { "fails" };
    format!("budget {name}: {left} left{until}; a call that cannot be paid {then}\n")
}

fn left(standing: &Standing) -> String {
    let of =
        |limit: i64, spent: i64, reserved: i64| limit.saturating_sub(spent).saturating_sub(reserved).max(0);
    let cost = standing.limit_cost.map(|limit| {
        let left = of(limit, standing.spent_cost, standing.reserved_cost);
        format!("{} of {}", MicroUsd(left).exact(), MicroUsd(limit).exact())
    });
    let tokens = standing.limit_tokens.map(|limit| {
        let left = of(limit, standing.spent_tokens, standing.reserved_tokens);
        format!("{left} of {limit} tokens")
    });
    cost.into_iter().chain(tokens).collect::<Vec<_>>().join(" and ")
}

/// What to set for each client that a model answers.
fn clients(config: &Config, url: &str) -> String {
    let mut text = String::new();
    let token = shown(&config.token);
    let named = |speaks| to_ask_for(&config.models, speaks);
    if answers(&config.models, Protocol::Anthropic) {
        let model =
            named(Protocol::Anthropic).map(|name| format!(" ANTHROPIC_MODEL={name}")).unwrap_or_default();
        let _ = writeln!(
            text,
            "Claude Code, Anthropic's SDKs:\n  export ANTHROPIC_BASE_URL={url} ANTHROPIC_API_KEY={token}{model}"
        );
    }
    if answers(&config.models, Protocol::OpenAI) {
        let variable = config.token.variable.as_deref().unwrap_or("OPENAI_API_KEY");
        let model = named(Protocol::OpenAI).map(|name| format!(" -c model={name}")).unwrap_or_default();
        let _ = writeln!(
            text,
            "OpenAI's SDKs, Codex:\n  export OPENAI_BASE_URL={url}/v1 OPENAI_API_KEY={token}\n  \
             codex -c model_provider=golden{model} -c 'model_providers.golden={{name=\"Golden\", \
             base_url=\"{url}/v1\", env_key=\"{variable}\", wire_api=\"responses\"}}'"
        );
    }
    text
}

fn answers(models: &Models, speaks: Protocol) -> bool {
    models.rules(speaks).next().is_some()
}

/// The name to ask for, where those that clients of this family ask for by themselves may not be answered: a line
/// such as `*` or `claude-*` is for them.
fn to_ask_for(models: &Models, speaks: Protocol) -> Option<&str> {
    let mut asked = models.rules(speaks).map(|rule| rule.asked.as_str());
    let first = asked.next().filter(|asked| !asked.ends_with('*'))?;
    asked.all(|asked| !asked.ends_with('*')).then_some(first)
}

/// The token as a shell writes it. What stands in the file is not repeated on a screen or in a log.
fn shown(token: &Token) -> String {
    token
        .variable
        .as_ref()
        .map_or_else(|| "'(the token in the file)'".to_owned(), |name| format!("\"${name}\""))
}

/// What was spent since the start.
pub(super) fn farewell(spent: &Spent, standing: &Standing) -> String {
    let Spent { calls, cost, input_tokens, output_tokens, unknown, open } = spent;
    let ending = if *calls == 1 { "" } else { "s" };
    let mut text = format!(
        "spent since the start: {} for {calls} call{ending} with {input_tokens} input and {output_tokens} output tokens\n",
        MicroUsd(*cost).exact()
    );
    if *unknown > 0 {
        let _ = writeln!(text, "  {unknown} of them are charged at their bound: nobody saw their end");
    }
    if *open > 0 {
        let _ = writeln!(
            text,
            "  {open} more have not ended; they are charged at their bound once their lease has ended"
        );
    }
    text += &budget(standing);
    text
}
