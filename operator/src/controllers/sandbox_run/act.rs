//! The planned effect.

use super::MANAGER;
use super::observe::Seen;
use super::plan::{Effect, Plan};
use crate::build::network_policy::default_deny;
use crate::build::service_account::service_account;
use crate::context::Context;
use crate::effects::{Created, bounded, create, delete, ensure};
use crate::error::Error;
use golden_crds::SandboxRun;
use golden_platform::auth::RUN_ACCOUNT;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::{Api, ResourceExt};

/// What acting came to.
pub(crate) enum Acted {
    Done,
    /// The pod may not be created: quota, admission, rights.
    Refused(String),
    /// Somebody else's pod has the name.
    Taken,
}

/// Carries the plan out, but for what has to wait for the report.
pub(crate) async fn act(seen: &Seen, plan: &Plan, ctx: &Context) -> Result<Acted, Error> {
    match &plan.effect {
        Effect::Nothing | Effect::DeletePodAfterReport { .. } => Ok(Acted::Done),
        Effect::Create(pod) => start(seen, pod, ctx).await,
        Effect::DeleteRun => {
            let api: Api<SandboxRun> = Api::namespaced(ctx.client.clone(), &seen.namespace());
            delete(&api, &seen.run.name_any(), seen.run.uid().as_deref(), None).await?;
            Ok(Acted::Done)
        }
    }
}

/// What waits for the report: the pod goes once its result is stored.
pub(crate) async fn after(seen: &Seen, plan: &Plan, ctx: &Context) -> Result<(), Error> {
    let Effect::DeletePodAfterReport { name, uid } = &plan.effect else { return Ok(()) };
    let api: Api<Pod> = Api::namespaced(ctx.client.clone(), &seen.namespace());
    delete(&api, name, uid.as_deref(), None).await
}

async fn start(seen: &Seen, pod: &Pod, ctx: &Context) -> Result<Acted, Error> {
    account(&seen.namespace(), ctx).await?;
    let api: Api<Pod> = Api::namespaced(ctx.client.clone(), &seen.namespace());
    Ok(match create(&api, pod).await? {
        Created::Now(_) => Acted::Done,
        Created::Before(there) if seen.owns(&there) => Acted::Done,
        Created::Before(_) => Acted::Taken,
        Created::Refused(words) => Acted::Refused(words),
    })
}

/// A namespace without a team has no account for runs yet, nor their network policy.
async fn account(namespace: &str, ctx: &Context) -> Result<(), Error> {
    let api: Api<ServiceAccount> = Api::namespaced(ctx.client.clone(), namespace);
    if bounded(&format!("read serviceaccount {RUN_ACCOUNT}"), api.get_metadata_opt(RUN_ACCOUNT))
        .await?
        .is_some()
    {
        return Ok(());
    }
    let policies = Api::namespaced(ctx.client.clone(), namespace);
    ensure(&policies, MANAGER, &default_deny(namespace, &ctx.settings.namespace)).await?;
    ensure(&api, MANAGER, &service_account(namespace, RUN_ACCOUNT)).await
}
