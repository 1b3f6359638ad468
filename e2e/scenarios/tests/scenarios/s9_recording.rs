//! After all scenarios: none of them asked the model for anything that is not recorded.

use crate::support::{asked_only_what_is_recorded, tools};

#[test]
fn no_scenario_asked_what_the_recording_does_not_know() {
    asked_only_what_is_recorded(&tools());
}
