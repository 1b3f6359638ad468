//! The pure state machine of one task: `step(task, state, event, now) -> Step`.
//!
//! Contract: no I/O, no clock, no randomness. Events only change what is known; [`step`] then goes as far as what
//! is known allows, so that facts may come in any order, twice, or while the task is suspended. An event that does
//! not concern the present (late, repeated, of another try or digest) changes nothing. Whatever is sent or created
//! has a deterministic name, so that doing it again is doing it once.

mod additional;
mod advance;
mod attempt;
mod budget;
mod circles;
mod command;
mod control;
mod deliver;
mod event;
mod evidence;
mod feedback;
mod fitting;
mod guards;
mod names;
mod pause;
mod person;
mod pods;
mod purse;
mod reasons;
mod review;
mod state;
mod step;
mod task;
mod view;
mod weights;

pub use command::{Command, DesiredRow, Entry, EscalationEnd, Step};
pub use event::{AttemptEnded, Event, ProducedTree};
pub use feedback::MAX_FEEDBACK_BYTES;
pub use names::{guard_run_name, message_id, pod_name};
pub use pause::needs_money;
pub use purse::{Purse, ask_again};
pub use state::{
    Approval, Base, BestAttempt, Choice, Delivered, Delivery, Ended, Escalation, Finish, GuardSlot, Held,
    Judge, Outcome, OutcomeKind, PodSlot, Produced, RecordHead, Review, Saved, Setback, Stage, State, Tries,
    Usage, Why,
};
pub use step::{admit, step};
pub use task::{PRODUCER, Task};
pub use view::view;
pub use weights::{needs_weights, weigh};

#[cfg(test)]
mod tests;
