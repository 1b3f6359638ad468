//! What people do in a drill.

use crate::drill::Drill;
use crate::home::PERSON;
use crate::world::World;
use anyhow::Result;
use golden_scenarios::tools::wait_for;
use std::time::Duration;

/// The person of the namespace approves what the task asks about, once its status shows the question.
pub(crate) fn approve(world: &World, drill: &Drill) -> Result<()> {
    wait_for(&format!("{} to be approved", drill.name), Duration::from_mins(2), || {
        let target = [&drill.name[..], "-n", &drill.namespace, "--as", PERSON, "--note", "a drill"];
        match world.tools.golden(&[&["approve"], &target[..]].concat()) {
            Ok(_) => Ok(Some(())),
            // An answer that arrived although its confirmation did not.
            Err(error) if format!("{error:#}").contains("has decided on this already") => Ok(Some(())),
            Err(error) => Err(error),
        }
    })
}
