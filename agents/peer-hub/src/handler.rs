//! One review request, from delivery to decision.

use crate::ask::Gateway;
use crate::decision::{Voter, outcome, policy, voters};
use crate::evidence::Files;
use crate::metrics::Metrics;
use crate::review::Question;
use crate::store::{self, Kept, Round, Standing};
use futures::future::join_all;
use golden_platform::artifacts;
use golden_platform::consumer::{Delivery, Failure};
use golden_platform::wire::{Message, ReviewRequest};
use jiff::{SignedDuration, Timestamp};
use sqlx::PgPool;
use std::time::{Duration, Instant};

/// How often it is looked whether a call still waits for money.
const MONEY: Duration = Duration::from_secs(5);

/// How often it is looked whether a review is still wanted.
const WANTED: Duration = Duration::from_secs(5);

/// What a review needs.
#[derive(Clone)]
pub struct Hub {
    pub pool: PgPool,
    pub artifacts: artifacts::Store,
    pub gateway: Gateway,
    pub metrics: Metrics,
}

impl Hub {
    /// Handles one delivery. May be called again for the same one, also after a crash at any point.
    pub async fn handle(&self, delivery: Delivery) -> Result<(), Failure> {
        let envelope = delivery.envelope;
        let Message::ReviewRequested(request) = envelope.message else {
            return Err(Failure::Poison("peer-hub takes review requests only".to_owned()));
        };
        let round = Round {
            team: envelope.team,
            task: envelope.task,
            attempt: envelope.attempt,
            number: request.round,
            digest: request.digest.clone(),
        };
        match store::standing(&self.pool, &round).await? {
            Standing::Open => tokio::select! {
                done = self.review(&round, &request) => done,
                done = self.superseded(&round) => done,
            },
            Standing::Decided | Standing::Superseded => Ok(()),
            Standing::Absent => Err(Failure::Transient(format!(
                "review {}/{} of task {} is not in the database",
                round.attempt, round.number, round.task
            ))),
        }
    }

    /// Waits until nobody wants the votes any more: the task has ended or asks anew. Voters that are still asked then
    /// are left, and the gateway closes their calls: what an ended task holds is given back soon.
    async fn superseded(&self, round: &Round) -> Result<(), Failure> {
        loop {
            tokio::time::sleep(WANTED).await;
            if store::standing(&self.pool, round).await? == Standing::Superseded {
                tracing::info!(task = %round.task, round = round.number, "the review is not wanted any more");
                return Ok(());
            }
        }
    }

    async fn review(&self, round: &Round, request: &ReviewRequest) -> Result<(), Failure> {
        let begun = Instant::now();
        let policy = policy(request).map_err(|e| Failure::Poison(format!("the review's rules: {e}")))?;
        let closes_at: Timestamp = request
            .closes_at
            .parse()
            .map_err(|e| Failure::Poison(format!("closesAt {:?}: {e}", request.closes_at)))?;
        let voted = store::ballots(&self.pool, round).await?;
        let missing: Vec<Voter> =
            voters(&policy).into_iter().filter(|v| voted.iter().all(|b| b.voter != v.name)).collect();
        let left = self.left(round, closes_at).await?.0;
        if left.is_zero() && voted.is_empty() {
            // Nobody was asked in time: not the voters' silence but ours. The orchestrator asks again.
            tracing::warn!(task = %round.task, round = round.number, "the review closed before anybody was asked");
            return Ok(());
        }
        if !missing.is_empty() && !left.is_zero() {
            self.collect(round, request, &missing, closes_at).await?;
        }
        let ballots = store::ballots(&self.pool, round).await?;
        let decision = outcome(&policy, &ballots, request, true);
        if store::close(&self.pool, round, &decision).await? {
            tracing::info!(task = %round.task, attempt = round.attempt, round = round.number,
                outcome = decision.decision.as_str(), reason = decision.reason, "decided");
            self.metrics.reviews.with_label_values(&[decision.decision.as_str()]).inc();
            let none: &[&str] = &[];
            self.metrics.consensus_seconds.with_label_values(none).observe(begun.elapsed().as_secs_f64());
        }
        Ok(())
    }

    /// Asks the missing voters at the same time, each until it has answered or the review closes.
    async fn collect(
        &self,
        round: &Round,
        request: &ReviewRequest,
        missing: &[Voter],
        closes_at: Timestamp,
    ) -> Result<(), Failure> {
        let files = self.files(request).await?;
        let question = Question { gateway: &self.gateway, round, request, files: &files };
        let asking = missing.iter().map(|voter| self.one(&question, voter, closes_at));
        join_all(asking).await.into_iter().collect()
    }

    async fn one(&self, question: &Question<'_>, voter: &Voter, closes_at: Timestamp) -> Result<(), Failure> {
        let why = match self.answer(question, voter, closes_at).await? {
            Ok(kept) => {
                if store::keep(&self.pool, question.round, &kept).await? {
                    let verdict = format!("{:?}", kept.ballot.verdict);
                    self.metrics.ballots.with_label_values(&[&verdict]).inc();
                }
                return Ok(());
            }
            Err(why) => why,
        };
        tracing::warn!(task = %question.round.task, voter = voter.name, why, "a voter is absent");
        let none: &[&str] = &[];
        self.metrics.absent.with_label_values(none).inc();
        Ok(())
    }

    /// Waits for an answer until the review closes. Its clock stands still while the task's calls wait for money:
    /// a voter that cannot be paid has not been silent.
    async fn answer(
        &self,
        question: &Question<'_>,
        voter: &Voter,
        closes_at: Timestamp,
    ) -> Result<Result<Kept, String>, Failure> {
        let mut asking = std::pin::pin!(question.ask(voter));
        loop {
            let (left, waits) = self.left(question.round, closes_at).await?;
            let wait = match (left.is_zero(), waits) {
                (true, _) => return Ok(Err("no answer before the review closed".to_owned())),
                (false, true) => MONEY.min(left),
                (false, false) => left,
            };
            if let Ok(answered) = tokio::time::timeout(wait, &mut asking).await {
                return Ok(answered);
            }
            if store::standing(&self.pool, question.round).await? != Standing::Open {
                return Ok(Err("the review is over".to_owned()));
            }
            if waits {
                tracing::info!(task = %question.round.task, voter = voter.name, "a voter's call waits");
            }
        }
    }

    /// The time that the review has left, and whether a call of its task waits for money now.
    async fn left(&self, round: &Round, closes_at: Timestamp) -> Result<(Duration, bool), Failure> {
        let pauses = store::pauses(&self.pool, round).await?;
        let closes_at = closes_at.saturating_add(SignedDuration::from_millis(pauses.millis));
        let closes_at = closes_at.map_err(|e| Failure::Poison(e.to_string()))?;
        Ok((left(closes_at, Timestamp::now()), pauses.open))
    }

    /// The text files of the judged tree.
    async fn files(&self, request: &ReviewRequest) -> Result<Files, Failure> {
        let bytes = self.artifacts.get(&request.namespace, &request.digest).await?;
        Ok(crate::evidence::files(&bytes)?)
    }
}

fn left(closes_at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(closes_at.duration_since(now)).unwrap_or_default()
}
