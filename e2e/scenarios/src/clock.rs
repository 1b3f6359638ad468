//! What a long command took, step by step, told while it runs.

use serde::Serialize;
use std::time::Instant;

/// A named part of the whole, in whole seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Phase {
    pub name: &'static str,
    pub seconds: u64,
}

/// Runs from the command's first step.
#[derive(Debug)]
pub struct Clock {
    start: Instant,
    last: Instant,
    phases: Vec<Phase>,
}

impl Clock {
    /// Begins now.
    pub fn start() -> Self {
        let now = Instant::now();
        Self { start: now, last: now, phases: Vec::new() }
    }

    /// The phase that ends now; it began when the one before it ended.
    pub fn phase(&mut self, name: &'static str) {
        self.phases.push(Phase { name, seconds: self.last.elapsed().as_secs() });
        self.last = Instant::now();
    }

    /// One line for whoever watches, with the time since the start.
    pub fn say(&self, line: &str) {
        println!("[{:>4} s] {line}", self.seconds());
    }

    pub fn seconds(&self) -> u64 {
        self.start.elapsed().as_secs()
    }

    pub fn phases(&self) -> Vec<Phase> {
        self.phases.clone()
    }
}
