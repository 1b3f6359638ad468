//! `golden doctor`: is everything there, and if not, what to mend.

use super::client::{Cluster, Connection};
use super::output::{Format, Table, json};
use golden_crds::ModelProvider;
use golden_crds::conditions::{LIMITS_SHARED, READY, find};
use golden_operator::KINDS;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::node::v1::RuntimeClass;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use serde::Serialize;

/// Where to look.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: Connection,
    /// A table for people, or JSON for programs.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// One thing looked at.
#[derive(Debug, Serialize)]
struct Check {
    what: String,
    /// `ok`, `warn` or `fail`.
    state: &'static str,
    /// What was seen, and what to do about it.
    detail: String,
}

fn check(what: impl Into<String>, state: &'static str, detail: impl Into<String>) -> Check {
    Check { what: what.into(), state, detail: detail.into() }
}

pub(crate) async fn run(args: Args) -> anyhow::Result<u8> {
    let cluster = args.connection.connect().await?;
    let mut checks = vec![server(&cluster).await];
    checks.extend(kinds(&cluster).await);
    checks.extend(workloads(&cluster).await);
    checks.push(isolation(&cluster).await);
    checks.extend(providers(&cluster).await);
    let code = u8::from(checks.iter().any(|c| c.state == "fail"));
    if args.output == Format::Json {
        json(&checks)?;
        return Ok(code);
    }
    let mut table = Table::new(&["CHECK", "STATE", "DETAIL"]);
    for c in checks {
        table.row([c.what, c.state.into(), c.detail]);
    }
    print!("{}", table.render());
    Ok(code)
}

async fn server(cluster: &Cluster) -> Check {
    match cluster.client.apiserver_version().await {
        Ok(version) => check("apiserver", "ok", version.git_version),
        Err(error) => {
            check("apiserver", "fail", format!("not reached: {error}; check KUBECONFIG and --context"))
        }
    }
}

async fn kinds(cluster: &Cluster) -> Vec<Check> {
    let api: Api<CustomResourceDefinition> = Api::all(cluster.client.clone());
    let mut checks = Vec::new();
    for kind in KINDS {
        let name = format!("{kind}.{}", golden_crds::GROUP);
        match api.get_opt(&name).await {
            Ok(Some(_)) => {}
            Ok(None) => checks.push(check(name, "fail", "not installed: helm install golden-crds")),
            Err(error) => checks.push(check(name, "warn", format!("cannot be read: {error}"))),
        }
    }
    if checks.is_empty() {
        checks.push(check("kinds", "ok", format!("all {} served", KINDS.len())));
    }
    checks
}

async fn workloads(cluster: &Cluster) -> Vec<Check> {
    let deployments: Api<Deployment> = Api::namespaced(cluster.client.clone(), &cluster.golden_namespace);
    let sets: Api<StatefulSet> = Api::namespaced(cluster.client.clone(), &cluster.golden_namespace);
    let mut checks = Vec::new();
    match deployments.list(&ListParams::default()).await {
        Ok(list) if list.items.is_empty() => checks.push(check(
            "installation",
            "fail",
            format!(
                "nothing runs in {}: helm install golden, or name its namespace with --golden-namespace",
                cluster.golden_namespace
            ),
        )),
        Ok(list) => checks.extend(list.items.iter().map(|d| {
            let status = d.status.as_ref();
            replicas(
                format!("deployment/{}", d.name_any()),
                d.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1),
                status.and_then(|s| s.available_replicas).unwrap_or(0),
            )
        })),
        Err(error) => checks.push(check("installation", "warn", format!("cannot be read: {error}"))),
    }
    if let Ok(list) = sets.list(&ListParams::default()).await {
        checks.extend(list.items.iter().map(|s| {
            replicas(
                format!("statefulset/{}", s.name_any()),
                s.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1),
                s.status.as_ref().and_then(|s| s.ready_replicas).unwrap_or(0),
            )
        }));
    }
    checks
}

