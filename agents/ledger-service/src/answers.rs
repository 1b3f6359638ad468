//! How calls ended, remembered for five minutes: who asks again about one of them needs no transaction.
//!
//! Only what cannot change any more is kept: a call that is Settled or Released stays so, and what is answered to a step
//! that is sent again follows from that alone, by the same rules ([`transition`]). How far a call under way is, and that
//! a budget could not pay it, go stale and are always looked up. An end is kept after its commit, so that Postgres has
//! decided whatever is remembered; forgotten, it is read there.
//!
//! This process remembers by itself, and in Redis for its later life and for other replicas. It asks Redis only about
//! calls that it does not know to be under way: the usual settlement makes no detour.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use golden_ledger::{Amount, Reservation, State, bind_request, transition};
use golden_platform::cache::Cache;
use golden_platform::telemetry::Metrics;
use golden_platform::wire::{ReserveAnswer, ReserveRequest};
use prometheus::IntCounterVec;
use sqlx::PgPool;
use tokio::sync::mpsc;

use crate::Error;
use crate::engine::Move;
use crate::ledger::MAX_TEXT;

/// How long an end is remembered.
const KEPT: Duration = Duration::from_mins(5);
/// Calls that this process remembers; with more, it forgets all of them.
const MOST: usize = 20_000;
/// Ends that wait to be kept in Redis; more are not kept.
const WAITING: usize = 4096;
/// Ends that are kept in one round trip.
const BATCH: usize = 256;
/// How often it looks whether the database is still the same.
const LOOK: Duration = Duration::from_secs(5);

/// Names this life of the database's rows. After a restore, a failover or a restart of the server it is another one, and
/// nothing that was remembered before counts: what was acknowledged may be lost there.
const LIFE: &str = "SELECT install_id::text || '-' || 'reservations'::regclass::oid || '-'
    || (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint FROM install";

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
struct End {
    state: State,
    /// Of the request it was reserved for, where that is known.
    request_hash: Option<String>,
}

impl End {
    /// If it is one that cannot change any more.
    fn of(state: State, request_hash: Option<String>) -> Option<Self> {
        matches!(state, State::Settled | State::Released).then_some(Self { state, request_hash })
    }

    fn written(&self) -> String {
        let hash = self.request_hash.as_deref().unwrap_or_default();
        format!("{} {hash}", self.state)
    }

    fn read(text: &str) -> Option<Self> {
        let (state, hash) = text.split_once(' ')?;
        Self::of(State::parse(state)?, (!hash.is_empty()).then(|| hash.to_owned()))
    }

    /// The answer to a reserve with its key.
    fn reserved(&self, request: &ReserveRequest) -> Option<ReserveAnswer> {
        let known = self.request_hash.as_ref()?;
        Some(match bind_request(known, &request.request_hash) {
            // Of a call that has ended nothing is reserved any more, whatever its bound was.
            Ok(()) => ReserveAnswer::Granted { state: self.state.as_str().to_owned(), bound: None },
            Err(_) => ReserveAnswer::OtherRequest,
        })
    }

    /// The answer to another step: what it reserved and used does not matter any more.
    fn moved(&self, wanted: Move) -> Result<State, Error> {
        let ended = Reservation { state: self.state, amount: Amount::ZERO, actual: None };
        Ok(transition(&ended, wanted.event)?.reservation.state)
    }
}

/// What this process knows of a call.
#[derive(Debug)]
enum Call {
    /// It has the money, for the request with this hash.
    UnderWay(String),
    Ended(End, Instant),
}

/// What is remembered. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Answers {
    cache: Cache,
    known: Arc<Mutex<Known>>,
    keep: mpsc::Sender<(String, String)>,
    recalled: IntCounterVec,
}

#[derive(Debug, Default)]
struct Known {
    /// The database's life; none while that is not known, and then nothing is remembered.
    life: Option<String>,
    calls: HashMap<String, Call>,
}

impl Known {
    fn insert(&mut self, op_key: &str, call: Call) {
        if self.life.is_none() {
            return;
        }
        if self.calls.len() >= MOST && !self.calls.contains_key(op_key) {
            self.calls.clear();
        }
        self.calls.insert(op_key.to_owned(), call);
    }

    fn lives(&mut self, life: Option<String>) {
        if self.life != life {
            self.calls.clear();
            self.life = life;
        }
    }
}

