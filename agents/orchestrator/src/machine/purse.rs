//! Whether a held call, made again, would get another answer: the ledger's own rule on what its accounts have now.
//!
//! Only a look: nothing is reserved here, and whoever calls next may be faster. The gateway decides again.

use golden_ledger::{Account, Amount, Refusal, reserve};
use golden_platform::wire::HeldCall;

/// An account that pays for the task, as it is in the present period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purse {
    pub account: Account,
    /// A call that it cannot pay fails: its budget says so, or more was refused.
    pub fails: bool,
    /// It pays for nothing any more.
    pub is_gone: bool,
}

/// Whether one of the calls could be paid by all of these accounts (root first), if only for a shorter answer, or would
/// be refused for good. A task without accounts is refused.
pub fn ask_again<'a>(held: impl IntoIterator<Item = &'a HeldCall>, path: &[Purse]) -> bool {
    if path.is_empty() || path.iter().any(|purse| purse.is_gone) {
        return true;
    }
    let accounts: Vec<Account> = path.iter().map(|purse| purse.account).collect();
    held.into_iter().any(|call| match reserve(&accounts, least(call)) {
        // As the ledger answers: one that makes the task fail is told before one that makes it wait.
        Err(Refusal::Exhausted(lacking)) => {
            lacking.iter().any(|short| path.get(short.index).is_some_and(|purse| purse.fails))
        }
        Ok(_) | Err(_) => true,
    })
}

/// The least the call can be made with. Older gateways do not tell it, or what it needs in all.
fn least(call: &HeldCall) -> Amount {
    let told = [
        Amount::new(call.least_micro_usd, call.least_tokens),
        Amount::new(call.needs_micro_usd, call.needs_tokens),
    ];
    let missing = Amount::new(call.missing_micro_usd, call.missing_tokens);
    told.into_iter().find(|amount| !amount.is_zero()).unwrap_or(missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use golden_ledger::{Limit, MicroUsd};

    fn purse(limit: i64, spent: i64) -> Purse {
        let limit = Limit { cost: Some(MicroUsd(limit)), tokens: None };
        let account = Account { limit, spent: Amount::new(spent, 0), ..Account::default() };
        Purse { account, fails: false, is_gone: false }
    }

    fn call(needs: i64, least: i64) -> HeldCall {
        HeldCall {
            account: "Budget shop/monthly".into(),
            missing_micro_usd: 30,
            on_exhausted: "Pause".into(),
            needs_micro_usd: needs,
            least_micro_usd: least,
            ..HeldCall::default()
        }
    }

    #[test]
    fn every_account_of_the_path_must_pay_for_the_least_of_one_call() {
        for (path, calls, want, why) in [
            (vec![purse(100, 50), purse(100, 0)], vec![call(60, 50)], true, "a shorter answer can be paid"),
            (vec![purse(100, 51), purse(100, 0)], vec![call(60, 50)], false, "the root lacks one"),
            (
                vec![purse(100, 0), purse(100, 51)],
                vec![call(60, 50)],
                false,
                "the task's own limit lacks one",
            ),
            (vec![purse(100, 50)], vec![call(60, 0)], false, "an older gateway tells the whole alone"),
            (vec![purse(100, 40)], vec![call(60, 0)], true, "the whole fits"),
            (vec![purse(100, 70)], vec![call(0, 0)], true, "an older one yet tells what was missing"),
            (vec![purse(100, 71)], vec![call(0, 0)], false, "of which one is missing"),
            (vec![purse(100, 90)], vec![call(60, 50), call(10, 10)], true, "the smaller of two can be paid"),
            (vec![], vec![call(1, 1)], true, "without accounts the gateway refuses"),
        ] {
            assert_eq!(ask_again(&calls, &path), want, "{why}");
        }
    }

    #[test]
    fn a_call_that_would_be_refused_for_good_is_made_again_to_hear_it() {
        let (empty, full) = (purse(10, 10), purse(100, 0));
        let short = |purse: Purse| ask_again(&[call(60, 50)], &[purse, full]);
        assert!(!short(empty));
        assert!(short(Purse { fails: true, ..empty }) && short(Purse { is_gone: true, ..empty }));
        let fails = |limit| Purse { fails: true, ..purse(limit, 0) };
        assert!(
            ask_again(&[call(60, 50)], &[fails(40), empty]),
            "an end is told first, however little it lacks"
        );
        assert!(!ask_again(&[call(60, 50)], &[fails(100), empty]), "one that can pay says nothing");
    }

    #[test]
    fn an_overage_blocks_until_a_person_has_seen_it() {
        let mut over = purse(100, 0);
        over.account.overage = Amount::new(1, 0);
        assert!(!ask_again(&[call(10, 10)], &[over]));
    }
}
