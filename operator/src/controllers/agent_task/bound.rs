//! What all calls of a task cost at most: how often those who work call a model, each call with a full context window and
//! the longest answer, at the dearest price. Pure.

use super::forecast::working;
use super::inputs::Inputs;
use super::validate::{Admit, PRODUCER};
use crate::models::answering;
use golden_crds::governance_policy::ReviewRules;
use golden_crds::model_provider::{ModelSpec, Protocol};
use golden_ledger::forecast::calls_bound;
use golden_ledger::{MicroUsd, Prices};
use golden_platform::wire::{AGENT_CALLS, ModelBinding, VOTER_ANSWER_TOKENS, voter_calls};

/// What all calls of the task cost at most, without those that are lost and made again. None where a foreign agent
/// calls: nobody knows how often it does.
pub(crate) fn all_calls(inputs: &Inputs, admit: &Admit) -> Option<MicroUsd> {
    let team = inputs.team.as_ref()?;
    if team.spec.roles.iter().any(|role| role.name == PRODUCER && role.agent.is_some()) {
        return None;
    }
    let (rules, attempts) =
        (&admit.policy.review.value, i64::from(admit.policy.max_attempts(inputs.task.spec.max_attempts)));
    let all = working(&admit.admission.models).try_fold(0_i64, |sum, (who, binding)| {
        let (calls, answer) = match who.strip_prefix("voter:") {
            Some(role) => (reviewer_calls(role, rules, attempts), i64::from(VOTER_ANSWER_TOKENS)),
            None => (i64::from(AGENT_CALLS).checked_mul(attempts), i64::MAX),
        };
        sum.checked_add(dearest_call(binding, answer, inputs)?.checked_mul(calls?)?)
    })?;
    Some(MicroUsd(all))
}

/// How often a reviewer calls at most: a voter in each round of each attempt, and in the one round more in which an
/// additional reviewer is asked, for who did not answer is asked again beside it.
fn reviewer_calls(role: &str, rules: &ReviewRules, attempts: i64) -> Option<i64> {
    let rounds = i64::from(voter_calls(rules.max_rounds())).checked_mul(attempts)?;
    let beside = i64::from(voter_calls(1));
    match &rules.additional_reviewer {
        None => Some(rounds),
        Some(additional) if additional.role == role => Some(beside),
        Some(_) => rounds.checked_add(beside),
    }
}

/// What a call of at most `answer` tokens costs at most, in micro-USD: of the binding's own model, or of one that its
/// provider falls back to.
fn dearest_call(binding: &ModelBinding, answer: i64, inputs: &Inputs) -> Option<i64> {
    let mut costs = answering(binding, &inputs.golden, &inputs.providers).map(|(model, provider)| {
        let spec = &provider?.spec;
        call(spec.models.iter().find(|m| m.name == model)?, spec.protocol, answer)
    });
    let own = costs.next()??;
    // Another one that is not there, or has no price, is never asked.
    Some(costs.flatten().fold(own, i64::max))
}

/// What one call costs at most; none without a price, and more than anybody has where it cannot be counted.
fn call(model: &ModelSpec, protocol: Protocol, answer: i64) -> Option<i64> {
    let count = |tokens: i64| u64::try_from(tokens).unwrap_or(0);
    let answer = count(model.max_output_tokens.min(answer));
    let cost = calls_bound(1, count(model.context_window), answer, &prices(model, protocol)?);
    Some(cost.map_or(i64::MAX, |cost| cost.0))
}

/// The model's prices; what Anthropic charges for its cache is in no case more than twice the input's price.
fn prices(model: &ModelSpec, protocol: Protocol) -> Option<Prices> {
    let input = model.input_micro_usd_per_mtoken?;
    let dearest = match protocol {
        Protocol::OpenAI => None,
        Protocol::Anthropic => Some(input.saturating_mul(2)),
    };
    Some(Prices {
        input,
        output: model.output_micro_usd_per_mtoken?,
        cached_input: model.cached_input_micro_usd_per_mtoken,
        cache_write: model.cache_write_micro_usd_per_mtoken.or(dearest),
        long_cache_write: model.long_cache_write_micro_usd_per_mtoken.or(dearest),
    })
}
