//! What is sent upstream and what it can cost at most. Pure.
//!
//! The bound is true, not likely: a token is at least one byte of the request's body (its JSON framing is
//! longer than the model's own), an image has its protocol's most and so has what the provider
//! tells its model about tools, the prompt fits the context window or is refused
//! by the provider, and the output is capped in the request itself. What the provider counted for earlier prompts may
//! say more (`crate::known`). Whatever a provider charges beyond prompt and output is refused or withheld.

use crate::error::CallError;
use crate::protocol::{Asked, Cap, Extent, Fields, Outline, Protocol};
use bytes::Bytes;
use golden_crds::model_provider::{ModelSpec, OutputCapField, Protocol as ProviderProtocol};
use golden_ledger::{Amount, PriceError, Prices, affordable_output, bound, request_hash};
use std::sync::Arc;

/// Largest body of a request, in bytes.
pub(crate) const MAX_BODY: usize = 8 * 1024 * 1024;
/// Most tokens of one image. OpenAI: 8 tiles of 5,667 and the base of a small model, which is the dearest of its
/// documented ones; Anthropic: above the 4,784 of its largest images.
const OPENAI_IMAGE: u64 = 49_152;
const ANTHROPIC_IMAGE: u64 = 8_192;
/// The least output that is worth a call: where less can be paid than was asked for, at least this much must be.
/// An answer that is cut off costs as much as one that helps.
pub(crate) const LEAST_OUTPUT: u64 = 4_096;

/// A request, and the model it is for.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub protocol: Protocol,
    /// As the client sent it.
    pub raw: Bytes,
    /// `namespace/name` of the provider.
    pub provider: Arc<str>,
    pub model: Arc<ModelSpec>,
    /// The one field the provider takes the output cap of Chat Completions in; absent where it takes either.
    pub cap_field: Option<OutputCapField>,
}

/// A call, ready to be paid and sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    /// The request as the provider gets it.
    pub body: Bytes,
    pub stream: bool,
    /// Whether the client itself asked for the usage of a stream.
    pub forward_usage: bool,
    /// Digest of the request as the client sent it: the same for a client that sends again.
    pub request_hash: String,
    /// Digest of the prompt alone.
    pub prompt_digest: String,
    /// The model's name in its ModelProvider.
    pub model: String,
    /// Of all that a provider may report.
    pub prices: Prices,
    /// Those that this call can come to: of what it does not ask for nothing is charged.
    pub ceiling: Prices,
    /// The most it can use.
    pub bound: Amount,
    /// The most it can use with the least output that is worth a call.
    pub least: Amount,
    /// What the provider counted before may be compared with this; absent where nothing can be.
    pub outline: Option<Arc<Outline>>,
    pub max_input: u64,
    pub max_output: u64,
    /// Tools that the provider would run itself, taken out of the request.
    pub withheld: Vec<String>,
}

/// Plans a call. `limit`: the output that can be paid, where it is less than the model gives.
pub(crate) fn plan(request: &Request, limit: Option<u64>) -> Result<Plan, CallError> {
    let Request { protocol, raw, provider, model, cap_field } = request;
    let mut fields = Fields::parse(raw)?;
    let prices = prices(provider, model, protocol.provider())?;
    let upstream = model.upstream_name.as_ref().unwrap_or(&model.name);
    fields.set("model", &upstream.as_str().into())?;
    let most = tokens(model.max_output_tokens).min(tokens(model.context_window));
    let cap = Cap { most: limit.unwrap_or(most).min(most), field: *cap_field };
    let Asked { stream, forward_usage, max_output, extent, outline, prompt, withheld } =
        protocol.prepare(&mut fields, cap)?;
    let body = Bytes::from(fields.render());
    let ceiling = prices.of_writes(protocol.cache_writes(raw));
    let max_input = max_input(body.len() as u64, extent, tokens(model.context_window), protocol.provider());
    let (bound, least) = bounds(max_input, max_output, &ceiling).map_err(|e| unpriceable(provider, e))?;
    Ok(Plan {
        body,
        stream,
        forward_usage,
        request_hash: request_hash(raw),
        prompt_digest: request_hash(&prompt),
        model: model.name.clone(),
        prices,
        ceiling,
        bound,
        least,
        outline: outline.map(Arc::new),
        max_input,
        max_output,
        withheld,
    })
}

impl Plan {
    /// The same call, known to have no more input than this.
    pub(crate) fn within(self, most: u64) -> Self {
        let max_input = self.max_input.min(most);
        match bounds(max_input, self.max_output, &self.ceiling) {
            Ok((bound, least)) => Self { bound, least, max_input, ..self },
            // It had a larger one.
            Err(_) => self,
        }
    }
}

/// The same call with as much output as is paid for: all of it, or what is left beside its prompt. `granted` is between
/// its least bound and its whole one. Nothing where it cannot be asked for with so little.
pub(crate) fn fitted(request: &Request, whole: &Arc<Plan>, granted: Amount) -> Option<Arc<Plan>> {
    let payable = affordable_output(whole.max_input, granted, &whole.ceiling).ok()??;
    if payable >= whole.max_output {
        return Some(Arc::clone(whole));
    }
    let less = plan(request, Some(payable)).ok()?;
    Some(Arc::new(less.within(whole.max_input)))
}

/// The most that so much input and output can cost, and the same with the least output that is worth a call.
fn bounds(max_input: u64, max_output: u64, ceiling: &Prices) -> Result<(Amount, Amount), PriceError> {
    let least = bound(max_input, max_output.min(LEAST_OUTPUT), ceiling)?;
    Ok((bound(max_input, max_output, ceiling)?, least))
}

/// The most tokens of one image.
pub(crate) fn image(protocol: ProviderProtocol) -> u64 {
    match protocol {
        ProviderProtocol::OpenAI => OPENAI_IMAGE,
        ProviderProtocol::Anthropic => ANTHROPIC_IMAGE,
    }
}

fn max_input(bytes: u64, extent: Extent, window: u64, protocol: ProviderProtocol) -> u64 {
    let beyond = extent.images.saturating_mul(image(protocol)).saturating_add(extent.untold);
    let counted = bytes.saturating_add(beyond);
    match extent {
        Extent { many: true, .. } => counted,
        Extent { open: true, .. } => window,
        _ => counted.min(window),
    }
}

fn prices(provider: &str, model: &ModelSpec, protocol: ProviderProtocol) -> Result<Prices, CallError> {
    let (Some(input), Some(output)) = (model.input_micro_usd_per_mtoken, model.output_micro_usd_per_mtoken)
    else {
        return Err(CallError::Unpriced { provider: provider.to_owned(), model: model.name.clone() });
    };
    // Anthropic's own rule: five quarters of the input's price for five minutes, twice of it for an hour.
    let (write, long_write) = match protocol {
        ProviderProtocol::OpenAI => (None, None),
        ProviderProtocol::Anthropic => {
            (Some(input.saturating_add(input / 4 + i64::from(input % 4 > 0))), Some(input.saturating_mul(2)))
        }
    };
    Ok(Prices {
        input,
        output,
        cached_input: model.cached_input_micro_usd_per_mtoken,
        cache_write: model.cache_write_micro_usd_per_mtoken.or(write),
        long_cache_write: model.long_cache_write_micro_usd_per_mtoken.or(long_write),
    })
}

fn unpriceable(provider: &str, error: PriceError) -> CallError {
    let (namespace, name) = provider.split_once('/').unwrap_or(("", provider));
    CallError::Provider {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        why: format!("cannot be priced: {error}"),
    }
}

fn tokens(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

#[cfg(test)]
mod tests;
