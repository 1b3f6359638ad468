//! What people said of an attempt's result, asked and unasked.

use golden_crds::decision::{ACCEPT, REJECT};

#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Whether an escalation is open.
    asked: bool,
    /// Whether the last escalation was answered by accepting the result.
    pub(super) let_pass: bool,
    no: No,
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
    pub(super) fn asked(&mut self) {
        self.asked = true;
    }

    pub(super) fn take(&mut self, option: &str) {
        if std::mem::take(&mut self.asked) {
            self.let_pass = option == ACCEPT;
        } else if option == REJECT && self.no == No::Unsaid {
            self.no = No::Said;
        }
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
