//! What a call can cost at most, and what it did cost. Rounded up, so that nothing is free by rounding.

use crate::amount::Amount;
use crate::money::MicroUsd;
use serde::{Deserialize, Serialize};

/// Tokens that prices are quoted for.
const PER: u128 = 1_000_000;

/// Prices of a model in micro-USD per million tokens. Zero is a price (a model of one's own); a model without
/// prices is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prices {
    #[serde(rename = "inputMicroUSDPerMToken")]
    pub input: i64,
    #[serde(rename = "outputMicroUSDPerMToken")]
    pub output: i64,
    /// Of input read from the provider's cache; as other input when absent.
    #[serde(default, rename = "cachedInputMicroUSDPerMToken", skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<i64>,
    /// Of input written to the provider's cache; as other input when absent.
    #[serde(default, rename = "cacheWriteMicroUSDPerMToken", skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<i64>,
    /// Of input written there to be kept long; as other input when absent.
    #[serde(default, rename = "longCacheWriteMicroUSDPerMToken", skip_serializing_if = "Option::is_none")]
    pub long_cache_write: Option<i64>,
}

/// What a provider reports of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// All input tokens, cached ones included.
    pub input_tokens: i64,
    #[serde(default)]
    pub cached_input_tokens: i64,
    /// Of the input: written to the provider's cache.
    #[serde(default)]
    pub cache_write_tokens: i64,
    /// Of the input: written there to be kept long.
    #[serde(default)]
    pub long_cache_write_tokens: i64,
    pub output_tokens: i64,
}

/// What a call asks its provider to write to its cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum CacheWrites {
    /// Nothing. Some of the input may be read from there all the same.
    #[default]
    None,
    /// Some of the input, for the usual time.
    Short,
    /// Some of it to be kept long.
    Long,
}

/// Most tokens of one call, input and output together: a hundred times the largest windows there are. A count beyond is a
/// mistake or a lie, and a few of them would fill an account's sums, which have 64 bits.
const MOST_TOKENS: u128 = 1_000_000_000;

/// Why a call cannot be priced. It is refused then, never free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    #[error("a price is negative; correct the model's prices in its ModelProvider")]
    NegativePrice,
    #[error("usage has a negative number of tokens; the provider's answer is malformed")]
    NegativeUsage,
    #[error("usage has more than {MOST_TOKENS} tokens; the provider's answer is malformed")]
    AbsurdUsage,
    #[error("the cost does not fit 64 bits; lower the output cap or correct the prices")]
    Overflow,
}

impl Prices {
    /// The prices that can apply to a call: what it does not ask for is not charged, so that it need not be reserved.
    #[must_use]
    pub fn of_writes(self, asked: CacheWrites) -> Self {
        let from = |least: CacheWrites, price: Option<i64>| price.filter(|_| asked >= least);
        Self {
            cache_write: from(CacheWrites::Short, self.cache_write),
            long_cache_write: from(CacheWrites::Long, self.long_cache_write),
            ..self
        }
    }

    fn checked(self) -> Result<CheckedPrices, PriceError> {
        let price = |p: i64| u128::try_from(p).map_err(|_| PriceError::NegativePrice);
        let (input, output) = (price(self.input)?, price(self.output)?);
        let cached = self.cached_input.map_or(Ok(input), price)?;
        let cache_write = self.cache_write.map_or(Ok(input), price)?;
        let long_cache_write = self.long_cache_write.map_or(Ok(input), price)?;
        Ok(CheckedPrices { input, output, cached, cache_write, long_cache_write })
    }
}

struct CheckedPrices {
    input: u128,
    output: u128,
    cached: u128,
    cache_write: u128,
    long_cache_write: u128,
}

impl CheckedPrices {
    /// Of input whose part in the cache is not known yet: some providers charge more for writing to it.
    fn dearest_input(&self) -> u128 {
        self.input.max(self.cached).max(self.cache_write).max(self.long_cache_write)
    }
}

/// The most a call can use: every prompt byte a token, the output to its cap. `prompt_bytes` must count all
/// that the provider reads as text (the whole request body does).
pub fn bound(prompt_bytes: u64, max_output_tokens: u64, prices: &Prices) -> Result<Amount, PriceError> {
    let prices = prices.checked()?;
    let (input, output) = (u128::from(prompt_bytes), u128::from(max_output_tokens));
    // Two factors of 64 bits each fit 128; only their sum may not.
    let cost = (input * prices.dearest_input()).checked_add(output * prices.output);
    amount(cost, input + output)
}

/// What a call used. Parts that come to more than the whole input are cut to it, the dearest first: a provider that
/// counts wrongly is not paid for tokens that it does not state, and no part makes another cheaper.
pub fn actual(usage: &Usage, prices: &Prices) -> Result<Amount, PriceError> {
    let prices = prices.checked()?;
    let count = |tokens: i64| u128::try_from(tokens).map_err(|_| PriceError::NegativeUsage);
    let (input, output) = (count(usage.input_tokens)?, count(usage.output_tokens)?);
    if input + output > MOST_TOKENS {
        return Err(PriceError::AbsurdUsage);
    }
    let mut parts = [
        (prices.cached, count(usage.cached_input_tokens)?),
        (prices.cache_write, count(usage.cache_write_tokens)?),
        (prices.long_cache_write, count(usage.long_cache_write_tokens)?),
    ];
    parts.sort_unstable_by_key(|(price, _)| std::cmp::Reverse(*price));
    let mut fresh = input;
    // Factors below 2^63 each, and the parts together are no more than the input: the sum fits 128 bits.
    let mut cost = output * prices.output;
    for (price, tokens) in parts {
        let tokens = tokens.min(fresh);
        fresh -= tokens;
        cost += tokens * price;
    }
    amount(Some(cost + fresh * prices.input), input + output)
}

/// The largest output cap whose bound fits into `available`; none if not even the prompt fits.
pub fn affordable_output(
    prompt_bytes: u64,
    available: Amount,
    prices: &Prices,
) -> Result<Option<u64>, PriceError> {
    let checked = prices.checked()?;
    let input = u128::from(prompt_bytes);
    let (Ok(money), Ok(tokens)) = (u128::try_from(available.cost.0), u128::try_from(available.tokens)) else {
        return Ok(None);
    };
    // Below 2^83 minus a product below 2^127: rounding up to whole micro-USD is paid from the same money.
    let Some(rest) = (money * PER).checked_sub(input * checked.dearest_input()) else { return Ok(None) };
    let Some(by_tokens) = tokens.checked_sub(input) else { return Ok(None) };
    let by_money = rest.checked_div(checked.output).unwrap_or(u128::MAX);
    Ok(Some(u64::try_from(by_money.min(by_tokens)).unwrap_or(u64::MAX)))
}

fn amount(cost: Option<u128>, tokens: u128) -> Result<Amount, PriceError> {
    let cost = cost.ok_or(PriceError::Overflow)?.div_ceil(PER);
    let cost = i64::try_from(cost).map_err(|_| PriceError::Overflow)?;
    let tokens = i64::try_from(tokens).map_err(|_| PriceError::Overflow)?;
    Ok(Amount { cost: MicroUsd(cost), tokens })
}
