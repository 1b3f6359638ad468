use crate::{Account, Amount, Effect, Limit, MicroUsd, Range, Refusal, reserve, reserve_share};
use proptest::prelude::*;

fn account(limit: i64, spent: i64, reserved: i64) -> Account {
    Account {
        limit: Limit { cost: Some(MicroUsd(limit)), tokens: None },
        spent: Amount::new(spent, 0),
        reserved: Amount::new(reserved, 0),
        ..Account::default()
    }
}

fn range(least: i64, whole: i64) -> Range {
    Range { least: Amount::new(least, least), whole: Amount::new(whole, whole) }
}

fn granted(path: &[Account], range: Range) -> i64 {
    reserve_share(path, range).unwrap().reserved.cost.0
}

#[test]
fn while_there_is_plenty_a_call_gets_the_whole_of_its_bound() {
    assert_eq!(granted(&[account(1000, 0, 0)], range(10, 100)), 100);
    // As much is left as the others hold, and this call's own bound.
    assert_eq!(granted(&[account(1000, 100, 400)], range(10, 100)), 100);
    assert_eq!(granted(&[account(1000, 101, 400)], range(10, 100)), 99);
}

#[test]
fn one_alone_gets_the_whole_rest() {
    assert_eq!(granted(&[account(100, 40, 0)], range(10, 100)), 60);
}

#[test]
fn what_is_left_is_shared_with_the_calls_under_way() {
    // Three more of the same size are under way: a quarter each.
    assert_eq!(granted(&[account(1000, 500, 300)], range(10, 100)), 50);
    assert_eq!(granted(&[account(1000, 680, 300)], range(10, 100)), 10, "no less than the least");
    let refused = reserve_share(&[account(1000, 691, 300)], range(10, 100));
    let Err(Refusal::Exhausted(lacking)) = refused else { panic!("{refused:?}") };
    assert_eq!(lacking[0].missing.cost, MicroUsd(91), "what the whole lacks");
}

#[test]
fn the_tightest_account_and_the_tightest_limit_decide() {
    let path = [account(1000, 0, 0), account(100, 40, 0)];
    assert_eq!(granted(&path, range(10, 100)), 60);
    let tokens =
        Account { limit: Limit { cost: Some(MicroUsd(1000)), tokens: Some(55) }, ..Account::default() };
    let got = reserve_share(&[tokens], range(10, 100)).unwrap().reserved;
    assert_eq!(got, Amount::new(55, 55), "money and tokens go down together");
    assert_eq!(granted(&[Account::default()], range(10, 100)), 100, "without a limit nothing is scarce");
}

#[test]
fn a_range_that_is_none_is_refused() {
    for range in [range(-1, 5), range(6, 5)] {
        assert!(matches!(reserve_share(&[Account::default()], range), Err(Refusal::Amount(_))), "{range:?}");
    }
    assert!(matches!(reserve_share(&[], range(1, 5)), Err(Refusal::NoAccount)));
}

prop_compose! {
    fn any_account()(
        cost in proptest::option::of(0..=i64::MAX / 4), tokens in proptest::option::of(0..=i64::MAX / 4),
        spent in 0..=i64::MAX / 8, reserved in 0..=i64::MAX / 8, small in any::<bool>(),
    ) -> Account {
        let scale = |n: i64| if small { n % 1000 } else { n };
        let limit = Limit { cost: cost.map(|c| MicroUsd(scale(c))), tokens: tokens.map(scale) };
        let (spent, reserved) = (scale(spent), scale(reserved));
        Account {
            limit,
            spent: Amount::new(spent, spent),
            reserved: Amount::new(reserved, reserved),
            ..Account::default()
        }
    }
}

prop_compose! {
    fn any_range()(
        least in (0..=i64::MAX / 16, 0..=i64::MAX / 16), more in (0..=i64::MAX / 16, 0..=i64::MAX / 16),
        small in any::<bool>(),
    ) -> Range {
        let scale = |n: i64| if small { n % 300 } else { n };
        let least = Amount::new(scale(least.0), scale(least.1));
        let whole = least.plus(Amount::new(scale(more.0), scale(more.1))).unwrap();
        Range { least, whole }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_share_is_within_its_range_and_within_every_limit(
        path in proptest::collection::vec(any_account(), 1..4), range in any_range(),
    ) {
        let share = reserve_share(&path, range);
        // Refused just where the least is.
        prop_assert_eq!(share.is_ok(), reserve(&path, range.least).is_ok());
        if let Ok(Effect { reserved, .. }) = share {
            let (Range { least, whole }, some) = (range, reserved);
            prop_assert!(least.cost <= some.cost && some.cost <= whole.cost);
            prop_assert!(least.tokens <= some.tokens && some.tokens <= whole.tokens);
            prop_assert!(reserve(&path, some).is_ok(), "what a reservation of just that would get");
        }
    }

    #[test]
    fn all_or_nothing_is_as_it_was(path in proptest::collection::vec(any_account(), 1..4), range in any_range()) {
        prop_assert_eq!(reserve_share(&path, Range::exactly(range.whole)), reserve(&path, range.whole));
    }

    #[test]
    fn those_who_come_later_find_room_until_the_rest_is_too_little_for_anyone(
        limit in 1_000i64..100_000, calls in 2usize..40,
    ) {
        let (mut account, range) = (account(limit, 0, 0), range(10, 1_000));
        let mut got = vec![];
        for _ in 0..calls {
            let Ok(effect) = reserve_share(&[account], range) else { break };
            account = account.apply(&effect).unwrap();
            got.push(effect.reserved.cost.0);
        }
        prop_assert!(got.is_sorted_by(|a, b| a >= b));
        prop_assert!(account.reserved.cost.0 <= limit);
        prop_assert!(got.len() == calls || limit - account.reserved.cost.0 < 10);
    }
}
