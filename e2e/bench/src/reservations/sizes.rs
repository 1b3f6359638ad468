//! What is called: the two clients of agents, and how large a call of theirs is. Pure, so that each run of the
//! benchmark makes the same calls in the same order.

use bytes::Bytes;
use golden_crds::model_provider::{ModelSpec, Protocol};

/// What a token of the prompt and one of the answer cost, in micro-USD: those of the examples.
pub(crate) const INPUT_PRICE: i64 = 3;
pub(crate) const OUTPUT_PRICE: i64 = 15;
/// Tokens of one answer that the provider's `maxOutputTokens` allows.
pub(crate) const MOST_OUTPUT: i64 = 32_000;
/// English and JSON have about four bytes a token.
pub(crate) const BYTES_PER_TOKEN: u64 = 4;
/// Which calls are drawn.
const SEED: u64 = 4;
/// A session has so many turns, each of which adds so many bytes to the prompt of the first.
const TURNS: u64 = 10;
const TURN_BYTES: u64 = 4_000;
/// Answers are log-normal: half of them are shorter than this, and one in six more than 3.3 times as long.
const MEDIAN_OUTPUT: f64 = 200.0;
const SPREAD: f64 = 1.2;
/// Calls that the mean is taken of.
const SAMPLE: u64 = 100_000;

/// A client that agents are run with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// Anthropic's Messages; asks for 64,000 tokens of output.
    ClaudeCode,
    /// `OpenAI`'s Responses; names no cap.
    Codex,
}

pub(crate) const CLIENTS: [Client; 2] = [Client::ClaudeCode, Client::Codex];

impl Client {
    /// Its provider's name, which is also that of the client.
    pub(crate) fn provider(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
            Self::Codex => "codex",
        }
    }

    pub(crate) fn protocol(self) -> Protocol {
        match self {
            Self::ClaudeCode => Protocol::Anthropic,
            Self::Codex => Protocol::OpenAI,
        }
    }

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::ClaudeCode => "/v1/messages",
            Self::Codex => "/v1/responses",
        }
    }

    /// What a token of the prompt is reserved at: the dearest of the prices of input, which for Anthropic's protocol is
    /// that of writing it to the cache for an hour.
    pub(crate) fn reserved_input_price(self) -> i64 {
        match self {
            Self::ClaudeCode => 2 * INPUT_PRICE,
            Self::Codex => INPUT_PRICE,
        }
    }

    /// The bytes of a session's first request.
    fn first_bytes(self) -> u64 {
        match self {
            Self::ClaudeCode => 86_000,
            Self::Codex => 40_000,
        }
    }
}

/// The model of both.
pub(crate) fn model() -> ModelSpec {
    ModelSpec {
        name: "standard".into(),
        context_window: 200_000,
        max_output_tokens: MOST_OUTPUT,
        input_micro_usd_per_mtoken: Some(INPUT_PRICE * 1_000_000),
        output_micro_usd_per_mtoken: Some(OUTPUT_PRICE * 1_000_000),
        ..ModelSpec::default()
    }
}

/// One call: who makes it, how long its request is, and how many tokens the model would answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Size {
    pub(crate) client: Client,
    pub(crate) bytes: u64,
    pub(crate) output: u64,
}

impl Size {
    /// Of call number `number`.
    pub(crate) fn of(number: u64) -> Self {
        let mut draws = Draws(SEED.wrapping_add(number.wrapping_mul(0xD134_2543_DE82_EF95)));
        let client = if draws.next().is_multiple_of(2) { Client::ClaudeCode } else { Client::Codex };
        let bytes = client.first_bytes() + draws.next() % TURNS * TURN_BYTES;
        let output = (MEDIAN_OUTPUT * (SPREAD * draws.normal()).exp()).clamp(1.0, f64::from(32_000));
        // Between 1 and 32,000.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let output = output as u64;
        Self { client, bytes, output }
    }

    /// What it costs if it is not cut off, in micro-USD.
    fn cost(self) -> i64 {
        cost((self.bytes / BYTES_PER_TOKEN).cast_signed(), self.output.cast_signed())
    }
}

