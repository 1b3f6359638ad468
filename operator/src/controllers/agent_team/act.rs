//! The planned effects. One that fails does not keep the others from being made.

use super::MANAGER;
use super::observe::Seen;
use super::plan::{FINALIZER, Plan, Rest};
use crate::context::Context;
use crate::effects::{bounded, delete, ensure};
use crate::error::Error;
use golden_crds::AgentTeam;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

/// What acting came to.
#[derive(Debug, Default)]
pub(crate) struct Acted {
    /// A child that the apiserver refuses: quota, admission, rights.
    pub(crate) refused: Option<String>,
}

/// Carries the plan out.
pub(crate) async fn act(seen: &Seen, plan: &Plan, ctx: &Context) -> Result<Acted, Error> {
    if plan.add_finalizer {
        // Before anything is made that it has to clean up.
        set_finalizers(&seen.team, &[FINALIZER], ctx).await?;
    }
    let mut first: Option<Error> = None;
    let mut keep = |result: Result<(), Error>| {
        if let Err(error) = result {
            tracing::warn!(team = seen.team.name_any(), %error, "a child of the team could not be made");
            first.get_or_insert(error);
        }
    };
    let deployments = Api::namespaced(ctx.client.clone(), &ctx.settings.namespace);
    for wanted in &plan.deployments {
        keep(ensure(&deployments, MANAGER, wanted).await);
    }
    if let Some(wanted) = &plan.rest {
        // A reader's account may open nothing before the row says which namespace of this name it belongs to.
        match row(seen, ctx).await {
            Ok(()) => keep(accounts(seen, wanted, ctx).await),
            Err(error) => keep(Err(error)),
        }
        keep(rest(seen, wanted, ctx).await);
        keep(streams(seen, ctx).await);
    }
    match first {
        None => {
            if seen.look {
                ctx.teams_checked.done(&seen.uid.to_string(), seen.team.metadata.generation.unwrap_or(0));
            }
            Ok(Acted::default())
        }
        Some(error) => match error.refusal() {
            Some(words) => Ok(Acted { refused: Some(words) }),
            None => Err(error),
        },
    }
}

async fn accounts(seen: &Seen, wanted: &Rest, ctx: &Context) -> Result<(), Error> {
    for account in &wanted.accounts {
        ensure(&Api::namespaced(ctx.client.clone(), &seen.namespace()), MANAGER, account).await?;
    }
    Ok(())
}

async fn rest(seen: &Seen, wanted: &Rest, ctx: &Context) -> Result<(), Error> {
    let home = seen.namespace();
    ensure(&Api::namespaced(ctx.client.clone(), &home), MANAGER, &wanted.network_policy).await?;
    let golden = &ctx.settings.namespace;
    for service in &wanted.services {
        ensure(&Api::namespaced(ctx.client.clone(), golden), MANAGER, service).await?;
    }
    let budgets: Api<PodDisruptionBudget> = Api::namespaced(ctx.client.clone(), golden);
    for budget in &wanted.budgets {
        ensure(&budgets, MANAGER, budget).await?;
    }
    for name in &wanted.no_budgets {
        delete(&budgets, name, None, None).await?;
    }
    Ok(())
}

/// The team's row: what services read of it, and what the record of its tasks refers to.
async fn row(seen: &Seen, ctx: &Context) -> Result<(), Error> {
    let spec = serde_json::to_value(&seen.team.spec)
        .map_err(|e| Error::Bug(format!("a team cannot be written: {e}")))?;
    sqlx::query(
        "INSERT INTO teams (team_uid, namespace, name, generation, spec, namespace_uid) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (team_uid) DO UPDATE SET generation = excluded.generation, spec = excluded.spec,
                                              namespace_uid = excluded.namespace_uid
         WHERE teams.generation < excluded.generation OR teams.namespace_uid IS NULL",
    )
    .bind(seen.uid)
    .bind(seen.namespace())
    .bind(seen.team.name_any())
    .bind(seen.team.metadata.generation.unwrap_or(0))
    .bind(spec)
    .bind(ctx.caches.namespace_uid(&seen.namespace()))
    .execute(&ctx.pool)
    .await
    .map(drop)
    .map_err(|e| Error::database("write the team", &e))
}

async fn streams(seen: &Seen, ctx: &Context) -> Result<(), Error> {
    let changes = golden_platform::streams::ensure(&ctx.jetstream, seen.uid)
        .await
        .map_err(|e| Error::messaging("make the team's streams", &e))?;
    if !changes.is_empty() {
        tracing::info!(team = seen.team.name_any(), ?changes, "streams");
    }
    Ok(())
}

/// Sets our finalizers; those of others stay. The uid keeps a deleted team from being made again by this.
pub(crate) async fn set_finalizers(
    team: &AgentTeam,
    finalizers: &[&str],
    ctx: &Context,
) -> Result<(), Error> {
    let name = team.name_any();
    let api: Api<AgentTeam> = Api::namespaced(ctx.client.clone(), &team.namespace().unwrap_or_default());
    let body = json!({
        "apiVersion": "goldenarch.dev/v1alpha1",
        "kind": "AgentTeam",
        "metadata": {"name": name, "uid": team.uid(), "finalizers": finalizers},
    });
    let params = PatchParams::apply(MANAGER).force();
    let patched = bounded(
        &format!("set the finalizer of team {name}"),
        api.patch(&name, &params, &Patch::Apply(&body)),
    )
    .await;
    match patched {
        Err(Error::Kube { source, .. })
            if matches!(source.as_ref(), kube::Error::Api(s) if s.is_not_found() || s.is_conflict())
                && finalizers.is_empty() =>
        {
            Ok(())
        }
        other => other.map(drop),
    }
}
