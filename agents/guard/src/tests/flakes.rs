use crate::Followed::{Again, Failed, Flaky, Passed};
use crate::GuardVerdict as Verdict;
use crate::follow;

#[test]
fn a_failure_is_tried_again_as_often_as_the_rule_says_and_a_pass_after_it_is_flaky() {
    let cases = [
        (Verdict::Passed, 0, 0, Passed),
        (Verdict::Passed, 0, 3, Passed),
        (Verdict::Failed, 0, 0, Failed),
        (Verdict::Failed, 0, 1, Again),
        (Verdict::Passed, 1, 1, Flaky),
        (Verdict::Failed, 1, 1, Failed),
        (Verdict::Failed, 2, 3, Again),
        (Verdict::Failed, 3, 3, Failed),
    ];
    for (verdict, failures, retries, wanted) in cases {
        assert_eq!(follow(verdict, failures, retries), wanted, "{verdict:?} {failures} {retries}");
    }
}
