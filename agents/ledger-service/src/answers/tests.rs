use super::*;
use golden_ledger::Event;
use uuid::Uuid;

fn request(hash: &str) -> ReserveRequest {
    ReserveRequest {
        op_key: "a".into(),
        request_hash: hash.into(),
        team_uid: Uuid::nil(),
        task_uid: Uuid::nil(),
        try_uid: None,
        attempt: 1,
        role: "developer".into(),
        provider: "p".into(),
        model: "m".into(),
        prompt_digest: "sha256:p".into(),
        cost_micro_usd: 1,
        tokens: 1,
        dispatch: false,
        least: None,
    }
}

#[test]
fn only_what_cannot_change_any_more_is_an_end_also_where_somebody_else_wrote_it() {
    for (text, want) in [
        ("Settled sha256:x", Some((State::Settled, Some("sha256:x")))),
        ("Released ", Some((State::Released, None))),
        ("Settled", None),
        ("Unknown sha256:x", None),
        ("Reserved sha256:x", None),
        ("Dispatched sha256:x", None),
        ("settled sha256:x", None),
        ("", None),
        ("OK", None),
    ] {
        let end = End::read(text);
        let read = end.as_ref().map(|end| (end.state, end.request_hash.as_deref()));
        assert_eq!(read, want, "{text:?}");
        if let Some(end) = end {
            assert_eq!(end.written(), text);
        }
    }
}

#[test]
fn an_ended_calls_steps_are_answered_by_the_rules_of_its_state() {
    let actual = Amount::new(7, 7);
    for state in [State::Settled, State::Released] {
        let end = End::of(state, None).unwrap();
        for event in [Event::Dispatch, Event::Settle { actual }, Event::Release, Event::LeaseEnded] {
            // What was reserved and used makes no difference to what is answered.
            let amount = Amount::new(100, 100);
            let row = Reservation { state, amount, actual: (state == State::Settled).then_some(actual) };
            let want = transition(&row, event).map(|step| step.reservation.state).map_err(|e| e.to_string());
            let answer = end.moved(Move::of(event)).map_err(|e| e.to_string());
            assert_eq!(answer, want, "{state} {event:?}");
        }
    }
}

#[test]
fn a_key_belongs_to_its_request_and_without_that_nothing_is_said() {
    let end = End::of(State::Settled, Some("sha256:x".into())).unwrap();
    let granted = ReserveAnswer::Granted { state: "Settled".into(), bound: None };
    assert_eq!(end.reserved(&request("sha256:x")), Some(granted));
    assert_eq!(end.reserved(&request("sha256:y")), Some(ReserveAnswer::OtherRequest));
    assert_eq!(End::of(State::Settled, None).unwrap().reserved(&request("sha256:x")), None);
}

#[test]
fn nothing_is_remembered_of_another_life_of_the_database_or_while_none_is_known() {
    let mut known = Known::default();
    let call = || Call::UnderWay("sha256:x".into());
    known.insert("a", call());
    assert!(known.calls.is_empty());
    known.lives(Some("one".into()));
    known.insert("a", call());
    known.lives(Some("one".into()));
    assert_eq!(known.calls.len(), 1);
    known.lives(Some("two".into()));
    assert!(known.calls.is_empty());
    known.insert("a", call());
    known.lives(None);
    assert!(known.calls.is_empty());
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut known = Known::default();
    known.lives(Some("one".into()));
    for n in 0..3 * MOST {
        known.insert(&n.to_string(), Call::UnderWay(String::new()));
        assert!(known.calls.len() <= MOST);
    }
    assert_eq!(key("life", &"x".repeat(MAX_TEXT + 1)), None);
    assert_ne!(key("life", "a"), key("other", "a"));
}
