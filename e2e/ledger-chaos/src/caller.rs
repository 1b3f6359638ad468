//! One of many callers: mostly as a gateway asks, sometimes twice, too late, in the wrong order, or about another
//! caller's call. What it asks follows from its seed and from the answers.

use crate::amount::{Amount, Both};
use crate::calls;
use crate::client::Client;
use crate::edits;
use crate::history::{Answer, Ask, Call, Event, State};
use crate::world::PATHS;
use golden_chaos::Seed;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use uuid::Uuid;

/// Calls that a caller has in hand. Those that fall out are not heard of again: their leases end.
const IN_HAND: usize = 8;
/// A call is asked about at most so often by its caller, so that its story stays short enough to be checked.
const MOST: u32 = 24;
const PAUSE: Duration = Duration::from_millis(20);

/// What all callers of a round share.
pub(crate) struct Crew {
    pub(crate) client: Client,
    pub(crate) seed: u64,
    pub(crate) tasks: [Uuid; PATHS.len()],
    /// How many calls each caller has begun.
    pub(crate) begun: Vec<AtomicU64>,
    /// Questions asked so far by all, and when to end.
    pub(crate) asked: AtomicU64,
    pub(crate) operations: u64,
}

/// A call in hand, and what its caller heard last.
struct Hand {
    call: Call,
    heard: Option<State>,
    /// What it may use: as it was told, and until then the least that it can have been granted.
    bound: Amount,
    /// There was no money for it the last time, or it never makes sense.
    refused: bool,
    asked: u32,
}

pub(crate) type Told = Vec<(Call, Event)>;

impl Crew {
    /// Questions asked so far.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Whether nobody edits now, and there is money.
    pub(crate) fn calm(&self) -> bool {
        edits::is_calm(self.asked())
    }

    pub(crate) fn over(&self) -> bool {
        self.asked() >= self.operations
    }

    fn hand(&self, caller: usize, n: u64) -> Hand {
        let call = calls::call(self.seed, caller, n);
        Hand { bound: call.floor(), call, heard: None, refused: false, asked: 0 }
    }
}

/// Asks until the round is over.
pub(crate) async fn call(crew: Arc<Crew>, caller: usize) -> Told {
    let mut seed = Seed::of(crew.seed, &format!("caller-{caller}"));
    let (mut told, mut hands) = (Told::new(), Vec::<Hand>::new());
    while !crew.over() {
        let chance = seed.below(100);
        if hands.is_empty() || chance < 30 {
            let n = crew.begun[caller].fetch_add(1, Ordering::Relaxed);
            hands.insert(0, crew.hand(caller, n));
            hands.truncate(IN_HAND);
            one(&crew, &mut told, &mut hands[0], &[Ask::Reserve { dispatch: seed.below(2) == 0 }]).await;
        } else if chance < 35 {
            about_another(&crew, &mut told, &mut seed, caller).await;
        } else {
            let at = seed.index(hands.len());
            let (hand, calm) = (&mut hands[at], crew.calm());
            let asks = match chance {
                35..42 => vec![anything(&mut seed, hand, calm)],
                42..50 => vec![next(&mut seed, hand, calm); 2],
                _ => vec![next(&mut seed, hand, calm)],
            };
            one(&crew, &mut told, hand, &asks).await;
            // Some go on about calls that are over, and some wait for money; most turn to something new.
            let over = ended(hand) || hand.refused;
            if hand.asked >= MOST || (over && seed.below(3) > 0) {
                hands.remove(at);
            }
        }
    }
    told
}

/// Asks, all at once if there are several, and remembers what is heard.
async fn one(crew: &Crew, told: &mut Told, hand: &mut Hand, asks: &[Ask]) {
    let task = crew.tasks[hand.call.task];
    let asking = asks.iter().map(|ask| crew.client.ask(&hand.call, task, *ask));
    for event in futures::future::join_all(asking).await {
        hand.asked += 1;
        let Some(event) = event else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        crew.asked.fetch_add(1, Ordering::Relaxed);
        hand.refused = matches!(event.answer, Answer::Exhausted | Answer::Invalid);
        hand.heard = event.answer.state().or(hand.heard);
        hand.bound = event.answer.bound(hand.call.whole).unwrap_or(hand.bound);
        if event.answer == Answer::None {
            tokio::time::sleep(PAUSE).await;
        }
        told.push((hand.call.clone(), event));
    }
}

/// A question about a call that a neighbour has just begun.
async fn about_another(crew: &Crew, told: &mut Told, seed: &mut Seed, caller: usize) {
    let neighbour = (caller + 1) % crew.begun.len();
    let begun = crew.begun[neighbour].load(Ordering::Relaxed);
    let Some(n) = begun.checked_sub(1 + seed.below(3)) else { return };
    let mut hand = crew.hand(neighbour, n);
    let ask = anything(seed, &hand, crew.calm());
    one(crew, told, &mut hand, &[ask]).await;
}

fn ended(hand: &Hand) -> bool {
    matches!(hand.heard, Some(State::Settled | State::Released | State::Unknown))
}

/// What a good caller asks next.
fn next(seed: &mut Seed, hand: &Hand, calm: bool) -> Ask {
    let chance = seed.below(100);
    match hand.heard {
        None => Ask::Reserve { dispatch: chance < 50 },
        Some(State::Reserved) if chance < 80 => Ask::Dispatch,
        Some(State::Reserved) => Ask::Release,
        Some(State::Dispatched) if chance < 8 => Ask::Abandon,
        Some(_) => settle(seed, hand, calm),
    }
}

/// Less than was reserved, as much, and now and then more: in one part, or in both as if all had been granted.
fn settle(seed: &mut Seed, hand: &Hand, calm: bool) -> Ask {
    let (bound, whole) = (hand.bound, hand.call.whole);
    // More than was reserved stops everything until the next edit, and in a calm time there is none.
    let used = match seed.between(if calm { 4 } else { 0 }, 399) {
        0 => Both { cost: bound.cost + seed.between(1, 20), ..bound },
        1 => Both { tokens: bound.tokens + seed.between(1, 20), ..bound },
        2..4 => whole,
        4..80 => bound,
        80..100 => Both::same(0),
        _ => bound.each(|most| seed.between(0, most)),
    };
    Ask::Settle { used }
}

fn anything(seed: &mut Seed, hand: &Hand, calm: bool) -> Ask {
    match seed.below(6) {
        0 => Ask::Dispatch,
        1 => settle(seed, hand, calm),
        2 => Ask::Release,
        3 => Ask::Abandon,
        // Another request under a key only where the key is known to have one.
        4 if hand.heard.is_some() => Ask::ReserveOther,
        _ => Ask::Reserve { dispatch: seed.below(2) == 0 },
    }
}
