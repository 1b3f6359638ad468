//! Tells the database how this replica fares with its providers, for the operator's status and the api.
//!
//! Written when it changes, and again and again: while a provider is asked for, and where it fails also if nobody asks any
//! more, since only a call shows that it answers again. A row that is not seen any more does not count: a gateway that dies
//! before it wrote leaves nothing; one that dies after it leaves a row that ages.

use crate::app::Gateway;
use crate::health::Health;
use golden_crds::conditions::model_provider::CACHE_UNREACHABLE;
use golden_platform::provider_health::{self, Standing};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How often it looks: bounds writes however often a breaker moves.
const LOOK: Duration = Duration::from_secs(1);
/// How often a provider that fails is told of again.
const AGAIN: Duration = Duration::from_secs(30);
/// How often one that answers is: what it said counts for a day.
const STEADY: Duration = Duration::from_hours(6);
/// Of one that answers and that nobody asked for so long, there is nothing to tell again.
const FORGOTTEN: Duration = Duration::from_mins(10);

/// What was written last of a provider.
type Written = HashMap<Uuid, (Standing, Instant)>;

/// The name of this process among those that tell.
pub(crate) fn replica() -> String {
    std::env::var("HOSTNAME").unwrap_or_else(|_| "gateway".to_owned())
}

/// Tells, until the gateway stops.
pub async fn tell(gateway: Arc<Gateway>, replica: String) {
    let mut written = Written::new();
    loop {
        tokio::select! {
            () = gateway.stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        for ((namespace, name), health) in gateway.providers.health_of_all() {
            tell_one(&gateway, &replica, (&namespace, &name), &health, &mut written).await;
        }
    }
}

async fn tell_one(
    gateway: &Gateway,
    replica: &str,
    (namespace, name): (&str, &str),
    health: &Health,
    written: &mut Written,
) {
    let (Some(uid), Some(standing)) = (health.uid(), health.standing()) else { return };
    let now = Instant::now();
    let asked = health.asked().is_some_and(|at| now.saturating_duration_since(at) < FORGOTTEN);
    if !due(written.get(&uid), &standing, asked, now) {
        return;
    }
    match provider_health::write(&gateway.pool, (namespace, name, uid), replica, &standing).await {
        Ok(()) => {
            written.insert(uid, (standing, now));
        }
        Err(error) => tracing::warn!(%error, provider = name, "its state is not written yet"),
    }
}

fn due(last: Option<&(Standing, Instant)>, standing: &Standing, asked: bool, now: Instant) -> bool {
    let Some((last, at)) = last else { return true };
    let bad = standing.trouble.is_some() || standing.limits == Some(CACHE_UNREACHABLE);
    let every = if bad { AGAIN } else { STEADY };
    let again = (bad || asked) && now.saturating_duration_since(*at) >= every;
    last != standing || again
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_at_once_and_a_failure_again_until_a_call_shows_another() {
        let now = Instant::now();
        let standing = |trouble, limits| Standing {
            state: "OPEN",
            failures: 0,
            trouble,
            message: String::new(),
            limits,
        };
        let (bad, good) = (standing(Some("BreakerOpen"), None), standing(None, Some("Shared")));
        let alone = standing(None, Some("CacheUnreachable"));
        let last = |standing: &Standing| Some((standing.clone(), now));
        for (last, standing, asked, after, want) in [
            (None, &good, true, 0, true),
            (last(&good), &bad, true, 0, true),
            (last(&bad), &good, false, 0, true),
            (last(&bad), &bad, true, 29, false),
            (last(&bad), &bad, true, 30, true),
            (last(&bad), &bad, false, 30, true),
            (last(&good), &alone, false, 0, true),
            (last(&alone), &alone, true, 30, true),
            (last(&alone), &alone, false, 3600, true),
            (last(&alone), &good, false, 0, true),
            (last(&good), &good, true, 300, false),
            (last(&good), &good, true, 6 * 3600, true),
            (last(&good), &good, false, 6 * 3600, false),
        ] {
            let now = now + Duration::from_secs(after);
            assert_eq!(due(last.as_ref(), standing, asked, now), want, "{last:?} {standing:?} {after}");
        }
    }
}
