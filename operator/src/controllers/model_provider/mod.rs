//! ModelProvider: whether its key may be used, and whether its models have prices. The endpoint itself is the
//! gateway's business: the operator never calls a model.

use crate::context::Context;
use crate::effects::write_status;
use crate::error::Error;
use crate::models::is_priced;
use crate::secrets::{self, Wanted};
use golden_crds::conditions::model_provider as reason;
use golden_crds::conditions::{Lifecycle, set_lifecycle};
use golden_crds::{ModelProvider, ModelProviderStatus};
use jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};
use std::sync::Arc;
use std::time::Duration;

/// Field manager.
const MANAGER: &str = "golden-modelprovider";
/// Secrets are not watched: a change is seen after this.
const RELIST: Duration = Duration::from_secs(30);

/// Why a provider is not ready.
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
    report(&provider, fault, &ctx).await?;
    Ok(Action::requeue(RELIST))
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

async fn report(provider: &ModelProvider, fault: Option<Fault>, ctx: &Context) -> Result<(), Error> {
    let before = provider.status.clone().unwrap_or_default();
    let status = status(provider, fault, Timestamp::now());
    if status == before {
        return Ok(());
    }
    let api: Api<ModelProvider> =
        Api::namespaced(ctx.client.clone(), &provider.namespace().unwrap_or_default());
    write_status(&api, &ctx.caches.providers, MANAGER, provider, &status).await?;
    ctx.events.transitions(provider, &before.conditions, &status.conditions).await;
    Ok(())
}

fn status(provider: &ModelProvider, fault: Option<Fault>, now: Timestamp) -> ModelProviderStatus {
    let mut status = provider.status.clone().unwrap_or_default();
    let generation = provider.metadata.generation;
    status.observed_generation = generation;
    let (state, why, message) = match fault {
        Some(fault) => (Lifecycle::Stalled, fault.reason, fault.message),
        None => (
            Lifecycle::Ready,
            reason::AVAILABLE,
            "the endpoint is configured and every model has a price".into(),
        ),
    };
    set_lifecycle(&mut status.conditions, state, why, &message, generation, now);
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use golden_crds::conditions::{READY, find, is_true};
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
            let status = status(&provider, validate(&provider, "golden-system"), Timestamp::UNIX_EPOCH);
            assert_eq!(find(&status.conditions, READY).unwrap().reason, want);
            assert_eq!(is_true(&status.conditions, READY), want == "Available");
        }
    }
}
