//! ModelProvider: whether its key may be used, whether its models have prices, and whether it answers, as the gateway's
//! replicas say: the operator never calls a model.

mod fallbacks;
mod limits;
mod reach;

use crate::context::Context;
use crate::effects::write_status;
use crate::error::Error;
use crate::models::is_outage;
use crate::models::{From, is_priced};
use crate::secrets::{self, Wanted};
use golden_crds::conditions::model_provider as reason;
use golden_crds::conditions::{
    FALLBACKS_USABLE, LIMITS_SHARED, Lifecycle, REACHABLE, READY, Status, find, remove_condition,
    set_condition, set_lifecycle,
};
use golden_crds::model_provider::CircuitStatus;
use golden_crds::{ModelProvider, ModelProviderStatus};
use golden_platform::provider_health;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};
use reach::{Reach, circuit, reach};
use std::sync::Arc;
use std::time::Duration;

/// Field manager.
const MANAGER: &str = "golden-modelprovider";
/// Secrets are not watched: a change is seen after this.
const RELIST: Duration = Duration::from_secs(30);

/// Why a provider is not ready.
#[derive(Debug)]
struct Fault {
    reason: &'static str,
    message: String,
}

/// Makes the status match one provider.
pub(crate) async fn reconcile(provider: Arc<ModelProvider>, ctx: Arc<Context>) -> Result<Action, Error> {
    if provider.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let secret = observe(&provider, &ctx).await?;
    let fault = secret.or_else(|| validate(&provider, &ctx.settings.namespace));
    let rows = rows(&provider, &ctx).await;
    let others = ctx.caches.providers.state();
    let namespace = provider.namespace().unwrap_or_default();
    let from = From { namespace: &namespace, golden: &ctx.settings.namespace, providers: &others };
    let seen = Seen {
        fault,
        reach: rows.as_ref().ok().map(|rows| reach(rows)),
        circuit: rows.as_ref().ok().and_then(|rows| circuit(rows)),
        limits: rows.as_ref().ok().and_then(|rows| limits::shared(rows)),
        fallback: fallbacks::fault(&provider, from),
        stood_in_for: fallbacks::one_answers(&provider, from),
    };
    report(&provider, seen, &ctx).await?;
    rows.map(|_| Action::requeue(RELIST))
}

/// What there is to say of a provider.
#[derive(Debug, Default)]
struct Seen {
    fault: Option<Fault>,
    /// None while Postgres is away: what was said before stands.
    reach: Option<Reach>,
    /// None, with `reach`, where nobody has asked it lately.
    circuit: Option<CircuitStatus>,
    /// None where there is nothing to say of how its limits are counted.
    limits: Option<Reach>,
    fallback: Option<Fault>,
    /// A fallback can answer.
    stood_in_for: bool,
}

async fn rows(provider: &ModelProvider, ctx: &Context) -> Result<Vec<provider_health::Row>, Error> {
    let uid = provider.uid().unwrap_or_default();
    let uid = uid.parse().map_err(|_| Error::Bug(format!("provider {} has no uid", provider.name_any())))?;
    let rows = provider_health::of_provider(&ctx.pool, uid).await;
    rows.map_err(|e| Error::database("read how the gateway fares with a provider", &e))
}

