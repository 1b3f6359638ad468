//! The election's I/O: read the Lease, act as decided, tell who asks whether we lead.

use super::decide::{Step, decide};
use crate::error::Error;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::PostParams;
use kube::{Api, Client};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

const NAME: &str = "golden-operator";
/// A follower takes over when the lease was not renewed for so long.
const DURATION: Duration = Duration::from_secs(15);
/// The leader gives up when it could not renew for so long: well before another may take over.
const DEADLINE: Duration = Duration::from_secs(10);
const INTERVAL: Duration = Duration::from_secs(2);
const CALL: Duration = Duration::from_secs(4);

/// Whether this process leads.
#[derive(Clone, Debug)]
pub(crate) struct Leadership(watch::Receiver<bool>);

impl Leadership {
    /// Whether this process leads now.
    pub(crate) fn held(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when this process leads.
    pub(crate) async fn acquired(&mut self) {
        // The sender lives as long as the process: an error is the end of it.
        let _ = self.0.wait_for(|leads| *leads).await;
    }
}

/// The election of one process.
pub(crate) struct Election {
    api: Api<Lease>,
    me: String,
    leads: watch::Sender<bool>,
    /// The Lease's resource version as last seen, and since when.
    seen: Option<(String, Instant)>,
    renewed: Option<Instant>,
}

impl Election {
    /// An election in Golden's namespace under the name `me`, which no other process may have.
    pub(crate) fn new(client: Client, namespace: &str, me: String) -> (Self, Leadership) {
        let (leads, receiver) = watch::channel(false);
        let api = Api::namespaced(client, namespace);
        (Self { api, me, leads, seen: None, renewed: None }, Leadership(receiver))
    }

    /// Runs until `stop` resolves, and then releases the lease; or until a held lease is lost, which is an error:
    /// the process has to end, since what it does may be done by another now.
    pub(crate) async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), Error> {
        tokio::pin!(stop);
        loop {
            if let Err(error) = self.turn().await {
                tracing::warn!(%error, "the leader election could not read or write its Lease");
            }
            if *self.leads.borrow() && self.renewed.is_none_or(|at| at.elapsed() > DEADLINE) {
                let _ = self.leads.send(false);
                return Err(Error::TimedOut {
                    action: "renew the Lease golden-operator".into(),
                    seconds: DEADLINE.as_secs(),
                });
            }
            tokio::select! {
                () = &mut stop => break,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
        self.release().await;
        Ok(())
    }

    async fn turn(&mut self) -> Result<(), Error> {
        let lease = call("read the Lease", self.api.get_opt(NAME)).await?;
        let unchanged = self.unchanged_for(lease.as_ref());
        let step = decide(lease.as_ref().and_then(|l| l.spec.as_ref()), &self.me, unchanged);
        let led = *self.leads.borrow();
        match step {
            Step::Wait => {
                if led {
                    // Somebody took it while we held it: whatever the reason, two must not act.
                    self.renewed = None;
                }
                return Ok(());
            }
            Step::Renew | Step::Acquire => self.write(lease, step).await?,
        }
        self.renewed = Some(Instant::now());
        if !led {
            tracing::info!(identity = self.me, "this operator leads now");
            let _ = self.leads.send(true);
        }
        Ok(())
    }

    fn unchanged_for(&mut self, lease: Option<&Lease>) -> Duration {
        let version = lease.and_then(|l| l.metadata.resource_version.clone()).unwrap_or_default();
        match &self.seen {
            Some((seen, since)) if *seen == version => since.elapsed(),
            _ => {
                self.seen = Some((version, Instant::now()));
                Duration::ZERO
            }
        }
    }

    /// Creates or replaces the Lease. The resource version makes that a compare-and-swap.
    async fn write(&self, lease: Option<Lease>, step: Step) -> Result<(), Error> {
        let Some(mut lease) = lease else {
            let mut fresh = Lease::default();
            fresh.metadata.name = Some(NAME.into());
            fresh.spec = Some(held(&self.me, LeaseSpec::default(), step));
            return call("create the Lease", self.api.create(&PostParams::default(), &fresh)).await.map(drop);
        };
        lease.metadata.managed_fields = None;
        lease.spec = Some(held(&self.me, lease.spec.unwrap_or_default(), step));
        call("renew the Lease", self.api.replace(NAME, &PostParams::default(), &lease)).await.map(drop)
    }

    /// Lets a follower take over at once instead of after the lease's duration.
    async fn release(&self) {
        if !*self.leads.borrow() {
            return;
        }
        let _ = self.leads.send(false);
        let released = async {
            let mut lease = call("read the Lease", self.api.get(NAME)).await?;
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_deref() != Some(&self.me) {
                return Ok(());
            }
            spec.holder_identity = Some(String::new());
            lease.metadata.managed_fields = None;
            call("release the Lease", self.api.replace(NAME, &PostParams::default(), &lease)).await.map(drop)
        };
        if let Err(error) = released.await {
            tracing::warn!(%error, "the Lease could not be released; a follower waits until it expires");
        }
    }
}

fn held(me: &str, before: LeaseSpec, step: Step) -> LeaseSpec {
    let now = MicroTime(Timestamp::now());
    let taken = step == Step::Acquire;
    LeaseSpec {
        holder_identity: Some(me.into()),
        lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
        renew_time: Some(now.clone()),
        acquire_time: if taken { Some(now) } else { before.acquire_time },
        lease_transitions: Some(before.lease_transitions.unwrap_or(0) + i32::from(taken)),
        ..before
    }
}

async fn call<T>(action: &str, call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Error> {
    match tokio::time::timeout(CALL, call).await {
        Ok(answer) => answer.map_err(|e| Error::kube(action, e)),
        Err(_) => Err(Error::TimedOut { action: action.into(), seconds: CALL.as_secs() }),
    }
}
