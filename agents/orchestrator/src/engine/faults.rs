//! Places at which a test lets the process die: after every write, before and after every commit and publish.

use super::error::Error;

/// A place between two effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    TaskWritten,
    EntryWritten,
    OutboxWritten,
    DesiredWritten,
    ReviewWritten,
    EscalationWritten,
    FactsConsumed,
    BeforeCommit,
    AfterCommit,
    ArtifactStored,
    BeforePublish,
    AfterPublish,
    PublishMarked,
}

/// Decides whether the process dies here. In production it never does.
pub trait Faults: Send + Sync {
    fn dies(&self, at: Point) -> bool;

    /// An error where the process would have died: whatever is in hand is dropped, as a death would.
    fn pass(&self, at: Point) -> Result<(), Error> {
        if self.dies(at) { Err(Error::Died(at)) } else { Ok(()) }
    }
}

/// No faults.
pub struct NoFaults;

impl Faults for NoFaults {
    fn dies(&self, _: Point) -> bool {
        false
    }
}