/// What so many tokens cost, in micro-USD.
pub(crate) fn cost(input: i64, output: i64) -> i64 {
    input * INPUT_PRICE + output * OUTPUT_PRICE
}

/// What a call costs in the mean, in micro-USD.
pub(crate) fn mean_cost() -> i64 {
    let all: i64 = (0..SAMPLE).map(|number| Size::of(number).cost()).sum();
    all / SAMPLE.cast_signed()
}

/// The request of call number `number`, as long as its size says. The recorded upstream is told how long its answer is
/// by what clients send beside the prompt.
pub(crate) fn body(number: u64, size: Size) -> Bytes {
    let Size { client, bytes, output } = size;
    let (head, tail) = match client {
        Client::ClaudeCode => (
            r#"{"model":"standard","max_tokens":64000,"system":"Role: developer\nAttempt: 1\n"#,
            format!(
                r#"","metadata":{{"user_id":"{output}"}},"messages":[{{"role":"user","content":"{GOAL} Call {number}."}}]}}"#
            ),
        ),
        Client::Codex => (
            r#"{"model":"standard","instructions":"Role: developer\nAttempt: 1\n"#,
            format!(
                r#"","metadata":{{"user_id":"{output}"}},"input":[{{"type":"message","role":"user","content":"{GOAL} Call {number}."}}]}}"#
            ),
        ),
    };
    let room = usize::try_from(bytes).unwrap_or(0).saturating_sub(head.len() + tail.len());
    let mut text = String::with_capacity(head.len() + room + tail.len());
    text.push_str(head);
    while text.len() < head.len() + room {
        let left = head.len() + room - text.len();
        text.push_str(FILLER.get(..left.min(FILLER.len())).unwrap_or_default());
    }
    text.push_str(&tail);
    text.into()
}

/// The recorded model knows the task by the words of its goal.
const GOAL: &str = "slugify() drops non-ASCII letters. Transliterate them.";
/// Stands for tools, instructions and what was said before.
const FILLER: &str = "A tool is described here by what it takes, what it gives and when it is to be used. ";

/// A sequence of numbers by its seed: SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators).
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Above 0 and at most 1.
    fn unit(&mut self) -> f64 {
        let high = u32::try_from(self.next() >> 32).unwrap_or(u32::MAX);
        (f64::from(high) + 1.0) / (f64::from(u32::MAX) + 1.0)
    }

    /// Of a normal distribution, by Box and Muller.
    fn normal(&mut self) -> f64 {
        let (radius, angle) = (self.unit(), self.unit());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_the_same_in_each_run_and_differs_from_the_others() {
        assert_eq!(Size::of(7), Size::of(7));
        let sizes: Vec<Size> = (0..1000).map(Size::of).collect();
        let claude = sizes.iter().filter(|s| s.client == Client::ClaudeCode).count();
        assert!((400..600).contains(&claude), "{claude}");
        assert!(sizes.iter().all(|s| (40_000..=122_000).contains(&s.bytes)));
        assert_ne!(body(1, Size::of(1)), body(2, Size { ..Size::of(1) }));
    }

    #[test]
    fn answers_have_the_documented_median_and_a_long_tail() {
        let mut outputs: Vec<u64> = (0..10_001).map(|number| Size::of(number).output).collect();
        outputs.sort_unstable();
        assert!((185..215).contains(&outputs[5000]), "{}", outputs[5000]);
        assert!(outputs[8400] > 560 && outputs[10_000] > 4_096 && outputs[10_000] <= 32_000);
    }

    #[test]
    fn a_body_is_json_as_long_as_its_size_says() {
        for number in 0..20 {
            let size = Size::of(number);
            let body = body(number, size);
            assert_eq!(body.len() as u64, size.bytes);
            let read: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(read["metadata"]["user_id"], size.output.to_string());
            let asked = read.get("max_tokens").and_then(serde_json::Value::as_u64);
            assert_eq!(asked, (size.client == Client::ClaudeCode).then_some(64_000));
        }
    }
}
