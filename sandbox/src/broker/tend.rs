//! One request from its arrival to its fact.

use super::judge::{self, Evidence, guard_outcome, is_over};
use super::metrics::Metrics;
use super::request::{is_same, sandbox_run};
use golden_crds::SandboxRun;
use golden_crds::conditions::sandbox_run as reason;
use golden_platform::artifacts::Store;
use golden_platform::config::TeamArgs;
use golden_platform::consumer::{Delivery, Failure};
use golden_platform::facts;
use golden_platform::wire::{Fact, GuardOutcome, GuardRequest, Message, NewFact};
use golden_platform::{Class, Classify as _};
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::core::Status;
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt as _};
use sqlx::PgPool;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A single call to the apiserver may take this long; its client alone would repeat for minutes.
const CALL: Duration = Duration::from_secs(15);
/// How often a run is read anew while it is watched: a watch that went silent costs at most this.
const LOOK: Duration = Duration::from_secs(30);

/// What the broker works with. Cheap to clone.
#[derive(Clone)]
pub struct Broker {
    pub pool: PgPool,
    pub client: kube::Client,
    pub artifacts: Store,
    pub metrics: Metrics,
    pub team: TeamArgs,
    /// Image of the guards that come with Golden.
    pub golden_image: String,
}

/// A request with whose it is.
struct Asked {
    task: Uuid,
    attempt: u32,
    request: GuardRequest,
}

/// What a run came to.
enum End {
    Over(Box<SandboxRun>),
    /// Somebody deleted the run.
    Vanished,
    /// The task ended meanwhile: nobody waits for the outcome.
    NotWanted,
}

impl Broker {
    /// Handles one message. Acknowledged means: the fact is in the database, or nobody wants it any more.
    pub async fn handle(&self, delivery: Delivery) -> Result<(), Failure> {
        let asked = self.read(delivery)?;
        let start = Instant::now();
        let _running = self.metrics.running();
        if self.known(&asked).await? || self.task_ended(&asked).await? {
            return Ok(());
        }
        let run = match self.ensure(&asked).await? {
            Ok(run) => run,
            Err(words) => {
                let uid = Uuid::new_v5(&asked.task, asked.request.run_name.as_bytes());
                let outcome =
                    judge::not_run(&asked.request, asked.attempt, uid, reason::CHILD_REFUSED, &words);
                return self.tell(&asked, outcome, start).await;
            }
        };
        let uid = uid_of(&run)?;
        let outcome = match self.wait(&asked, &run).await? {
            End::NotWanted => return self.drop_run(&run).await,
            End::Vanished => {
                let words = "the SandboxRun was deleted before it ended";
                judge::not_run(&asked.request, asked.attempt, uid, reason::CANCELLED, words)
            }
            End::Over(run) => {
                let status = run.status.clone().unwrap_or_default();
                let evidence = self.evidence(&run).await?;
                guard_outcome(&asked.request, asked.attempt, uid, &status, &evidence)
            }
        };
        self.tell(&asked, outcome, start).await
    }

    /// Checks that the message is this team's: a namespace in a message is no right to act there.
    fn read(&self, delivery: Delivery) -> Result<Asked, Failure> {
        let envelope = delivery.envelope;
        let Message::GuardRequested(request) = envelope.message else {
            return Err(Failure::Poison("this is no guard request".into()));
        };
        if envelope.team != self.team.team_uid || request.namespace != self.team.team_namespace {
            let words = format!("a guard request for team {} in {}", envelope.team, request.namespace);
            return Err(Failure::Poison(format!("{words} is not for this team")));
        }
        Ok(Asked { task: envelope.task, attempt: envelope.attempt, request: *request })
    }

