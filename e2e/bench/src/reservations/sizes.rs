//! What is called: the two clients of agents, and how large a call of theirs is. Pure, so that each run of the
//! benchmark makes the same calls in the same order.

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
pub(crate) const TURNS: u64 = 10;
pub(crate) const TURN_BYTES: u64 = 4_000;
/// Answers are log-normal: half of them are shorter than this, and one in six more than 3.3 times as long.
const MEDIAN_OUTPUT: f64 = 200.0;
const SPREAD: f64 = 1.2;
/// Sessions that the mean is taken of.
const SAMPLE: u64 = 10_000;

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

    /// What a million tokens of the prompt are reserved at: Claude Code asks for all of it to be written to the cache for
    /// five minutes, which costs a quarter more than other input.
    pub(crate) fn reserved_input_price(self) -> i64 {
        match self {
            Self::ClaudeCode => INPUT_PRICE * 1_250_000,
            Self::Codex => INPUT_PRICE * 1_000_000,
        }
    }

    /// The bytes of a session's first request.
    pub(crate) fn first_bytes(self) -> u64 {
        match self {
            Self::ClaudeCode => 86_000,
            Self::Codex => 40_000,
        }
    }

    /// Of those, instructions and tools, which all sessions have in common: four fifths of what Claude Code sends first,
    /// nearly all of what Codex does.
    pub(crate) fn common_bytes(self) -> u64 {
        match self {
            Self::ClaudeCode => 68_000,
            Self::Codex => 39_000,
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

/// One call: who makes it, how far its session is, and how many tokens the model would answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Size {
    pub(crate) client: Client,
    pub(crate) session: u64,
    /// Turns before this one.
    pub(crate) turn: u64,
    pub(crate) output: u64,
}

impl Size {
    /// Of a session's turn.
    pub(crate) fn of(session: u64, turn: u64) -> Self {
        let client = if draws(u64::MAX - session).next().is_multiple_of(2) {
            Client::ClaudeCode
        } else {
            Client::Codex
        };
        let mut draws = draws(session * TURNS + turn + 1);
        let output = (MEDIAN_OUTPUT * (SPREAD * draws.normal()).exp()).clamp(1.0, f64::from(32_000));
        // Between 1 and 32,000.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let output = output as u64;
        Self { client, session, turn, output }
    }

    /// How long its request is.
    pub(crate) fn bytes(self) -> u64 {
        self.client.first_bytes() + self.turn * TURN_BYTES
    }

    /// What it costs if it is not cut off, in micro-USD.
    fn cost(self) -> i64 {
        cost((self.bytes() / BYTES_PER_TOKEN).cast_signed(), self.output.cast_signed())
    }
}

/// What so many tokens cost, in micro-USD.
pub(crate) fn cost(input: i64, output: i64) -> i64 {
    input * INPUT_PRICE + output * OUTPUT_PRICE
}

/// What a call costs in the mean, in micro-USD.
pub(crate) fn mean_cost() -> i64 {
    let sessions = (0..SAMPLE).flat_map(|session| (0..TURNS).map(move |turn| Size::of(session, turn)));
    sessions.map(Size::cost).sum::<i64>() / (SAMPLE * TURNS).cast_signed()
}

/// The sessions of one caller: it goes on with one until its last turn, and then begins the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    session: u64,
    turn: u64,
    last: u64,
}

impl Caller {
    /// The caller of that number. Each one's first session ends at another turn: callers that begin at once are not in
    /// step for ever.
    pub(crate) fn new(number: u64) -> Self {
        Self { session: number * 10_000, turn: 0, last: TURNS - 1 - number % TURNS }
    }

    /// Its next call.
    pub(crate) fn next(&mut self) -> Size {
        let size = Size::of(self.session, self.turn);
        if self.turn < self.last {
            self.turn += 1;
        } else {
            *self = Self { session: self.session + 1, turn: 0, last: TURNS - 1 };
        }
        size
    }
}

fn draws(number: u64) -> Draws {
    Draws(SEED.wrapping_add(number.wrapping_mul(0xD134_2543_DE82_EF95)))
}

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

    fn sizes(sessions: u64) -> impl Iterator<Item = Size> {
        (0..sessions).flat_map(|session| (0..TURNS).map(move |turn| Size::of(session, turn)))
    }

    #[test]
    fn a_call_is_the_same_in_each_run_and_differs_from_the_others() {
        assert_eq!(Size::of(7, 3), Size::of(7, 3));
        let claude = (0..1000).filter(|s| Size::of(*s, 0).client == Client::ClaudeCode).count();
        assert!((400..600).contains(&claude), "{claude}");
        assert!(sizes(100).all(|s| (40_000..=122_000).contains(&s.bytes())));
        assert!(sizes(100).all(|s| s.client == Size::of(s.session, 0).client), "a session has one client");
    }

    #[test]
    fn answers_have_the_documented_median_and_a_long_tail() {
        let mut outputs: Vec<u64> = sizes(1000).map(|size| size.output).collect();
        outputs.sort_unstable();
        assert!((185..215).contains(&outputs[5000]), "{}", outputs[5000]);
        assert!(outputs[8400] > 560 && outputs[9999] > 4_096 && outputs[9999] <= 32_000);
    }

    #[test]
    fn a_caller_plays_whole_sessions_after_a_first_one_of_its_own_length() {
        for number in 0..32 {
            let mut caller = Caller::new(number);
            let mut turns = vec![];
            for _ in 0..40 {
                let size = caller.next();
                assert_eq!(size, Size::of(size.session, size.turn));
                turns.push(size.turn);
            }
            let first = usize::try_from(TURNS - number % TURNS).unwrap();
            assert!(turns[..first].iter().copied().eq(0..first as u64), "{turns:?}");
            assert!(turns[first..first + 20].iter().copied().eq((0..TURNS).chain(0..TURNS)), "{turns:?}");
        }
    }
}
