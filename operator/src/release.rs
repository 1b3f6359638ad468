//! `golden release`, before the chart is uninstalled: what only the operator could take away later is taken away now.
//!
//! Without it an uninstall leaves teams with a finalizer that nobody serves, so that they, their namespaces and the
//! kinds themselves stay in Terminating for ever; and the teams' services, which are no part of the release, would go
//! on without stores. The operator is stopped first: it would put back what is taken off. Every step may run twice.

use crate::controllers::agent_task::is_terminal;
use crate::controllers::agent_team::FINALIZER;
use crate::effects::{bounded, delete};
use crate::error::Error;
use anyhow::Context as _;
use golden_crds::AgentTeam;
use golden_crds::labels::TEAM_UID;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{ListParams, Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;
use std::time::Duration;

/// The chart's name of the operator's Deployment.
const OPERATOR: &str = "golden-operator";
/// The chart's labels of its pods.
const OPERATORS_PODS: &str = "app.kubernetes.io/name=golden,app.kubernetes.io/component=operator";
/// Between two looks at the operator's pods.
const PAUSE: Duration = Duration::from_secs(1);
/// Objects a page.
const PAGE: u32 = 500;
/// Tries at one team whose metadata somebody else changes at the same time.
const TRIES: u32 = 5;

/// Arguments of `golden release`.
#[derive(Clone, Debug, clap::Args)]
pub struct ReleaseArgs {
    /// Golden's own namespace.
    #[arg(long, env = "GOLDEN_NAMESPACE", default_value = "golden-system")]
    pub namespace: String,
    /// How long all of it may take, in seconds, the operator's end (at most 30 s) included.
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout_seconds: u64,
}

/// What was taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// Teams whose finalizer was taken off.
    pub teams: usize,
    /// Deployments, Services and PodDisruptionBudgets of teams.
    pub children: usize,
}

/// Releases the cluster that this process runs in, or that of the kubeconfig.
///
/// # Errors
/// When the cluster does not answer, refuses, or time runs out; what was done stays done, and it can be run again.
pub async fn release(args: ReleaseArgs) -> anyhow::Result<()> {
    golden_platform::telemetry::init("golden-release");
    let client = Client::try_default()
        .await
        .context("cannot find the cluster: no kubeconfig and no service account")?;
    let done = release_by(args, client).await?;
    tracing::info!(teams = done.teams, children = done.children, "released: Golden can be uninstalled");
    Ok(())
}

/// [`release`] with a client of its own, for tests.
///
/// # Errors
/// As [`release`].
pub async fn release_by(args: ReleaseArgs, client: Client) -> anyhow::Result<Released> {
    let limit = Duration::from_secs(args.timeout_seconds);
    let work = async {
        stop_the_operator(&args.namespace, &client).await?;
        let children = services(&args.namespace, &client).await?;
        Ok::<_, Error>(Released { children, teams: finalizers(&client).await? })
    };
    match tokio::time::timeout(limit, work).await {
        Ok(done) => Ok(done?),
        Err(_) => anyhow::bail!(
            "not released within {} s: if a pod of {OPERATOR} in {} does not end (its node may be lost), delete it with --force and uninstall again",
            args.timeout_seconds,
            args.namespace
        ),
    }
}

/// Scales it to nothing and waits until its last pod has ended: a leader in its last seconds still acts.
async fn stop_the_operator(namespace: &str, client: &Client) -> Result<(), Error> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let none = Patch::Merge(json!({"spec": {"replicas": 0}}));
    let scaled = bounded(
        &format!("scale {OPERATOR} to 0"),
        deployments.patch_scale(OPERATOR, &PatchParams::default(), &none),
    )
    .await;
    or_none(scaled)?;
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let ours = ListParams::default().labels(OPERATORS_PODS);
    while bounded("list the operator's pods", pods.list(&ours))
        .await?
        .items
        .iter()
        .any(|pod| !is_terminal(pod))
    {
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// Removes the teams' services in Golden's namespace; how many objects there were.
async fn services(namespace: &str, client: &Client) -> Result<usize, Error> {
    Ok(children::<Deployment>(namespace, client).await?
        + children::<Service>(namespace, client).await?
        + children::<PodDisruptionBudget>(namespace, client).await?)
}

async fn children<K>(namespace: &str, client: &Client) -> Result<usize, Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let found = all(&api, ListParams::default().labels(TEAM_UID)).await?;
    for child in &found {
        delete(&api, &child.name_any(), child.metadata.uid.as_deref(), None).await?;
    }
    Ok(found.len())
}

