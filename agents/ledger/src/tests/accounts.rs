use crate::{Account, Amount, AmountError, Effect, Limit, MicroUsd, Refusal, Shortfall, reserve};

fn account(limit: Option<i64>, spent: i64, reserved: i64) -> Account {
    let limit = Limit { cost: limit.map(MicroUsd), tokens: None };
    Account { limit, spent: Amount::new(spent, 0), reserved: Amount::new(reserved, 0), ..Account::default() }
}

fn shortfalls(path: &[Account], amount: Amount) -> Vec<Shortfall> {
    match reserve(path, amount) {
        Err(Refusal::Exhausted(shortfalls)) => shortfalls,
        other => panic!("{other:?}"),
    }
}

#[test]
fn last_micro_dollar_can_be_reserved_and_no_more() {
    let path = [account(Some(100), 60, 30)];
    assert_eq!(reserve(&path, Amount::new(10, 0)).unwrap().reserved, Amount::new(10, 0));
    let lacking = shortfalls(&path, Amount::new(11, 0));
    assert_eq!((lacking[0].missing, lacking[0].available.cost), (Amount::new(1, 0), MicroUsd(10)));
}

#[test]
fn every_account_of_the_path_must_be_able_to_pay_and_all_that_cannot_are_named() {
    let path = [account(Some(1_000), 995, 0), account(None, 0, 0), account(Some(20), 0, 18)];
    let lacking = shortfalls(&path, Amount::new(10, 0));
    let named: Vec<(usize, i64)> = lacking.iter().map(|s| (s.index, s.missing.cost.0)).collect();
    assert_eq!(named, [(2, 8), (0, 5)]);
    assert!(reserve(&path, Amount::new(2, 0)).is_ok());
}

#[test]
fn tokens_are_limited_like_money() {
    let limit = Limit { cost: Some(MicroUsd(100)), tokens: Some(50) };
    let path = [Account { limit, spent: Amount::new(0, 45), ..Account::default() }];
    assert_eq!(shortfalls(&path, Amount::new(1, 6))[0].missing, Amount::new(0, 1));
    assert!(reserve(&path, Amount::new(100, 5)).is_ok());
}

#[test]
fn bad_amounts_and_empty_paths_are_refused() {
    let path = [account(None, 0, 0)];
    assert_eq!(reserve(&path, Amount::new(-1, 0)), Err(Refusal::Amount(AmountError::Negative)));
    assert_eq!(reserve(&path, Amount::new(0, -1)), Err(Refusal::Amount(AmountError::Negative)));
    let full = [account(None, i64::MAX, 0)];
    assert_eq!(reserve(&full, Amount::new(1, 0)), Err(Refusal::Amount(AmountError::Overflow)));
    assert_eq!(reserve(&[], Amount::new(1, 0)), Err(Refusal::NoAccount));
}

#[test]
fn lowered_limit_blocks_new_money_without_breaking_the_row() {
    let before = account(Some(100), 40, 30);
    let after = before.edit_limit(Limit { cost: Some(MicroUsd(10)), tokens: None }).unwrap();
    assert!(after.row_holds());
    assert_eq!(shortfalls(&[after], Amount::new(1, 0))[0].missing.cost, MicroUsd(61));
    // What was reserved may still be spent, and what comes back is not handed out above the new limit.
    let settled =
        after.apply(&Effect { reserved: Amount::new(-30, 0), spent: Amount::new(5, 0), ..Effect::default() });
    let settled = settled.unwrap();
    assert!(settled.row_holds());
    assert_eq!(shortfalls(&[settled], Amount::new(1, 0))[0].missing.cost, MicroUsd(36));
    // Without the edit's mark the same row would be refused by the constraint.
    assert!(!Account { committed_at_edit: Amount::ZERO, ..after }.row_holds());
}

#[test]
fn overage_blocks_until_a_person_edits_the_limit() {
    let over = Account { overage: Amount::new(3, 0), ..account(Some(100), 50, 0) };
    let lacking = shortfalls(&[over], Amount::new(1, 0));
    assert_eq!((lacking[0].missing, lacking[0].overage), (Amount::ZERO, Amount::new(3, 0)));
    let edited = over.edit_limit(Limit { cost: Some(MicroUsd(101)), tokens: None }).unwrap();
    assert_eq!((edited.spent, edited.overage), (Amount::new(53, 0), Amount::ZERO));
    assert!(reserve(&[edited], Amount::new(48, 0)).is_ok());
    assert!(reserve(&[edited], Amount::new(49, 0)).is_err());
}

#[test]
fn a_grant_stands_beside_the_limit_takes_the_overage_in_and_ends_with_the_period() {
    let over = Account { overage: Amount::new(3, 0), ..account(Some(100), 90, 10) };
    assert_eq!(over.missing(Amount::new(20, 0)).unwrap().unwrap().missing, Amount::new(23, 0));
    let granted = over.grant(Amount::new(23, 0)).unwrap();
    assert_eq!(
        (granted.granted, granted.spent, granted.overage),
        (Amount::new(23, 0), Amount::new(93, 0), Amount::ZERO)
    );
    assert_eq!(granted.missing(Amount::new(20, 0)), Ok(None));
    assert_eq!(granted.missing(Amount::new(21, 0)).unwrap().unwrap().missing, Amount::new(1, 0));
    assert!(granted.row_holds() && reserve(&[granted], Amount::new(20, 0)).is_ok());
    let next = granted.roll();
    assert_eq!((next.granted, next.available().unwrap().cost), (Amount::ZERO, MicroUsd(90)));
    assert!(next.row_holds());
    // What is granted bounds nothing where there is no limit.
    assert_eq!(
        account(None, 5, 0).grant(Amount::new(1, 1)).unwrap().available().unwrap().cost,
        MicroUsd(i64::MAX)
    );
    assert_eq!(over.grant(Amount::new(-1, 0)), Err(AmountError::Negative));
}

#[test]
fn an_overage_blocks_only_what_is_limited() {
    let over = |limit: Limit| Account { limit, overage: Amount::new(3, 7), ..Account::default() };
    let free = over(Limit::default());
    assert_eq!(free.missing(Amount::new(1, 1)), Ok(None), "nothing was promised");
    let tokens = over(Limit { cost: None, tokens: Some(100) });
    let lacks = tokens.missing(Amount::new(1, 1)).unwrap().unwrap();
    assert_eq!((lacks.missing, lacks.overage), (Amount::ZERO, Amount::new(0, 7)));
    let cost = over(Limit { cost: Some(MicroUsd(100)), tokens: None });
    assert_eq!(cost.missing(Amount::ZERO).unwrap().unwrap().overage, Amount::new(3, 0));
}

#[test]
fn nothing_is_released_below_zero() {
    let twice = Effect { reserved: Amount::new(-31, 0), ..Effect::default() };
    assert_eq!(account(Some(100), 40, 30).apply(&twice), Err(AmountError::Negative));
}

#[test]
fn an_amount_in_words_leaves_out_what_is_none_of_it() {
    for (cost, tokens, want) in [
        (0, 0, None),
        (100_000, 0, Some("$0.10")),
        (0, 500, Some("500 tokens")),
        (100_001, 7, Some("$0.100001 and 7 tokens")),
    ] {
        assert_eq!(Amount::new(cost, tokens).words().as_deref(), want);
    }
}
