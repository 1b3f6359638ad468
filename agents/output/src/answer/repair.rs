//! Whether an answer is taken, asked for again, or given up. Each question is a paid call, so their number is fixed
//! before the first.

use super::schema::clip;
use std::fmt::Display;

/// Longest message of what is wrong, in bytes.
pub const MAX_MESSAGE: usize = 2048;

/// The state between questions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    left: u32,
    asked: u32,
    closed: bool,
}

/// What follows an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<T> {
    Accepted(T),
    /// Ask again, and say what was wrong.
    AskAgain {
        message: String,
    },
    /// No more questions. The reason is that of the last answer.
    GivenUp {
        reason: String,
    },
}

impl Repair {
    /// At most `rounds` questions after the first.
    pub fn new(rounds: u32) -> Self {
        Self { left: rounds, asked: 1, closed: false }
    }

    /// How many questions have been asked, the one that is open included.
    pub fn asked(&self) -> u32 {
        self.asked
    }

    /// Takes what reading an answer gave. After an accepted answer, or once given up, nothing is accepted any more.
    pub fn answered<T, E: Display>(&mut self, read: Result<T, E>) -> Step<T> {
        if self.closed {
            return Step::GivenUp { reason: "nothing was asked".to_owned() };
        }
        let fault = match read {
            Ok(value) => {
                self.closed = true;
                return Step::Accepted(value);
            }
            Err(fault) => clip(fault.to_string(), MAX_MESSAGE),
        };
        let Some(left) = self.left.checked_sub(1) else {
            self.closed = true;
            return Step::GivenUp { reason: fault };
        };
        self.left = left;
        self.asked += 1;
        Step::AskAgain { message: fault }
    }
}