impl Answers {
    /// Begins to remember; ends with the last clone.
    pub(crate) fn start(cache: Cache, pool: PgPool, metrics: &Metrics) -> Result<Self, prometheus::Error> {
        let recalled = metrics.counter(
            "golden_ledger_recalled_total",
            "Steps of calls that had ended, answered without Postgres, by where that was remembered: process or redis.",
            &["from"],
        )?;
        let known: Arc<Mutex<Known>> = Arc::default();
        let (keep, kept) = mpsc::channel(WAITING);
        tokio::spawn(write(cache.clone(), kept));
        tokio::spawn(look(pool, Arc::clone(&known), keep.downgrade()));
        Ok(Self { cache, known, keep, recalled })
    }

    /// The answer to a reserve whose call has ended, as far as this process knows. Redis is not asked: nearly every key is
    /// new, and each would wait for nothing.
    pub(crate) fn of_reserve(&self, request: &ReserveRequest) -> Option<ReserveAnswer> {
        let known = self.known();
        let Some(Call::Ended(end, _)) = known.calls.get(&request.op_key).filter(|call| is_fresh(call)) else {
            return None;
        };
        let answer = end.reserved(request)?;
        self.recalled.with_label_values(&["process"]).inc();
        Some(answer)
    }

    /// The answer to another step of a call that has ended.
    pub(crate) async fn of_move(&self, op_key: &str, wanted: Move) -> Option<Result<State, Error>> {
        let key = {
            let known = self.known();
            match known.calls.get(op_key).filter(|call| is_fresh(call)) {
                Some(Call::UnderWay(_)) => return None,
                Some(Call::Ended(end, _)) => {
                    self.recalled.with_label_values(&["process"]).inc();
                    return Some(end.moved(wanted));
                }
                None => key(known.life.as_deref()?, op_key)?,
            }
        };
        let end = End::read(&self.cache.get(&key).await?)?;
        let answer = end.moved(wanted);
        self.recalled.with_label_values(&["redis"]).inc();
        self.known().insert(op_key, Call::Ended(end, Instant::now()));
        Some(answer)
    }

    /// What a reserve was answered.
    pub(crate) fn reserved(&self, request: &ReserveRequest, answer: &ReserveAnswer) {
        let ReserveAnswer::Granted { state, .. } = answer else { return };
        let hash = request.request_hash.clone();
        let Some(state) = State::parse(state) else { return };
        match End::of(state, Some(hash.clone())) {
            Some(end) => self.ended(&request.op_key, end),
            None => self.known().insert(&request.op_key, Call::UnderWay(hash)),
        }
    }

    /// The state that a call has now, committed.
    pub(crate) fn moved(&self, op_key: &str, state: State) {
        if matches!(state, State::Reserved | State::Dispatched) {
            return;
        }
        let hash = match self.known().calls.remove(op_key) {
            Some(Call::UnderWay(hash)) => Some(hash),
            Some(Call::Ended(end, _)) => end.request_hash,
            None => None,
        };
        // Unknown may yet be settled.
        if let Some(end) = End::of(state, hash) {
            self.ended(op_key, end);
        }
    }

    fn ended(&self, op_key: &str, end: End) {
        let mut known = self.known();
        if let Some(key) = known.life.as_deref().and_then(|life| key(life, op_key)) {
            // A full queue is a Redis that is slow: then this process alone remembers.
            let _ = self.keep.try_send((key, end.written()));
        }
        known.insert(op_key, Call::Ended(end, Instant::now()));
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_fresh(call: &Call) -> bool {
    match call {
        Call::UnderWay(_) => true,
        Call::Ended(_, at) => at.elapsed() < KEPT,
    }
}

/// The name of an end in Redis; none for what no reserve would take.
fn key(life: &str, op_key: &str) -> Option<String> {
    (op_key.len() <= MAX_TEXT).then(|| format!("golden:ended:{life}:{op_key}"))
}

/// Keeps ends in Redis.
async fn write(cache: Cache, mut kept: mpsc::Receiver<(String, String)>) {
    let mut ends = Vec::with_capacity(BATCH);
    while kept.recv_many(&mut ends, BATCH).await > 0 {
        cache.keep(&ends, KEPT).await;
        ends.clear();
    }
}

/// Looks which life of the database this is, as long as somebody remembers.
async fn look(pool: PgPool, known: Arc<Mutex<Known>>, alive: mpsc::WeakSender<(String, String)>) {
    while alive.upgrade().is_some() {
        let life: Option<String> = sqlx::query_scalar(LIFE).fetch_one(&pool).await.ok();
        known.lock().unwrap_or_else(PoisonError::into_inner).lives(life);
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests;