fn replicas(what: String, wanted: i32, ready: i32) -> Check {
    if ready >= wanted {
        return check(what, "ok", format!("{ready}/{wanted}"));
    }
    let hint = format!("{ready}/{wanted} available: kubectl describe {what} and its pods' logs");
    check(what, "fail", hint)
}

async fn isolation(cluster: &Cluster) -> Check {
    let api: Api<RuntimeClass> = Api::all(cluster.client.clone());
    match api.get_opt("gvisor").await {
        Ok(Some(class)) => check("runtimeclass/gvisor", "ok", format!("handler {}", class.handler)),
        Ok(None) => check(
            "runtimeclass/gvisor",
            "warn",
            "missing: runs are refused until it exists, or a policy names a weaker class in spec.sandbox.runtimeClassName",
        ),
        Err(error) => check("runtimeclass/gvisor", "warn", format!("cannot be read: {error}")),
    }
}

async fn providers(cluster: &Cluster) -> Vec<Check> {
    let api: Api<ModelProvider> = Api::all(cluster.client.clone());
    let Ok(list) = api.list(&ListParams::default()).await else {
        return vec![check("modelproviders", "warn", "cannot be read")];
    };
    if list.items.is_empty() {
        return vec![check("modelproviders", "warn", "none: agents have no model to call")];
    }
    list.items.iter().flat_map(provider).collect()
}

/// What a provider says of itself: whether it can be called, and whether the gateway's replicas count its limits together.
/// That they do not keeps nobody from working.
fn provider(provider: &ModelProvider) -> Vec<Check> {
    let what = format!("modelprovider/{}/{}", provider.namespace().unwrap_or_default(), provider.name_any());
    let conditions = provider.status.as_ref().map_or(&[][..], |status| &status.conditions);
    let told = |c: &Condition| format!("{}: {}", c.reason, c.message);
    let ready = match find(conditions, READY) {
        Some(c) if c.status == "True" => check(&what, "ok", &provider.spec.base_url),
        Some(c) => check(&what, "fail", told(c)),
        None => check(&what, "warn", "not looked at yet"),
    };
    let limits = find(conditions, LIMITS_SHARED).map(|c| {
        let state = if c.status == "True" { "ok" } else { "warn" };
        check(format!("{what} limits"), state, told(c))
    });
    [Some(ready), limits].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_provider_says_whether_it_is_ready_and_whether_its_limits_are_shared() {
        let condition = |kind: &str, status: &str, reason: &str| {
            json!({"type": kind, "status": status, "reason": reason, "message": "in words",
                   "lastTransitionTime": "2026-01-01T00:00:00Z"})
        };
        let (ready, stalled) =
            (condition("Ready", "True", "Available"), condition("Ready", "False", "BreakerOpen"));
        let (shared, alone) = (
            condition("LimitsShared", "True", "Shared"),
            condition("LimitsShared", "False", "CacheUnreachable"),
        );
        for (conditions, want) in [
            (json!([]), vec![("shared", "warn", "not looked at yet")]),
            (json!([ready]), vec![("shared", "ok", "http://model")]),
            (
                json!([ready, shared]),
                vec![("shared", "ok", "http://model"), ("shared limits", "ok", "Shared: in words")],
            ),
            (
                json!([stalled, alone]),
                vec![
                    ("shared", "fail", "BreakerOpen: in words"),
                    ("shared limits", "warn", "CacheUnreachable: in words"),
                ],
            ),
        ] {
            let object = serde_json::from_value(json!({
                "apiVersion": "goldenarch.dev/v1alpha1", "kind": "ModelProvider",
                "metadata": {"name": "shared", "namespace": "golden-system"},
                "spec": {"protocol": "OpenAI", "baseURL": "http://model", "models": []},
                "status": {"conditions": conditions},
            }));
            let checks = provider(&object.unwrap());
            let seen: Vec<_> = checks
                .iter()
                .map(|c| {
                    (c.what.trim_start_matches("modelprovider/golden-system/"), c.state, c.detail.as_str())
                })
                .collect();
            assert_eq!(seen, want);
        }
    }
}
