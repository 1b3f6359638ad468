//! Load, and what came of it. At a steady rate every call has its time beforehand, whether or not earlier ones are
//! answered, and is measured from then: waiting is not left out.

use super::calls::{Call, body};
use super::target::Target;
use crate::latency::Times;
use anyhow::{Context as _, Result, anyhow};
use hyper::header::HeaderValue;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Not measured: connections are made, caches are cold.
const WARM: Duration = Duration::from_millis(500);
/// How long calls may be answered after the last one was due; then they are counted as failed.
const DRAIN: Duration = Duration::from_secs(5);
const FIRST: Duration = Duration::from_mins(1);
/// Answered in time at least this part of what was asked: the rate is borne.
const BORNE: f64 = 0.95;

/// Who calls whom.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) target: Arc<Target>,
    bearers: Arc<[HeaderValue]>,
    /// Calls made so far: numbers them.
    made: Arc<AtomicU64>,
    /// Calls answered so far, also those that were not measured.
    answered: Arc<AtomicU64>,
}

/// What came of one rate, or of so many callers.
#[derive(Debug, Default)]
pub(crate) struct Step {
    /// From when a call was due until the end of its answer, and until its first piece.
    pub(crate) whole: Times,
    pub(crate) first: Times,
    /// How late the load itself began its calls: time that is not the server's.
    pub(crate) late: Times,
    /// Answers a second within the time measured.
    pub(crate) reached_per_s: f64,
    pub(crate) asked_per_s: f64,
    pub(crate) failed: u32,
    /// What the first failure said.
    pub(crate) said: Option<String>,
}

impl Step {
    /// Whether the server answers what it is asked, and does not only queue it.
    pub(crate) fn is_borne(&self) -> bool {
        self.failed == 0 && self.reached_per_s >= BORNE * self.asked_per_s
    }

    /// Calls that were measured and answered.
    pub(crate) fn answered(&self) -> usize {
        self.whole.count().saturating_sub(usize::try_from(self.failed).unwrap_or(usize::MAX))
    }
}

/// One call, as its task tells of it.
struct Told {
    due: Instant,
    late: Duration,
    first: Instant,
    end: Instant,
    failed: Option<String>,
}

impl Load {
    pub(crate) fn new(target: Arc<Target>, bearers: Vec<HeaderValue>) -> Self {
        Self { target, bearers: bearers.into(), made: Arc::default(), answered: Arc::default() }
    }

    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// The next call's answer.
    async fn call(&self, stream: bool) -> Result<Instant> {
        let n = self.made.fetch_add(1, Ordering::Relaxed);
        let at = usize::try_from(n).unwrap_or_default() % self.bearers.len().max(1);
        let bearer = self.bearers.get(at).context("nobody calls")?.clone();
        let answer = self.target.ask(Call { bearer, session: None, body: body(n, stream, "", "") }).await?;
        answer.complete(stream)?;
        self.answered.fetch_add(1, Ordering::Relaxed);
        Ok(answer.first)
    }

    /// One call, whose time nobody looks at: some servers load half of themselves for their first one.
    pub(crate) async fn first(&self) -> Result<()> {
        let answer = tokio::time::timeout(FIRST, self.call(false)).await;
        answer.with_context(|| format!("the first call was not answered within {FIRST:?}"))?.map(drop)
    }

    /// Calls that are due at a steady rate.
    pub(crate) async fn open(&self, per_s: u32, seconds: f64, stream: bool) -> Result<Step> {
        let begin = Instant::now() + Duration::from_millis(10);
        let from = begin + WARM;
        let until = from + Duration::from_secs_f64(seconds);
        let cancelled = CancellationToken::new();
        let mut answers = self.begin(per_s, begin..until, stream, &cancelled).await?;
        let mut step = Step { asked_per_s: f64::from(per_s), ..Step::default() };
        let mut reached = 0_u32;
        let drained = tokio::time::sleep(DRAIN);
        tokio::pin!(drained);
        loop {
            let one = tokio::select! {
                one = answers.recv() => one,
                () = &mut drained, if !cancelled.is_cancelled() => {
                    cancelled.cancel();
                    continue;
                }
            };
            let Some(one) = one else { break };
            reached += u32::from(one.failed.is_none() && (from..until).contains(&one.end));
            if one.due >= from || one.failed.is_some() {
                step.add(one);
            }
        }
        step.reached_per_s = f64::from(reached) / seconds;
        Ok(step)
    }

