//! What each call of a round asks for. It follows from the seed and the call's name alone, so that whoever asks about
//! a call asks for the same.

use crate::amount::{Amount, Both};
use crate::history::Call;
use crate::world::PATHS;
use golden_chaos::Seed;

/// The `n`th call that a caller begins.
pub(crate) fn call(seed: u64, caller: usize, n: u64) -> Call {
    let key = format!("call-{caller}-{n}");
    let mut seed = Seed::of(seed, &key);
    let whole = Both { cost: size(&mut seed), tokens: size(&mut seed) };
    let task = seed.index(PATHS.len());
    let least = least(&mut seed, whole);
    Call { key, task, whole, least }
}

/// Mostly small; some are nothing, and some as large as what is left of a limit.
fn size(seed: &mut Seed) -> i64 {
    match seed.below(100) {
        0..2 => 0,
        2..9 => seed.between(1000, 4000),
        _ => seed.between(1, 200),
    }
}

/// Half of the calls are all or nothing.
fn least(seed: &mut Seed, whole: Amount) -> Option<Amount> {
    Some(match seed.below(200) {
        0..100 => return None,
        100..108 => whole,
        108..120 => Both::same(0),
        120..128 => Both { tokens: seed.between(0, whole.tokens), ..whole },
        128..136 => Both { cost: seed.between(0, whole.cost), ..whole },
        136..142 => unsound(seed, whole),
        // A call that can be made with far less, as most can.
        142..170 => whole.each(|most| seed.between(0, most / 8)),
        _ => whole.each(|most| seed.between(0, most)),
    })
}

/// One that the ledger has to refuse: above the whole in one part, or negative.
fn unsound(seed: &mut Seed, whole: Amount) -> Amount {
    let wrong = seed.between(1, 50);
    match seed.below(4) {
        0 => Both { cost: whole.cost + wrong, ..whole },
        1 => Both { tokens: whole.tokens + wrong, cost: 0 },
        2 => Both { cost: -wrong, tokens: 0 },
        _ => Both { tokens: -wrong, ..whole },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_follows_from_seed_and_name_and_another_seed_asks_for_something_else() {
        assert_eq!(call(7, 1, 3), call(7, 1, 3));
        assert!((0..20).any(|n| call(7, 1, n) != call(8, 1, n)));
    }

    #[test]
    fn half_of_the_calls_can_be_made_with_less_and_every_edge_is_among_them() {
        type Edge = dyn Fn(&Call, Amount) -> bool;
        let calls: Vec<Call> = (0..2000).map(|n| call(1, 0, n)).collect();
        let count =
            |of: &Edge| calls.iter().filter(|call| call.least.is_some_and(|least| of(call, least))).count();
        let some = count(&|_, _| true);
        assert!((900..1100).contains(&some), "{some} of 2000");
        let edges: [&Edge; 8] = [
            &|call, least| least == call.whole,
            &|call, least| least == Both::same(0) && call.whole.cost > 0,
            &|call, least| least.cost == call.whole.cost && (0..call.whole.tokens).contains(&least.tokens),
            &|call, least| least.tokens == call.whole.tokens && (0..call.whole.cost).contains(&least.cost),
            &|call, least| least.cost > call.whole.cost,
            &|call, least| least.tokens > call.whole.tokens,
            &|_, least| least.cost < 0,
            &|_, least| least.tokens < 0,
        ];
        for (edge, of) in edges.into_iter().enumerate() {
            assert!(count(of) > 4, "edge {edge}: {} of 2000", count(of));
        }
        let refused = calls.iter().filter(|call| !call.is_sound()).count();
        assert!((30..100).contains(&refused), "{refused} of 2000");
    }
}