/// Takes our finalizer off every team; how many had it. Only metadata is read: a team that this version cannot read
/// must not keep its kind in Terminating.
async fn finalizers(client: &Client) -> Result<usize, Error> {
    let mut taken = 0;
    for team in all(&Api::<AgentTeam>::all(client.clone()), ListParams::default()).await? {
        let api = Api::namespaced(client.clone(), &team.namespace().unwrap_or_default());
        taken += usize::from(let_go(&api, &team.name_any()).await?);
    }
    Ok(taken)
}

/// Takes the finalizer off one team, whoever set it. Whether it had it.
async fn let_go(api: &Api<AgentTeam>, name: &str) -> Result<bool, Error> {
    let action = format!("take the finalizer off team {name}");
    let mut tried = 0;
    loop {
        let Some(team) = bounded(&format!("read team {name}"), api.get_metadata_opt(name)).await? else {
            return Ok(false);
        };
        let Some(patch) = without_finalizer(&team) else { return Ok(false) };
        tried += 1;
        match bounded(&action, api.patch_metadata(name, &PatchParams::default(), &Patch::Merge(patch))).await
        {
            Err(Error::Kube { source, .. }) if tried < TRIES && has_code(&source, 409) => {}
            other => return Ok(or_none(other)?.is_some()),
        }
    }
}

/// The change that takes our finalizer off and leaves those of others; none if it is not there. Bound to the version
/// that was read, so that a finalizer set meanwhile is not lost. Pure.
fn without_finalizer(team: &PartialObjectMeta<AgentTeam>) -> Option<Value> {
    let there = team.finalizers();
    let kept: Vec<_> = there.iter().filter(|f| *f != FINALIZER).collect();
    (kept.len() < there.len())
        .then(|| json!({"metadata": {"resourceVersion": team.resource_version(), "finalizers": kept}}))
}

/// The metadata of every object, in pages. A kind that is not served has none.
async fn all<K>(api: &Api<K>, select: ListParams) -> Result<Vec<PartialObjectMeta<K>>, Error>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let (mut found, mut params) = (Vec::new(), select.limit(PAGE));
    loop {
        let listed = bounded(&format!("list {}", K::plural(&())), api.list_metadata(&params)).await;
        let Some(page) = or_none(listed)? else { return Ok(found) };
        found.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params.continue_token = Some(token),
            None => return Ok(found),
        }
    }
}

/// What is not there needs no release.
fn or_none<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Error::Kube { source, .. }) if has_code(&source, 404) => Ok(None),
        Err(error) => Err(error),
    }
}

fn has_code(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn team(finalizers: &[&str]) -> PartialObjectMeta<AgentTeam> {
        let text = json!({"metadata": {"name": "core", "resourceVersion": "7", "finalizers": finalizers}});
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn our_finalizer_is_taken_off_and_those_of_others_stay() {
        assert_eq!(
            without_finalizer(&team(&["example/backup", FINALIZER])),
            Some(json!({"metadata": {"resourceVersion": "7", "finalizers": ["example/backup"]}}))
        );
        assert_eq!(
            without_finalizer(&team(&[FINALIZER])).unwrap().pointer("/metadata/finalizers"),
            Some(&json!([]))
        );
        assert_eq!(without_finalizer(&team(&["example/backup"])), None);
        assert_eq!(without_finalizer(&team(&[])), None);
    }

    #[test]
    fn an_operator_counts_until_its_pod_has_ended() {
        let pod =
            |status: Value| serde_json::from_value::<Pod>(json!({"metadata": {}, "status": status})).unwrap();
        assert!(!is_terminal(&pod(json!({"phase": "Running"}))) && !is_terminal(&pod(json!({}))));
        assert!(
            is_terminal(&pod(json!({"phase": "Succeeded"}))) && is_terminal(&pod(json!({"phase": "Failed"})))
        );
    }
}