/// Reads the Secret, if one is named.
async fn observe(provider: &ModelProvider, ctx: &Context) -> Result<Option<Fault>, Error> {
    let Some(secret) = &provider.spec.secret_ref else { return Ok(None) };
    let wanted =
        Wanted { name: &secret.name, r#use: "model", url: &provider.spec.base_url, keys: &["apiKey"] };
    let fault = secrets::check(&ctx.client, &provider.namespace().unwrap_or_default(), wanted).await?;
    Ok(fault.map(|f| Fault { reason: f.reason, message: f.message }))
}

/// What can be seen in the provider alone.
fn validate(provider: &ModelProvider, golden: &str) -> Option<Fault> {
    let unpriced: Vec<&str> =
        provider.spec.models.iter().filter(|m| !is_priced(m)).map(|m| m.name.as_str()).collect();
    if !unpriced.is_empty() {
        return Some(Fault {
            reason: reason::MODEL_UNPRICED,
            message: format!(
                "no price: {}; write inputMicroUSDPerMToken and outputMicroUSDPerMToken, also when they are 0",
                unpriced.join(", ")
            ),
        });
    }
    if !provider.spec.allowed_namespaces.is_empty() && provider.namespace().as_deref() != Some(golden) {
        return Some(Fault {
            reason: reason::NOT_SHAREABLE,
            message: format!(
                "allowedNamespaces has an effect in namespace {golden} only; move the provider or remove it"
            ),
        });
    }
    None
}

async fn report(provider: &ModelProvider, seen: Seen, ctx: &Context) -> Result<(), Error> {
    let before = provider.status.clone().unwrap_or_default();
    let status = status(provider, seen, Timestamp::now());
    if status == before {
        return Ok(());
    }
    let api: Api<ModelProvider> =
        Api::namespaced(ctx.client.clone(), &provider.namespace().unwrap_or_default());
    write_status(&api, &ctx.caches.providers, MANAGER, provider, &status).await?;
    ctx.events.transitions(provider, &before.conditions, &status.conditions).await;
    Ok(())
}

fn status(provider: &ModelProvider, seen: Seen, now: Timestamp) -> ModelProviderStatus {
    let mut status = provider.status.clone().unwrap_or_default();
    let generation = provider.metadata.generation;
    status.observed_generation = generation;
    if seen.reach.is_some() {
        status.circuit = seen.circuit;
    }
    let conditions = &mut status.conditions;
    let unreached = seen.reach.as_ref().filter(|r| r.status == Status::False && !seen.stood_in_for);
    let (state, why, message) = match (seen.fault, unreached) {
        (Some(fault), _) => (Lifecycle::Stalled, fault.reason, fault.message),
        (None, Some(reach)) => (Lifecycle::Stalled, reach.reason, reach.message.clone()),
        (None, None) => (
            Lifecycle::Ready,
            reason::AVAILABLE,
            "the endpoint is configured and every model has a price".into(),
        ),
    };
    // While Postgres is away nothing new is known of the endpoint: what it made of Ready stands too.
    let stands = seen.reach.is_none() && state == Lifecycle::Ready && unreachable(conditions);
    if !stands {
        set_lifecycle(conditions, state, why, &message, generation, now);
    }
    if let Some(Reach { status, reason, message }) = &seen.reach {
        set_condition(conditions, REACHABLE, *status, reason, message, generation, now);
    }
    match &seen.limits {
        Some(Reach { status, reason, message }) => {
            set_condition(conditions, LIMITS_SHARED, *status, reason, message, generation, now);
        }
        None if seen.reach.is_some() => {
            remove_condition(conditions, LIMITS_SHARED);
        }
        None => {}
    }
    match seen.fallback {
        Some(Fault { reason, message }) => {
            set_condition(conditions, FALLBACKS_USABLE, Status::False, reason, &message, generation, now);
        }
        None if provider.spec.fallbacks.is_empty() => {
            remove_condition(conditions, FALLBACKS_USABLE);
        }
        None => {
            let (why, message) = (reason::AVAILABLE, "each can be asked");
            set_condition(conditions, FALLBACKS_USABLE, Status::True, why, message, generation, now);
        }
    }
    status
}

/// Whether Ready says that the endpoint does not answer.
fn unreachable(conditions: &[Condition]) -> bool {
    find(conditions, READY).is_some_and(|ready| is_outage(&ready.reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use golden_crds::conditions::is_true;
    use serde_json::{Value, json};

    fn provider(namespace: &str, allowed: &Value, price: &Value) -> ModelProvider {
        serde_json::from_value(json!({
            "apiVersion": "goldenarch.dev/v1alpha1", "kind": "ModelProvider",
            "metadata": {"name": "p", "namespace": namespace, "generation": 1},
            "spec": {"protocol": "OpenAI", "baseURL": "http://m", "allowedNamespaces": allowed, "models": [
                {"name": "m", "contextWindow": 10, "maxOutputTokens": 5, "inputMicroUSDPerMToken": price,
                 "outputMicroUSDPerMToken": price}]},
        }))
        .unwrap()
    }

    #[test]
    fn a_free_model_must_say_so_and_only_golden_can_offer_its_providers() {
        for (provider, want) in [
            (provider("team", &json!([]), &json!(0)), "Available"),
            (provider("team", &json!([]), &json!(null)), "ModelUnpriced"),
            (provider("team", &json!(["*"]), &json!(1)), "NotShareable"),
            (provider("golden-system", &json!(["*"]), &json!(1)), "Available"),
        ] {
            let seen = Seen { fault: validate(&provider, "golden-system"), ..Seen::default() };
            let status = status(&provider, seen, Timestamp::UNIX_EPOCH);
            assert_eq!(find(&status.conditions, READY).unwrap().reason, want);
            assert_eq!(is_true(&status.conditions, READY), want == "Available");
        }
    }

    #[test]
    fn ready_follows_the_endpoint_unless_a_fallback_can_answer_and_stands_while_nothing_is_known() {
        let down = || Reach { status: Status::False, reason: reason::BREAKER_OPEN, message: "m".into() };
        let mut provider = provider("team", &json!([]), &json!(0));
        let seen = |reach, stood_in_for| Seen { reach, stood_in_for, ..Seen::default() };
        for (seen, want) in [
            (seen(Some(down()), false), "BreakerOpen"),
            (seen(None, false), "BreakerOpen"),
            (seen(Some(down()), true), "Available"),
        ] {
            let now = status(&provider, seen, Timestamp::UNIX_EPOCH);
            assert_eq!(find(&now.conditions, READY).unwrap().reason, want);
            assert_eq!(find(&now.conditions, REACHABLE).unwrap().status, "False");
            provider.status = Some(now);
        }
    }
}
