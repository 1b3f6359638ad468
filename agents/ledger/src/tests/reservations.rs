use crate::{Amount, AmountError, Effect, Event, IllegalTransition, Reservation, State, transition};

const AMOUNT: Amount = Amount::new(100, 10);
const LESS: Event = Event::Settle { actual: Amount::new(60, 4) };

fn at(state: State) -> Reservation {
    let actual = (state == State::Settled).then_some(Amount::new(60, 4));
    Reservation { state, amount: AMOUNT, actual }
}

const STATES: [State; 5] =
    [State::Reserved, State::Dispatched, State::Settled, State::Released, State::Unknown];
const EVENTS: [Event; 4] = [Event::Dispatch, LESS, Event::Release, Event::LeaseEnded];

#[test]
fn every_pair_of_state_and_event_has_its_answer() {
    use State::{Dispatched, Released, Reserved, Settled, Unknown};
    // A state: the next one. None: a duplicate. Err: refused.
    let expected: [[Result<Option<State>, ()>; 4]; 5] = [
        // Dispatch, Settle, Release, LeaseEnded
        [Ok(Some(Dispatched)), Err(()), Ok(Some(Released)), Ok(Some(Released))],
        [Ok(None), Ok(Some(Settled)), Err(()), Ok(Some(Unknown))],
        [Err(()), Ok(None), Err(()), Ok(None)],
        [Err(()), Err(()), Ok(None), Ok(None)],
        [Err(()), Ok(Some(Settled)), Err(()), Ok(None)],
    ];
    assert_eq!(STATES, [Reserved, Dispatched, Settled, Released, Unknown]);
    for (state, row) in STATES.into_iter().zip(expected) {
        for (event, wanted) in EVENTS.into_iter().zip(row) {
            let found = transition(&at(state), event);
            match (wanted, found) {
                (Ok(Some(next)), Ok(step)) => assert!(step.reservation.state == next && !step.duplicate),
                (Ok(None), Ok(step)) => {
                    assert_eq!(
                        (step.reservation, step.effect, step.duplicate),
                        (at(state), Effect::default(), true)
                    );
                }
                (Err(()), Err(_)) => {}
                (wanted, found) => panic!("{state} on {event:?}: wanted {wanted:?}, found {found:?}"),
            }
        }
    }
}

#[test]
fn effects_move_exactly_what_was_reserved() {
    let effect = |state, event| transition(&at(state), event).unwrap().effect;
    let back = Amount::new(-100, -10);
    assert_eq!(effect(State::Reserved, Event::Dispatch), Effect::default());
    assert_eq!(effect(State::Reserved, Event::Release), Effect { reserved: back, ..Effect::default() });
    assert_eq!(effect(State::Reserved, Event::LeaseEnded), Effect { reserved: back, ..Effect::default() });
    let settled = Effect { reserved: back, spent: Amount::new(60, 4), ..Effect::default() };
    assert_eq!(effect(State::Dispatched, LESS), settled);
}

#[test]
fn dispatched_money_is_never_handed_out_again() {
    let unknown = transition(&at(State::Dispatched), Event::LeaseEnded).unwrap();
    assert_eq!(
        unknown.effect,
        Effect { reserved: Amount::new(-100, -10), spent: AMOUNT, ..Effect::default() }
    );
    assert_eq!(
        transition(&at(State::Dispatched), Event::Release),
        Err(IllegalTransition::ReleaseAfterDispatch(State::Dispatched))
    );
}

#[test]
fn unknown_is_corrected_when_the_usage_is_found() {
    let found = transition(&at(State::Unknown), LESS).unwrap();
    assert_eq!(found.effect, Effect { spent: Amount::new(-40, -6), ..Effect::default() });
    assert_eq!(found.reservation.actual, Some(Amount::new(60, 4)));
}

#[test]
fn what_goes_beyond_the_reservation_is_overage_in_each_part_alone() {
    for state in [State::Dispatched, State::Unknown] {
        let over = transition(&at(state), Event::Settle { actual: Amount::new(130, 4) }).unwrap();
        assert_eq!(over.effect.overage, Amount::new(30, 0));
        assert_eq!(over.reservation.actual, Some(Amount::new(130, 4)));
    }
}

#[test]
fn second_settle_gets_the_first_answer() {
    let second = transition(&at(State::Settled), Event::Settle { actual: Amount::new(999, 9) }).unwrap();
    assert!(second.duplicate);
    assert_eq!((second.reservation.actual, second.effect), (Some(Amount::new(60, 4)), Effect::default()));
}

#[test]
fn negative_usage_is_refused() {
    let negative = Event::Settle { actual: Amount::new(-1, 0) };
    assert_eq!(transition(&at(State::Dispatched), negative), Err(AmountError::Negative.into()));
}

#[test]
fn states_are_read_back_by_name() {
    for state in STATES {
        assert_eq!(State::parse(state.as_str()), Some(state));
        assert_eq!(state.to_string(), serde_json::to_value(state).unwrap().as_str().unwrap());
    }
    assert_eq!(State::parse("reserved"), None);
}