    /// Begins each call when it is due; returns after the last one was.
    async fn begin(
        &self,
        per_s: u32,
        within: Range<Instant>,
        stream: bool,
        cancelled: &CancellationToken,
    ) -> Result<mpsc::UnboundedReceiver<Told>> {
        let (told, answers) = mpsc::unbounded_channel();
        let (load, cancelled, runtime) = (self.clone(), cancelled.clone(), Handle::current());
        // A thread of its own: the runtime's timers are a millisecond coarse, which is what is measured here.
        let clock = std::thread::spawn(move || {
            for n in 0_u32.. {
                let due = within.start + Duration::from_secs(1) * n / per_s;
                if due >= within.end {
                    break;
                }
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let (load, cancelled, told) = (load.clone(), cancelled.clone(), told.clone());
                runtime.spawn(async move {
                    let _ = told.send(load.due(due, stream, &cancelled).await);
                });
            }
        });
        let ended = tokio::task::spawn_blocking(move || clock.join()).await?;
        ended.map_err(|_| anyhow!("the load's clock failed"))?;
        Ok(answers)
    }

    async fn due(&self, due: Instant, stream: bool, cancelled: &CancellationToken) -> Told {
        let late = due.elapsed();
        let answer = tokio::select! {
            answer = self.call(stream) => answer,
            () = cancelled.cancelled() => Err(anyhow!("no answer within {DRAIN:?} after the last call")),
        };
        let end = Instant::now();
        let first = *answer.as_ref().unwrap_or(&end);
        Told { due, late, first, end, failed: answer.err().map(|error| format!("{error:#}")) }
    }

    /// Callers that call again as soon as they are answered: the most that is answered in a second.
    pub(crate) async fn closed(&self, callers: usize, seconds: f64) -> Result<Step> {
        let from = Instant::now() + WARM;
        let until = from + Duration::from_secs_f64(seconds);
        let calling = (0..callers).map(|_| tokio::spawn(self.clone().again_and_again(until)));
        let mut step = Step::default();
        for answers in futures::future::try_join_all(calling).await? {
            let measured =
                answers.into_iter().filter(|a| a.failed.is_some() || (from..until).contains(&a.end));
            measured.for_each(|one| step.add(one));
        }
        step.reached_per_s = f64::from(u32::try_from(step.answered())?) / seconds;
        Ok(step)
    }

    async fn again_and_again(self, until: Instant) -> Vec<Told> {
        let mut answers = vec![];
        while Instant::now() < until {
            let due = Instant::now();
            let answer = tokio::time::timeout_at((until + DRAIN).into(), self.call(false)).await;
            let answer = answer.unwrap_or_else(|_| Err(anyhow!("no answer within {DRAIN:?} after the end")));
            let end = Instant::now();
            let first = *answer.as_ref().unwrap_or(&end);
            let failed = answer.err().map(|error| format!("{error:#}"));
            // A server that refuses at once must not be called a million times.
            if failed.is_some() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            answers.push(Told { due, late: Duration::ZERO, first, end, failed });
        }
        answers
    }
}

impl Step {
    /// A call that failed took as long as it was waited for: leaving it out would make a broken server fast.
    fn add(&mut self, one: Told) {
        self.whole.add(one.end.saturating_duration_since(one.due));
        self.first.add(one.first.saturating_duration_since(one.due));
        self.late.add(one.late);
        if let Some(said) = one.failed {
            self.failed += 1;
            self.said.get_or_insert(said);
        }
    }
}
