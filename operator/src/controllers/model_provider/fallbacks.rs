//! Whether a provider's fallbacks can be asked. Pure.

use super::Fault;
use crate::models::{From, find_provider, is_priced};
use golden_crds::ModelProvider;
use golden_crds::agent_team::ModelRef;
use golden_crds::conditions::model_provider as reason;
use golden_crds::conditions::{REACHABLE, READY, find};

/// What is wrong with the first of them that is never asked.
pub(super) fn fault(provider: &ModelProvider, from: From<'_>) -> Option<Fault> {
    provider.spec.fallbacks.iter().find_map(|wanted| usable(provider, wanted, from).err())
}

/// Whether one of them can answer, as far as is known.
pub(super) fn one_answers(provider: &ModelProvider, from: From<'_>) -> bool {
    provider.spec.fallbacks.iter().any(|wanted| {
        usable(provider, wanted, from).is_ok_and(|found| {
            let conditions = found.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
            ![READY, REACHABLE].iter().any(|t| find(conditions, t).is_some_and(|c| c.status == "False"))
        })
    })
}

fn usable<'a>(
    provider: &ModelProvider,
    wanted: &ModelRef,
    from: From<'a>,
) -> Result<&'a ModelProvider, Fault> {
    let name = format!("fallback {}/{}", wanted.provider, wanted.model);
    let fault = |reason, why: String| Fault { reason, message: format!("{name} {why}") };
    let found = find_provider(&wanted.provider, from).ok_or_else(|| {
        let why = format!(
            "names no ModelProvider of namespace {}, and none that {} offers to it",
            from.namespace, from.golden
        );
        fault(reason::FALLBACK_NOT_FOUND, why)
    })?;
    if found.spec.protocol != provider.spec.protocol {
        let why = format!(
            "speaks {:?}'s protocol and this provider {:?}'s; nothing is translated",
            found.spec.protocol, provider.spec.protocol
        );
        return Err(fault(reason::FALLBACK_PROTOCOL_DIFFERS, why));
    }
    let Some(model) = found.spec.models.iter().find(|m| m.name == wanted.model) else {
        return Err(fault(reason::FALLBACK_NOT_FOUND, "names no model that the ModelProvider lists".into()));
    };
    if !is_priced(model) {
        return Err(fault(reason::FALLBACK_UNPRICED, "has no price; write it, also when it is 0".into()));
    }
    Ok(found)
}
