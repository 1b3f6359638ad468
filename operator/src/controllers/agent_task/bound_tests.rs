//! What all calls of a task cost at most: never less than what a task that is played does cost.

use super::bound::all_calls;
use super::inputs::Inputs;
use super::tests::{inputs, policy, ready};
use super::validate::admit;
use golden_crds::ModelProvider;
use golden_crds::governance_policy::{ReviewRounds, Voter};
use golden_ledger::{Prices, Usage, actual};
use golden_platform::wire::{AGENT_CALLS, VOTER_ANSWER_TOKENS, VOTER_CALLS, VOTER_PARTS};
use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;

/// A model with its window, longest answer and prices per million tokens.
#[derive(Clone, Copy, Debug)]
struct Model {
    window: i64,
    answer: i64,
    input: i64,
    output: i64,
}

fn model() -> impl Strategy<Value = Model> {
    (1_000_i64..2_000_000, 1_i64..100_000, 0_i64..30_000_000, 0_i64..90_000_000).prop_map(
        |(window, answer, input, output)| Model { window, answer: answer.min(window), input, output },
    )
}

/// A provider of one model, `m`.
fn provider(name: &str, of: Model, fallbacks: &[&str]) -> Arc<ModelProvider> {
    let fallbacks: Vec<_> = fallbacks.iter().map(|name| json!({"provider": name, "model": "m"})).collect();
    Arc::new(
        serde_json::from_value(json!({
            "apiVersion": "goldenarch.dev/v1alpha1", "kind": "ModelProvider",
            "metadata": {"name": name, "namespace": "golden-system"},
            "spec": {"protocol": "OpenAI", "baseURL": "http://m", "allowedNamespaces": ["*"], "fallbacks": fallbacks,
                "models": [{"name": "m", "contextWindow": of.window, "maxOutputTokens": of.answer,
                    "inputMicroUSDPerMToken": of.input, "outputMicroUSDPerMToken": of.output}]},
            "status": {"conditions": [{"type": "Ready", "status": "True", "reason": "Available", "message": "m",
                "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
        }))
        .unwrap(),
    )
}

/// A task whose agent and voters all have `own`, which falls back to `other`.
fn played(own: Model, other: Model, attempts: i64) -> Inputs {
    let mut inputs = inputs();
    inputs.golden = "golden-system".into();
    inputs.default_model.provider = "p".into();
    inputs.providers = vec![provider("p", own, &["spare", "gone"]), provider("spare", other, &[])];
    inputs.task.spec.max_attempts = u32::try_from(attempts).unwrap();
    inputs
}

fn bound(inputs: &Inputs, voters: usize, rounds: u32) -> Option<i64> {
    let mut admit = admit(inputs).unwrap();
    admit.policy.review.value.rounds = Some(ReviewRounds { max: rounds });
    let binding = admit.admission.models["role:developer"].clone();
    admit.admission.models.retain(|who, _| !who.starts_with("voter:"));
    let seats = (0..voters).map(|n| (format!("voter:v{n}"), binding.clone()));
    admit.admission.models.extend(seats);
    all_calls(inputs, &admit).map(|most| most.0)
}

/// What a call does cost, as the ledger settles it.
fn cost(model: Model, prompt: i64, answer: i64) -> i64 {
    let prices = Prices { input: model.input, output: model.output, ..Prices::default() };
    let usage = Usage { input_tokens: prompt, output_tokens: answer, ..Usage::default() };
    actual(&usage, &prices).unwrap().cost.0
}

proptest! {
    /// Every attempt is made, the agent stops at its last step, every round is held, every part of the result is asked
    /// about and every ballot is mended; each call is answered by the own model or the one it falls back to.
    #[test]
    fn a_task_never_costs_more_than_its_bound(
        own in model(),
        other in model(),
        attempts in 1_i64..4,
        voters in 1_usize..5,
        rounds in 1_u32..4,
        sizes in prop::collection::vec((any::<bool>(), 0_u32..=100, 0_u32..=100), 1..50),
    ) {
        let inputs = played(own, other, attempts);
        let most = bound(&inputs, voters, rounds).unwrap();
        let mut sizes = sizes.iter().cycle();
        let mut call = |longest: i64| {
            let (falls_back, prompt, answer) = sizes.next().unwrap();
            let model = if *falls_back { other } else { own };
            let share = |of: i64, percent: u32| of * i64::from(percent) / 100;
            cost(model, share(model.window, *prompt), share(model.answer.min(longest), *answer))
        };
        let mut spent = 0;
        for _ in 0..attempts {
            spent += (0..AGENT_CALLS).map(|_| call(i64::MAX)).sum::<i64>();
            for _ in 0..rounds * VOTER_PARTS * VOTER_CALLS * u32::try_from(voters).unwrap() {
                spent += call(i64::from(VOTER_ANSWER_TOKENS));
            }
        }
        prop_assert!(spent <= most, "{spent} > {most}");
    }
}

const PLAIN: Model = Model { window: 1_000, answer: 1_000, input: 1_000_000, output: 1_000_000 };

#[test]
fn the_dearest_model_that_may_answer_counts_and_one_without_a_price_does_not() {
    let dear = Model { output: 5_000_000, ..PLAIN };
    let attempt = |call: i64| 40 * call + 32 * call;
    assert_eq!(bound(&played(PLAIN, PLAIN, 1), 1, 1), Some(attempt(2_000)));
    assert_eq!(bound(&played(PLAIN, dear, 1), 1, 1), Some(attempt(6_000)));
    assert_eq!(bound(&played(dear, PLAIN, 1), 1, 1), Some(attempt(6_000)));
    let mut unpriced = played(PLAIN, dear, 1);
    Arc::make_mut(&mut unpriced.providers[1]).spec.models[0].output_micro_usd_per_mtoken = None;
    assert_eq!(bound(&unpriced, 1, 1), Some(attempt(2_000)));
}

#[test]
fn rounds_and_voters_and_attempts_multiply_and_a_voters_answer_is_short() {
    let wordy = Model { window: 10_000, answer: 10_000, input: 0, output: 1_000_000 };
    let of = |attempts, voters, rounds| bound(&played(wordy, PLAIN, attempts), voters, rounds).unwrap();
    assert_eq!(of(1, 1, 1), 40 * 10_000 + 32 * 2_048);
    assert_eq!(of(1, 3, 2), 40 * 10_000 + 3 * 2 * 32 * 2_048);
    assert_eq!(of(3, 3, 2), 3 * of(1, 3, 2));
}

#[test]
fn an_additional_reviewer_is_one_round_more_of_everyone_once_in_a_task() {
    let mut inputs = played(PLAIN, PLAIN, 3);
    let review = json!({"voters": [{"role": "a"}, {"role": "b"}], "rounds": {"max": 2},
        "additionalReviewer": {"role": "arbiter"}});
    inputs.policies = vec![policy("p", &json!({"review": review}), &ready("True", "InForce"))];
    let admitted = admit(&inputs).unwrap();
    let calls = 3 * (40 + 2 * 2 * 32) + (2 + 1) * 32;
    assert_eq!(all_calls(&inputs, &admitted).unwrap().0, calls * 2_000);
}

#[test]
fn what_is_beyond_counting_bounds_nothing() {
    let huge = Model { window: i64::MAX, answer: i64::MAX, input: i64::MAX, output: i64::MAX };
    assert_eq!(bound(&played(huge, PLAIN, 1), 1, 1), None);
    assert_eq!(bound(&played(PLAIN, huge, 1), 1, 1), None, "a fallback's as well");
}

#[test]
fn the_policys_own_voters_are_counted() {
    let inputs = played(PLAIN, PLAIN, 1);
    let admitted = admit(&inputs).unwrap();
    let voters: &[Voter] = &admitted.policy.review.value.voters;
    let most = all_calls(&inputs, &admitted).unwrap().0;
    assert_eq!(most, (40 + i64::try_from(voters.len()).unwrap() * 32) * 2_000);
}
