use crate::{Amount, CacheWrites, MicroUsd, PriceError, Prices, Usage, actual, affordable_output, bound};
use proptest::prelude::*;

const PRICES: Prices = Prices {
    input: 3_000_000,
    output: 15_000_000,
    cached_input: Some(300_000),
    cache_write: Some(3_000_000),
    long_cache_write: None,
};

#[test]
fn bound_counts_every_byte_as_a_token_and_the_whole_cap() {
    assert_eq!(bound(1_000, 500, &PRICES), Ok(Amount::new(3_000 + 7_500, 1_500)));
    assert_eq!(bound(0, 0, &PRICES), Ok(Amount::ZERO));
}

#[test]
fn nothing_is_free_by_rounding() {
    let cheap = Prices { input: 1, output: 1, ..Prices::default() };
    assert_eq!(bound(1, 0, &cheap).unwrap().cost, MicroUsd(1));
    assert_eq!(bound(500_000, 500_000, &cheap).unwrap().cost, MicroUsd(1));
    assert_eq!(bound(500_000, 500_001, &cheap).unwrap().cost, MicroUsd(2));
    let usage = Usage { output_tokens: 1, ..Usage::default() };
    assert_eq!(actual(&usage, &cheap).unwrap().cost, MicroUsd(1));
    let own = Prices::default();
    assert_eq!(bound(10, 10, &own), Ok(Amount::new(0, 20)));
}

#[test]
fn cached_input_has_its_own_price_and_the_bound_the_dearer_one() {
    let usage =
        Usage { input_tokens: 1_000, cached_input_tokens: 400, output_tokens: 100, ..Usage::default() };
    assert_eq!(actual(&usage, &PRICES), Ok(Amount::new(600 * 3 + 120 + 1_500, 1_100)));
    let dear = Prices { cached_input: Some(6_000_000), ..PRICES };
    assert_eq!(bound(1_000, 0, &dear).unwrap().cost, MicroUsd(6_000));
    let same = Prices { cached_input: None, ..PRICES };
    assert_eq!(actual(&usage, &same).unwrap().cost, MicroUsd(3_000 + 1_500));
}

#[test]
fn writing_to_the_cache_has_its_own_prices_and_the_bound_the_dearest() {
    let prices = Prices { cache_write: Some(3_750_000), long_cache_write: Some(6_000_000), ..PRICES };
    let usage = Usage {
        input_tokens: 1_000,
        cached_input_tokens: 400,
        cache_write_tokens: 200,
        long_cache_write_tokens: 100,
        output_tokens: 10,
    };
    let cost = 300 * 3 + 120 + 750 + 600 + 150;
    assert_eq!(actual(&usage, &prices), Ok(Amount::new(cost, 1_010)));
    assert_eq!(bound(1_000, 10, &prices), Ok(Amount::new(6_000 + 150, 1_010)));
    let plain = Prices { cache_write: None, long_cache_write: None, ..PRICES };
    assert_eq!(actual(&usage, &plain), Ok(Amount::new(600 * 3 + 120 + 150, 1_010)));
}

#[test]
fn what_a_call_does_not_ask_to_be_written_is_not_reserved_for() {
    let prices = Prices { cache_write: Some(3_750_000), long_cache_write: Some(6_000_000), ..PRICES };
    for (asked, price) in
        [(CacheWrites::None, 3_000), (CacheWrites::Short, 3_750), (CacheWrites::Long, 6_000)]
    {
        assert_eq!(bound(1_000, 0, &prices.of_writes(asked)).unwrap().cost, MicroUsd(price), "{asked:?}");
    }
    // A provider that asks more for what is read from its cache than for other input is believed.
    let odd = Prices { cached_input: Some(9_000_000), ..prices };
    assert_eq!(bound(1_000, 0, &odd.of_writes(CacheWrites::None)).unwrap().cost, MicroUsd(9_000));
}

#[test]
fn parts_above_the_whole_input_are_cut_to_it_the_dearest_first() {
    let prices = Prices { cache_write: Some(3_750_000), ..PRICES };
    let usage = |cached_input_tokens, cache_write_tokens| Usage {
        input_tokens: 100,
        cached_input_tokens,
        cache_write_tokens,
        ..Usage::default()
    };
    assert_eq!(actual(&usage(i64::MAX, 0), &prices), Ok(Amount::new(30, 100)));
    assert_eq!(actual(&usage(100, 80), &prices), Ok(Amount::new(300 + 6, 100)));
    assert_eq!(actual(&usage(i64::MAX, i64::MAX), &prices), Ok(Amount::new(375, 100)));
}

