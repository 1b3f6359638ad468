//! How often is asked.

use crate::answer::{MAX_MESSAGE, Repair, Step};

fn bad(repair: &mut Repair, fault: &str) -> Step<u8> {
    repair.answered(Err(fault.to_owned()))
}

#[test]
fn a_good_answer_is_accepted_at_once_and_ends_it() {
    let mut repair = Repair::new(2);
    assert_eq!(repair.answered::<_, String>(Ok(1)), Step::Accepted(1));
    assert!(matches!(repair.answered::<_, String>(Ok(1)), Step::GivenUp { .. }), "nothing was asked");
}

#[test]
fn a_bad_one_is_asked_for_again_as_often_as_was_said_and_no_more() {
    for rounds in 0..4 {
        let mut repair = Repair::new(rounds);
        for round in 0..rounds {
            let again = bad(&mut repair, "x");
            assert_eq!(again, Step::AskAgain { message: "x".into() });
            assert_eq!(repair.asked(), round + 2);
        }
        assert_eq!(bad(&mut repair, "the last fault"), Step::GivenUp { reason: "the last fault".into() });
        assert!(matches!(repair.answered::<_, String>(Ok(1)), Step::GivenUp { .. }), "given up is given up");
        assert_eq!(repair.asked(), rounds + 1);
    }
}

#[test]
fn the_message_is_bounded_and_cut_between_characters() {
    let mut repair = Repair::new(1);
    let Step::AskAgain { message } = bad(&mut repair, &"é".repeat(4000)) else { panic!("not asked") };
    assert!(message.len() <= MAX_MESSAGE && message.ends_with('…'), "{}", message.len());
}
