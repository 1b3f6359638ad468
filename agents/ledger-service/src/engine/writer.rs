//! The writers: take what waits, write it, answer.
//!
//! Two lanes. On the quick one a batch goes on without the accounts that somebody else holds (another ledger, a Budget
//! that is being edited, a person in psql); requests that need one of those move to the patient one, which waits. So
//! nobody waits for a lock but who needs it.

use std::sync::Arc;
use std::time::Duration;

use golden_platform::{Class, Classify as _};
use sqlx::postgres::PgConnectOptions;
use tokio::sync::mpsc;

use super::job::{Ask, Job};
use super::store::{Answer, Lane, Store, Written};
use crate::metrics::Figures;
use crate::{Error, Leases};

/// Requests of one transaction. A larger one would make the first in it wait longer than it saves.
const BATCH: usize = 1024;
/// Requests that may wait for busy accounts; more are told to ask again.
const PATIENT: usize = 4096;
/// How often a transaction is made again that lost a race with another ledger's.
const AGAIN: u32 = 5;
/// How long a batch may take, reconnecting included, before its callers are told that the database is away.
const PATIENCE: Duration = Duration::from_secs(10);

/// Writes until nobody can ask any more.
pub(super) async fn write(
    options: PgConnectOptions,
    leases: Leases,
    figures: Option<Figures>,
    waiting: mpsc::Receiver<Job>,
) {
    let queue = Arc::default();
    let (later, put_off) = mpsc::channel(PATIENT);
    let quick =
        Store::new(options.clone(), leases, Lane::Quick, Arc::clone(&queue)).measured(figures.clone());
    let patient = Store::new(options, leases, Lane::Patient, queue).measured(figures);
    tokio::join!(lane(quick, waiting, Some(later)), lane(patient, put_off, None));
}

/// One lane; `later` is where requests go that need a busy account.
async fn lane(mut store: Store, mut waiting: mpsc::Receiver<Job>, later: Option<mpsc::Sender<Job>>) {
    let mut jobs: Vec<Job> = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut jobs, BATCH).await > 0 {
        // Who has gone before its money was set aside wants none. Everything else must happen all the same.
        jobs.retain(|job| !(matches!(job.ask, Ask::Reserve(_)) && job.reply.is_closed()));
        let (asks, replies): (Vec<Ask>, Vec<_>) = jobs.drain(..).map(|job| (job.ask, job.reply)).unzip();
        let written = together_or_alone(&mut store, &asks).await;
        let jobs: Vec<Job> = asks.into_iter().zip(replies).map(|(ask, reply)| Job { ask, reply }).collect();
        if written.unflushed.is_none() {
            answer(jobs, written.answers, later.as_ref());
        } else {
            // The next batch does not wait for it.
            let later = later.clone();
            tokio::spawn(async move { answer(jobs, flushed(written).await, later.as_ref()) });
        }
    }
}

/// Tells each caller, or passes on who needs a busy account.
fn answer(jobs: Vec<Job>, answers: Vec<Answer>, later: Option<&mpsc::Sender<Job>>) {
    for (job, answer) in jobs.into_iter().zip(answers) {
        match (answer, later) {
            (Some(answer), _) => drop(job.reply.send(answer)),
            (None, Some(later)) => {
                if let Err(full) = later.try_send(job) {
                    drop(full.into_inner().reply.send(Err(Error::Busy)));
                }
            }
            (None, None) => drop(job.reply.send(Err(Error::Busy))),
        }
    }
}

/// All in one transaction; if the database refuses it, each in its own, so that one bad request fails alone.
async fn together_or_alone(store: &mut Store, asks: &[Ask]) -> Written {
    match patiently(store, asks).await {
        Ok(written) => written,
        Err(error) if asks.len() > 1 && is_refusal(&error) => {
            tracing::error!(%error, requests = asks.len(), "a batch was refused; its requests are tried one by one");
            let mut answers = Vec::with_capacity(asks.len());
            for ask in asks {
                answers.push(alone(store, ask).await);
            }
            Written { answers, unflushed: None }
        }
        Err(error) => Written { answers: failed(asks.len(), &error), unflushed: None },
    }
}

async fn alone(store: &mut Store, ask: &Ask) -> Answer {
    match patiently(store, std::slice::from_ref(ask)).await {
        Ok(written) => flushed(written).await.pop().flatten(),
        Err(error) => Some(Err(error)),
    }
}

/// Of a batch of which nothing is known.
fn failed(requests: usize, error: &Error) -> Vec<Answer> {
    (0..requests).map(|_| Some(Err(error.clone()))).collect()
}

/// What each is told, once all of it is on the disk.
async fn flushed(Written { answers, unflushed }: Written) -> Vec<Answer> {
    let Some(batch) = unflushed else { return answers };
    match tokio::time::timeout(PATIENCE, batch.flush()).await {
        Ok(Ok(())) => answers,
        Ok(Err(error)) => failed(answers.len(), &error),
        Err(_) => failed(answers.len(), &sqlx::Error::PoolTimedOut.into()),
    }
}

/// Whether the words were about the content, so that another batch may pass.
fn is_refusal(error: &Error) -> bool {
    !matches!(error.class(), Class::Dependency | Class::Transient)
}

async fn patiently(store: &mut Store, asks: &[Ask]) -> Result<Written, Error> {
    let mut tries = 0;
    loop {
        tries += 1;
        let written = tokio::time::timeout(PATIENCE, store.write(asks)).await;
        let error = match written {
            Ok(Ok(written)) => return Ok(written),
            Ok(Err(error)) => error,
            Err(_) => Error::from(sqlx::Error::PoolTimedOut),
        };
        // Whatever state the connection is in, the next batch has a new one.
        store.reconnect();
        if tries >= AGAIN || error.class() != Class::Conflict {
            return Err(error);
        }
    }
}
