//! What callers ask for, and how they wait.

use golden_ledger::{Event, State};
use golden_platform::wire::{ReserveAnswer, ReserveRequest};
use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};

use super::writer;
use crate::metrics::Figures;
use crate::{Error, Leases};

/// Requests that may wait for the writer; more callers wait to get in.
const QUEUE: usize = 4096;

/// What a provider reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) input_tokens: i64,
    pub(crate) output_tokens: i64,
    pub(crate) latency_ms: i64,
}

/// What shall happen to a reservation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Move {
    pub(crate) event: Event,
    pub(crate) report: Option<Report>,
    /// Only if its lease has ended, as looked at under the lock.
    pub(crate) only_overdue: bool,
}

impl Move {
    pub(crate) fn of(event: Event) -> Self {
        Self { event, report: None, only_overdue: false }
    }
}

/// One request to the ledger.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Reserve(Box<ReserveRequest>),
    Move { op_key: String, wanted: Move },
}

impl Ask {
    pub(crate) fn op_key(&self) -> &str {
        match self {
            Self::Reserve(request) => &request.op_key,
            Self::Move { op_key, .. } => op_key,
        }
    }
}

/// Its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Reserve(ReserveAnswer),
    Moved(State),
}

/// A request whose caller waits.
pub(crate) struct Job {
    pub(crate) ask: Ask,
    pub(crate) reply: oneshot::Sender<Result<Said, Error>>,
}

/// The way to the writer. It ends when the last of these is dropped and everything that waits is answered.
#[derive(Clone)]
pub(crate) struct Engine(mpsc::Sender<Job>);

impl Engine {
    /// Starts the writer, with a connection of its own to the pool's database.
    pub(crate) fn start(pool: &PgPool, leases: Leases, figures: Option<Figures>) -> Self {
        let (jobs, waiting) = mpsc::channel(QUEUE);
        let options = pool.connect_options().as_ref().clone();
        tokio::spawn(writer::write(options, leases, figures, waiting));
        Self(jobs)
    }

    pub(crate) async fn reserve(&self, request: ReserveRequest) -> Result<ReserveAnswer, Error> {
        match self.ask(Ask::Reserve(Box::new(request))).await? {
            Said::Reserve(answer) => Ok(answer),
            Said::Moved(_) => Err(Error::Stopped),
        }
    }

    pub(crate) async fn transit(&self, op_key: &str, wanted: Move) -> Result<State, Error> {
        match self.ask(Ask::Move { op_key: op_key.to_owned(), wanted }).await? {
            Said::Moved(state) => Ok(state),
            Said::Reserve(_) => Err(Error::Stopped),
        }
    }

    async fn ask(&self, ask: Ask) -> Result<Said, Error> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Job { ask, reply }).await.map_err(|_| Error::Stopped)?;
        answer.await.map_err(|_| Error::Stopped)?
    }
}
