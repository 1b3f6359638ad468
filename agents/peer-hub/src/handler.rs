//! One review request, from delivery to decision.

use crate::ask::Gateway;
use crate::decision::{Rules, Voter, outcome, rules, voters};
use crate::evidence::Files;
use crate::metrics::Metrics;
use crate::question::Subject;
use crate::review::{Hearing, Question};
use crate::store::{self, Closed, Round, Standing};
use futures::future::join_all;
use golden_consensus::{Ballot, Verdict};
use golden_platform::artifacts;
use golden_platform::consumer::{Delivery, Failure, Slot};
use golden_platform::wire::{Message, ReviewRequest};
use jiff::{SignedDuration, Timestamp};
use sqlx::PgPool;
use std::time::{Duration, Instant};

/// How often it is looked whether the review's clock still stands.
const STANDING: Duration = Duration::from_secs(5);

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
        let Delivery { envelope, slot, .. } = delivery;
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
                done = self.review(&round, &request, &slot) => done,
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

    async fn review(&self, round: &Round, request: &ReviewRequest, slot: &Slot) -> Result<(), Failure> {
        let begun = Instant::now();
        let rules = rules(request).map_err(|e| Failure::Poison(format!("the review's rules: {e}")))?;
        let closes_at: Timestamp = request
            .closes_at
            .parse()
            .map_err(|e| Failure::Poison(format!("closesAt {:?}: {e}", request.closes_at)))?;
        if let Some(heard) = request.hears {
            // Who rejects is not asked again: a round makes objections heard, it talks nobody out of one.
            store::carry(&self.pool, round, heard, true).await?;
        }
        if let Some(before) = request.beside {
            // What was said is said: the additional reviewer is asked, and whoever did not answer.
            store::carry(&self.pool, round, before, false).await?;
        }
        let voted = store::ballots(&self.pool, round).await?;
        let missing: Vec<Voter> =
            voters(&rules.policy).into_iter().filter(|v| voted.iter().all(|b| b.voter != v.name)).collect();
        let earlier = request.hears.or(request.beside);
        if !missing.is_empty() && !self.left(round, closes_at).await?.0.is_zero() {
            self.collect((round, request), &missing, closes_at, slot).await?;
        } else if !missing.is_empty() && !store::was_asked(&self.pool, round, earlier).await? {
            // Nobody was asked in time: not the voters' silence but ours. The orchestrator asks again.
            tracing::warn!(task = %round.task, round = round.number, "the review closed before anybody was asked");
            return Ok(());
        }
        if let Some(heard) = request.hears {
            // Who heard the objections and said nothing stands by what it said before.
            store::carry(&self.pool, round, heard, false).await?;
        }
        if let Some(absent) = self.decide(round, request, &rules, &missing).await? {
            let none: &[&str] = &[];
            self.metrics.absent.with_label_values(none).inc_by(absent as u64);
            self.metrics.consensus_seconds.with_label_values(none).observe(begun.elapsed().as_secs_f64());
        }
        Ok(())
    }

    /// Closes the review by all ballots there are; how many of the missing voters have none, if this call closed it.
    async fn decide(
        &self,
        round: &Round,
        request: &ReviewRequest,
        rules: &Rules,
        missing: &[Voter],
    ) -> Result<Option<usize>, Failure> {
        loop {
            let ballots = store::ballots(&self.pool, round).await?;
            let decision = outcome(rules, &ballots, request, true);
            match store::close(&self.pool, round, &decision, ballots.len()).await? {
                Closed::Now => {
                    tracing::info!(task = %round.task, attempt = round.attempt, round = round.number,
                        outcome = decision.decision.as_str(), reason = decision.reason, "decided");
                    self.metrics.reviews.with_label_values(&[decision.decision.as_str()]).inc();
                    let silent = missing.iter().filter(|v| ballots.iter().all(|b| b.voter != v.name));
                    return Ok(Some(silent.count()));
                }
                Closed::Before => return Ok(None),
                // Kept by another replica meanwhile: it counts. Each voter has one, so this ends.
                Closed::MoreBallots => {}
            }
        }
    }

    /// Asks the missing voters at the same time, each until it has answered or the review closes.
    async fn collect(
        &self,
        (round, request): (&Round, &ReviewRequest),
        missing: &[Voter],
        closes_at: Timestamp,
        slot: &Slot,
    ) -> Result<(), Failure> {
        let (files, patch) = self.material(request).await?;
        let nonce = store::nonce(&self.pool, round).await?;
        let dissent = self.dissent(round, request).await?;
        let subject = Subject { request, nonce, patch: &patch, files: &files, dissent: &dissent };
        let question =
            Question { gateway: &self.gateway, metrics: &self.metrics, round, subject: &subject, slot };
        let asking = missing.iter().map(|voter| self.one(&question, voter, closes_at));
        join_all(asking).await.into_iter().collect()
    }

    async fn one(&self, question: &Question<'_>, voter: &Voter, closes_at: Timestamp) -> Result<(), Failure> {
        let hearing = question.open(voter);
        let said = if self.listen(question, &hearing, voter, closes_at).await? {
            question.ballot(&hearing)
        } else {
            Err("the review is over".to_owned())
        };
        match said {
            Ok(kept) if store::keep(&self.pool, question.round, &kept).await? => {
                let verdict = format!("{:?}", kept.ballot.verdict);
                self.metrics.ballots.with_label_values(&[&verdict]).inc();
            }
            Ok(_) => {}
            Err(why) => {
                tracing::warn!(task = %question.round.task, voter = voter.name, why, "a voter did not answer");
            }
        }
        Ok(())
    }

    /// Listens until the voter has answered or the review closes; false if nobody wants to know any more. The clock
    /// stands still while the task's calls wait for money, or the task is suspended: a voter that cannot be paid has not
    /// been silent.
    async fn listen(
        &self,
        question: &Question<'_>,
        hearing: &Hearing,
        voter: &Voter,
        closes_at: Timestamp,
    ) -> Result<bool, Failure> {
        let mut hear = std::pin::pin!(question.hear(hearing));
        loop {
            let (left, stands) = self.left(question.round, closes_at).await?;
            let wait = match (left.is_zero(), stands) {
                (true, _) => return Ok(true),
                (false, true) => STANDING.min(left),
                (false, false) => left,
            };
            if tokio::time::timeout(wait, &mut hear).await.is_ok() {
                return Ok(true);
            }
            if store::standing(&self.pool, question.round).await? != Standing::Open {
                return Ok(false);
            }
            if stands {
                // Nobody knows for how long; the team's other reviews do not wait for that.
                question.slot.stand_aside();
                tracing::info!(task = %question.round.task, voter = voter.name, "the review's clock stands still");
            }
        }
    }

    /// The time that the review has left, and whether its clock stands still now.
    async fn left(&self, round: &Round, closes_at: Timestamp) -> Result<(Duration, bool), Failure> {
        let pauses = store::pauses(&self.pool, round).await?;
        let closes_at = closes_at.saturating_add(SignedDuration::from_millis(pauses.millis));
        let closes_at = closes_at.map_err(|e| Failure::Poison(e.to_string()))?;
        Ok((left(closes_at, Timestamp::now()), pauses.open))
    }

    /// What was objected in the round that this one hears.
    async fn dissent(&self, round: &Round, request: &ReviewRequest) -> Result<Vec<Ballot>, Failure> {
        let Some(number) = request.hears else { return Ok(vec![]) };
        let ballots = store::ballots(&self.pool, &Round { number, ..round.clone() }).await?;
        Ok(ballots.into_iter().filter(|ballot| ballot.verdict == Verdict::Reject).collect())
    }

    /// The text files of the judged tree, and the patch that made it.
    async fn material(&self, request: &ReviewRequest) -> Result<(Files, String), Failure> {
        let tree = self.artifacts.get(&request.namespace, &request.digest).await?;
        let patch = self.artifacts.get(&request.namespace, &request.patch).await?;
        let patch =
            String::from_utf8(patch.to_vec()).map_err(|e| Failure::Poison(format!("the patch: {e}")))?;
        Ok((crate::evidence::files(&tree)?, patch))
    }
}

fn left(closes_at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(closes_at.duration_since(now)).unwrap_or_default()
}
