use super::*;
use golden_ledger::MicroUsd;

const TASK: Uuid = Uuid::from_u128(7);
const ROOT: Uuid = Uuid::from_u128(1);

fn batch(limit: i64) -> Batch {
    let path: Path = Arc::from([ROOT, TASK]);
    let account = |uid, limit| Held::new(AccountRow::with_limit(uid, limit));
    Batch {
        accounts: [(ROOT, account(ROOT, Some(limit))), (TASK, account(TASK, None))].into(),
        paths: [(TASK, path)].into(),
        ..Batch::default()
    }
}

/// What a request that is not put off comes to.
impl Batch {
    fn now(&mut self, ask: &Ask) -> Result<Said, Error> {
        self.with(ask, &mut Queue::default())
    }

    fn with(&mut self, ask: &Ask, queue: &mut Queue) -> Result<Said, Error> {
        self.decide(ask, queue, Instant::now()).unwrap()
    }

    fn is_put_off(&mut self, ask: &Ask) -> bool {
        self.decide(ask, &mut Queue::default(), Instant::now()).is_none()
    }
}

/// A reserve by the task, all or nothing.
pub(in crate::engine) fn request(key: &str, cost: i64) -> ReserveRequest {
    ReserveRequest {
        op_key: key.into(),
        request_hash: format!("sha256:{key}"),
        team_uid: Uuid::nil(),
        task_uid: TASK,
        try_uid: None,
        attempt: 1,
        role: "developer".into(),
        provider: "p".into(),
        model: "m".into(),
        prompt_digest: "d".into(),
        cost_micro_usd: cost,
        tokens: 0,
        dispatch: false,
        least: None,
    }
}

fn ask(key: &str, cost: i64) -> Ask {
    Ask::Reserve(Box::new(request(key, cost)))
}

fn settle(key: &str, cost: i64) -> Ask {
    let event = Event::Settle { actual: Amount::new(cost, 0) };
    Ask::Move { op_key: key.into(), wanted: Move::of(event) }
}

fn state(said: Result<Said, Error>) -> String {
    match said.unwrap() {
        Said::Moved(state) => state.as_str().into(),
        Said::Reserve(ReserveAnswer::Granted { state, .. }) => state,
        Said::Reserve(other) => format!("{other:?}"),
    }
}

#[test]
fn each_request_sees_what_those_before_it_did() {
    let mut batch = batch(100);
    assert_eq!(state(batch.now(&ask("a", 60))), "Reserved");
    assert!(state(batch.now(&ask("b", 60))).starts_with("Exhausted"), "the first took it");
    assert_eq!(state(batch.now(&ask("a", 60))), "Reserved", "a duplicate takes nothing");
    let dispatch = Ask::Move { op_key: "a".into(), wanted: Move::of(Event::Dispatch) };
    assert_eq!(state(batch.now(&dispatch)), "Dispatched");
    assert_eq!(state(batch.now(&settle("a", 10))), "Settled");
    assert_eq!(state(batch.now(&ask("b", 60))), "Reserved", "the rest came back");
    let root = &batch.accounts[&ROOT];
    assert_eq!(root.after.spent.cost, MicroUsd(10));
    assert_eq!(root.difference().unwrap().reserved.cost, MicroUsd(60));
    assert_eq!(batch.told.len(), 2);
}

#[test]
fn the_same_key_with_another_request_takes_nothing() {
    let mut batch = batch(100);
    batch.now(&ask("a", 10)).unwrap();
    let mut other = request("a", 10);
    other.request_hash = "sha256:other".into();
    let said = batch.now(&Ask::Reserve(Box::new(other))).unwrap();
    assert_eq!(said, Said::Reserve(ReserveAnswer::OtherRequest));
    assert_eq!(batch.accounts[&ROOT].after.reserved.cost, MicroUsd(10));
}

#[test]
fn one_that_fails_changes_nothing() {
    let mut batch = batch(i64::MAX);
    batch.now(&ask("a", i64::MAX)).unwrap();
    assert!(matches!(batch.now(&ask("b", 1)), Err(Error::Amount(_))), "it does not fit 64 bits");
    assert!(matches!(batch.now(&settle("a", 1)), Err(Error::Illegal(_))), "not dispatched");
    assert!(matches!(batch.now(&settle("none", 1)), Err(Error::UnknownKey(_))));
    assert_eq!(batch.accounts[&ROOT].after.reserved.cost, MicroUsd(i64::MAX));
    assert!(!batch.reservations["a"].moved);
}