    /// Whether the fact of this run is there: the message is a repeated one.
    async fn known(&self, asked: &Asked) -> Result<bool, Failure> {
        let known: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM facts WHERE team_uid = $1 AND task_uid = $2 AND fact_key = $3
             AND body->>'sandboxRun' = $4)",
        )
        .bind(self.team.team_uid)
        .bind(asked.task)
        .bind(asked.key())
        .bind(&asked.request.run_name)
        .fetch_one(&self.pool)
        .await?;
        Ok(known)
    }

    async fn task_ended(&self, asked: &Asked) -> Result<bool, Failure> {
        let ended: Option<bool> =
            sqlx::query_scalar("SELECT ended_at IS NOT NULL FROM tasks WHERE task_uid = $1")
                .bind(asked.task)
                .fetch_optional(&self.pool)
                .await?;
        Ok(ended.unwrap_or(false))
    }

    /// The run, made now or before; or the words of a refusal.
    async fn ensure(&self, asked: &Asked) -> Result<Result<SandboxRun, String>, Failure> {
        let wanted = sandbox_run(&asked.request, asked.task, self.team.team_uid, &self.golden_image);
        let api = self.runs();
        match bounded(api.create(&PostParams::default(), &wanted)).await? {
            Ok(run) => Ok(Ok(run)),
            Err(e) if said(&e, Status::is_already_exists) => {
                let there = bounded(api.get_opt(&asked.request.run_name)).await?.map_err(|e| away(&e))?;
                match there {
                    Some(there) if is_same(&there, &wanted) => Ok(Ok(there)),
                    Some(_) => {
                        Ok(Err(format!("SandboxRun {} belongs to other work", asked.request.run_name)))
                    }
                    None => Err(Failure::Transient("the SandboxRun vanished while it was read".into())),
                }
            }
            Err(e) if said(&e, Status::is_invalid) || said(&e, Status::is_forbidden) => {
                Ok(Err(format!("the apiserver refused SandboxRun {}: {e}", asked.request.run_name)))
            }
            // The namespace is going, and the task with it.
            Err(e) if said(&e, Status::is_not_found) => {
                Err(Failure::Transient(format!("the namespace is not there: {e}")))
            }
            Err(e) => Err(away(&e)),
        }
    }

    /// Watches until the run is over; reads it anew now and then, and asks whether it is still wanted.
    async fn wait(&self, asked: &Asked, run: &SandboxRun) -> Result<End, Failure> {
        let (api, name, uid) = (self.runs(), run.name_any(), run.uid());
        loop {
            let same = uid.clone();
            let over = await_condition(api.clone(), &name, move |now: Option<&SandboxRun>| {
                now.is_none_or(|now| is_over(now) || now.uid() != same)
            });
            if let Ok(Err(error)) = tokio::time::timeout(LOOK, over).await {
                tracing::info!(%error, run = name, "the watch ended; watching again");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            match bounded(api.get_opt(&name)).await?.map_err(|e| away(&e))? {
                Some(now) if now.uid() == uid && is_over(&now) => return Ok(End::Over(Box::new(now))),
                Some(now) if now.uid() == uid => {}
                _ => return Ok(End::Vanished),
            }
            if self.task_ended(asked).await? {
                return Ok(End::NotWanted);
            }
        }
    }

    /// What the run said: the kept streams, or the tail in its status where they cannot be had.
    async fn evidence(&self, run: &SandboxRun) -> Result<Evidence, Failure> {
        let Some(status) = &run.status else { return Ok(Evidence::default()) };
        let digest = |of: &str| status.artifacts.iter().find(|a| a.path == of).map(|a| a.digest.clone());
        let output_digest = digest("stdout").or_else(|| digest("stderr"));
        let mut output = Vec::new();
        for digest in ["stdout", "stderr"].into_iter().filter_map(digest) {
            match self.artifacts.get(&self.team.team_namespace, &digest).await {
                Ok(bytes) => output.extend_from_slice(&bytes),
                Err(e) if e.class() == Class::Dependency => return Err(Failure::Dependency(e.to_string())),
                Err(error) => tracing::warn!(%error, run = run.name_any(), "an output cannot be read"),
            }
        }
        if output.is_empty() {
            output = status.output_tail.clone().unwrap_or_default().into_bytes();
        }
        Ok(Evidence { output, output_digest })
    }

    async fn tell(&self, asked: &Asked, outcome: GuardOutcome, start: Instant) -> Result<(), Failure> {
        let (verdict, reason) = (outcome.verdict.clone(), outcome.reason.clone());
        let fact = NewFact {
            team_uid: self.team.team_uid,
            task_uid: asked.task,
            object_uid: outcome.run_uid,
            fact_key: asked.key(),
            fact: Fact::Guard(outcome),
        };
        let mut transaction = self.pool.begin().await?;
        let new = facts::insert(&mut transaction, &fact).await?;
        transaction.commit().await?;
        if new {
            self.metrics.ended(&verdict, &reason, start.elapsed().as_secs_f64());
            tracing::info!(task = %asked.task, run = asked.request.run_name, verdict, reason, "guard ended");
        }
        Ok(())
    }

    async fn drop_run(&self, run: &SandboxRun) -> Result<(), Failure> {
        let exactly = Preconditions { uid: run.uid(), resource_version: None };
        let params = DeleteParams::default().preconditions(exactly);
        match bounded(self.runs().delete(&run.name_any(), &params)).await? {
            Ok(_) => Ok(()),
            Err(e) if said(&e, Status::is_not_found) || said(&e, Status::is_conflict) => Ok(()),
            Err(e) => Err(away(&e)),
        }
    }

    fn runs(&self) -> Api<SandboxRun> {
        Api::namespaced(self.client.clone(), &self.team.team_namespace)
    }
}

impl Asked {
    fn key(&self) -> String {
        format!("guard/{}/{}", self.attempt, self.request.guard.name)
    }
}

fn uid_of(run: &SandboxRun) -> Result<Uuid, Failure> {
    let uid = run.uid().unwrap_or_default();
    uid.parse().map_err(|e| Failure::Transient(format!("the uid {uid:?} of a SandboxRun is none: {e}")))
}

/// Whether the apiserver answered, and with this.
fn said(error: &kube::Error, what: fn(&Status) -> bool) -> bool {
    matches!(error, kube::Error::Api(status) if what(status))
}

/// The apiserver's trouble is not the message's fault.
fn away(error: &kube::Error) -> Failure {
    Failure::Dependency(format!("the apiserver does not answer as it should: {error}"))
}

async fn bounded<T>(call: impl Future<Output = kube::Result<T>>) -> Result<kube::Result<T>, Failure> {
    tokio::time::timeout(CALL, call)
        .await
        .map_err(|_| Failure::Dependency("the apiserver does not answer in time".into()))
}