#[test]
fn malformed_usage_prices_and_overflow_are_refused() {
    let usage = |input_tokens, cached_input_tokens, output_tokens| Usage {
        input_tokens,
        cached_input_tokens,
        output_tokens,
        ..Usage::default()
    };
    assert_eq!(actual(&usage(-1, 0, 0), &PRICES), Err(PriceError::NegativeUsage));
    assert_eq!(actual(&usage(0, -1, 0), &PRICES), Err(PriceError::NegativeUsage));
    assert_eq!(actual(&usage(0, 0, -1), &PRICES), Err(PriceError::NegativeUsage));
    for bad in [
        Prices { input: -1, ..PRICES },
        Prices { output: -1, ..PRICES },
        Prices { cached_input: Some(-1), ..PRICES },
        Prices { cache_write: Some(-1), ..PRICES },
        Prices { long_cache_write: Some(-1), ..PRICES },
    ] {
        assert_eq!(bound(1, 1, &bad), Err(PriceError::NegativePrice));
        assert_eq!(actual(&usage(1, 0, 1), &bad), Err(PriceError::NegativePrice));
    }
    let dearest = Prices { input: i64::MAX, output: i64::MAX, cached_input: Some(i64::MAX), ..PRICES };
    assert_eq!(bound(u64::MAX, u64::MAX, &dearest), Err(PriceError::Overflow));
    assert_eq!(bound(1, i64::MAX.unsigned_abs(), &PRICES), Err(PriceError::Overflow));
    assert_eq!(actual(&usage(1_000_000_000, 0, 0), &dearest), Err(PriceError::Overflow));
    for absurd in
        [usage(1_000_000_001, 0, 0), usage(0, 0, 1_000_000_001), usage(i64::MAX, i64::MAX, i64::MAX)]
    {
        assert_eq!(actual(&absurd, &PRICES), Err(PriceError::AbsurdUsage), "free models count too");
    }
}

#[test]
fn money_is_written_for_people() {
    for (micro, shown, exact) in [
        (0, "$0.00", "$0.00"),
        (61_240, "$0.06", "$0.06124"),
        (61, "$0.000061", "$0.000061"),
        (5_000, "$0.005", "$0.005"),
        (9_999, "$0.009999", "$0.009999"),
        (10_000, "$0.01", "$0.01"),
        (14_999, "$0.01", "$0.014999"),
        (15_000, "$0.02", "$0.015"),
        (500_000, "$0.50", "$0.50"),
        (12_345_678, "$12.35", "$12.345678"),
        (999_999, "$1.00", "$0.999999"),
        (-61_240, "-$0.06", "-$0.06124"),
        (-1, "-$0.000001", "-$0.000001"),
        (i64::MIN, "-$9223372036854.78", "-$9223372036854.775808"),
    ] {
        assert_eq!((MicroUsd(micro).to_string().as_str(), MicroUsd(micro).exact().as_str()), (shown, exact));
    }
}

fn any_prices() -> impl Strategy<Value = Prices> {
    let price = || 0..100_000_000i64;
    let part = || proptest::option::of(0..100_000_000i64);
    (price(), price(), part(), part(), part()).prop_map(
        |(input, output, cached_input, cache_write, long_cache_write)| Prices {
            input,
            output,
            cached_input,
            cache_write,
            long_cache_write,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn actual_never_exceeds_the_bound_it_was_reserved_under(
        prices in any_prices(), bytes in 0..1_000_000u64, cap in 0..200_000u64, shares in (0..=100u64, 0..=100u64, 0..=100u64),
        // Also more than there is: a provider may count wrongly.
        (cached, write, long_write) in (0..=1_500_000i64, 0..=1_500_000i64, 0..=1_500_000i64),
    ) {
        let input = bytes * shares.0 / 100;
        let output = cap * shares.2 / 100;
        let token = |n: u64| i64::try_from(n).unwrap();
        let usage = Usage {
            input_tokens: token(input),
            cached_input_tokens: cached * i64::try_from(shares.1).unwrap() / 100,
            cache_write_tokens: write,
            long_cache_write_tokens: long_write,
            output_tokens: token(output),
        };
        let (most, used) = (bound(bytes, cap, &prices).unwrap(), actual(&usage, &prices).unwrap());
        prop_assert!(used.cost <= most.cost && used.tokens <= most.tokens);
    }

    #[test]
    fn affordable_output_fits_and_one_token_more_does_not(
        prices in any_prices(), bytes in 0..100_000u64, cost in 0..1_000_000i64, tokens in 0..500_000i64,
    ) {
        let available = Amount::new(cost, tokens);
        let fits = |cap: u64| {
            let needed = bound(bytes, cap, &prices).unwrap();
            needed.cost <= available.cost && needed.tokens <= available.tokens
        };
        match affordable_output(bytes, available, &prices).unwrap() {
            None => prop_assert!(!fits(0)),
            Some(cap) => prop_assert!(fits(cap) && !fits(cap + 1)),
        }
    }
}