#[test]
fn a_held_call_gets_the_money_that_came_back_before_a_later_one() {
    let (mut batch, mut queue) = (batch(100), Queue::default());
    for (key, cost) in [("a", 60), ("b", 40)] {
        batch.now(&ask(key, cost)).unwrap();
        let dispatch = Ask::Move { op_key: key.into(), wanted: Move::of(Event::Dispatch) };
        batch.now(&dispatch).unwrap();
    }
    assert!(state(batch.with(&ask("held", 50), &mut queue)).starts_with("Exhausted"));
    batch.now(&settle("a", 10)).unwrap();
    assert!(state(batch.with(&ask("late", 20), &mut queue)).starts_with("Exhausted"), "it is not next");
    assert_eq!(state(batch.with(&ask("held", 50), &mut queue)), "Reserved");
}

#[test]
fn a_busy_account_can_say_no_and_never_yes() {
    let mut batch = batch(100);
    batch.now(&ask("a", 60)).unwrap();
    batch.busy.insert(ROOT);
    assert!(state(batch.now(&ask("large", 60))).starts_with("Exhausted"));
    assert!(batch.is_put_off(&ask("small", 1)));
    let dispatch = Ask::Move { op_key: "a".into(), wanted: Move::of(Event::Dispatch) };
    assert_eq!(state(batch.now(&dispatch)), "Dispatched", "which touches no account");
    assert!(batch.is_put_off(&settle("a", 1)));
    assert_eq!(batch.reservations["a"].reservation.state, State::Dispatched);
}

/// Of a call that can be made with less.
fn ranged(key: &str, least: i64, whole: i64) -> Ask {
    let least = Some(Bound { cost_micro_usd: least, tokens: 0 });
    Ask::Reserve(Box::new(ReserveRequest { least, ..request(key, whole) }))
}

/// What was granted of it; nothing where it waits.
fn got(said: Result<Said, Error>, whole: i64) -> Option<i64> {
    match said.unwrap() {
        Said::Reserve(ReserveAnswer::Granted { bound, .. }) => {
            Some(bound.map_or(whole, |bound| bound.cost_micro_usd))
        }
        Said::Reserve(ReserveAnswer::Exhausted { .. }) => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_call_that_can_be_made_with_less_leaves_the_others_their_part() {
    let mut batch = batch(100);
    assert_eq!(got(batch.now(&ranged("a", 5, 60)), 60), Some(60));
    assert_eq!(
        got(batch.now(&ranged("b", 5, 60)), 60),
        Some(20),
        "half of what is left: one more is under way"
    );
    assert_eq!(got(batch.now(&ranged("c", 5, 60)), 60), Some(8));
    assert_eq!(got(batch.now(&ranged("c", 5, 60)), 60), Some(8), "told again, taken once");
    assert_eq!(batch.accounts[&ROOT].after.reserved.cost, MicroUsd(88));
    assert_eq!(batch.reservations["c"].reservation.amount.cost, MicroUsd(8));
    let Said::Reserve(ReserveAnswer::Exhausted { missing_micro_usd, .. }) =
        batch.now(&ranged("d", 13, 60)).unwrap()
    else {
        panic!("12 are left")
    };
    assert_eq!(missing_micro_usd, 48, "of the whole, which is what a person is told");
}

#[test]
fn one_that_waits_gets_the_least_it_can_be_made_with_before_others_get_more() {
    let (mut batch, mut queue) = (batch(100), Queue::default());
    for (key, cost) in [("a", 60), ("b", 40)] {
        batch.now(&ask(key, cost)).unwrap();
        let dispatch = Ask::Move { op_key: key.into(), wanted: Move::of(Event::Dispatch) };
        batch.now(&dispatch).unwrap();
    }
    assert_eq!(got(batch.with(&ranged("waits", 30, 80), &mut queue), 80), None);
    batch.now(&settle("a", 0)).unwrap();
    let late = batch.with(&ranged("late", 10, 60), &mut queue);
    assert_eq!(got(late, 60), Some(10), "not its part of 36, which would leave too little for the other");
    assert_eq!(got(batch.with(&ranged("waits", 30, 80), &mut queue), 80), Some(30));
    // Nothing is left that waits: others are not held up by the whole call.
    for n in 0..10 {
        assert_eq!(state(batch.with(&ask(&format!("small{n}"), 1), &mut queue)), "Reserved");
    }
    assert!(queue.is_empty());
}

#[test]
fn granted_and_dispatched_is_one_step() {
    let mut batch = batch(100);
    let mut both = request("a", 60);
    both.dispatch = true;
    assert_eq!(state(batch.now(&Ask::Reserve(Box::new(both)))), "Dispatched");
    let release = Ask::Move { op_key: "a".into(), wanted: Move::of(Event::Release) };
    assert!(matches!(batch.now(&release), Err(Error::Illegal(_))), "the money may be spent");
}
