//! What people said of an attempt's result, asked and unasked.

use golden_crds::conditions::agent_task::STUCK;
use golden_crds::decision::{ACCEPT, REJECT, RETRY};

#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Whether an escalation is open.
    asked: bool,
    /// Whether the last escalation was about going in circles.
    pub(super) stuck: bool,
    /// The last answer to one.
    answer: Answer,
    no: No,
}

/// What an escalation was answered by.
#[derive(Debug, Default, PartialEq)]
enum Answer {
    #[default]
    Other,
    /// Accepting the result.
    Accept,
    /// Asking for another attempt.
    Retry,
}

/// A no that nobody had asked for by an escalation.
#[derive(Debug, Default, PartialEq)]
enum No {
    #[default]
    Unsaid,
    Said,
    /// Before guards or peers had judged the result: it stands whoever must approve.
    Early,
}

impl Answers {
    pub(super) fn asked(&mut self, reason: &str) {
        self.asked = true;
        self.stuck = reason == STUCK;
    }

    pub(super) fn take(&mut self, option: &str) {
        if std::mem::take(&mut self.asked) {
            self.answer = match option {
                ACCEPT => Answer::Accept,
                RETRY => Answer::Retry,
                _ => Answer::Other,
            };
        } else if option == REJECT && self.no == No::Unsaid {
            self.no = No::Said;
        }
    }

    /// Whether the last escalation was answered by accepting the result.
    pub(super) fn let_pass(&self) -> bool {
        self.answer == Answer::Accept
    }

    /// Whether the last escalation was answered by asking for another attempt.
    pub(super) fn ask_again(&self) -> bool {
        self.answer == Answer::Retry
    }

    /// Guards or peers judged the result.
    pub(super) fn judged(&mut self) {
        if self.no == No::Said {
            self.no = No::Early;
        }
    }

    pub(super) fn denied_early(&self) -> bool {
        self.no == No::Early
    }
}
