//! Effects on the apiserver: bounded in time, repeatable, each with the name of what was attempted.
//!
//! The client retries by itself for minutes; without a bound one slow answer would hold a controller that long.

use crate::error::Error;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

/// How long one call may take, with the client's own retries.
pub(crate) const CALL: Duration = Duration::from_secs(15);

/// Bounds a call and names it.
pub(crate) async fn bounded<T>(
    action: &str,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(CALL, call).await {
        Ok(answer) => answer.map_err(|e| Error::kube(action, e)),
        Err(_) => Err(Error::TimedOut { action: action.into(), seconds: CALL.as_secs() }),
    }
}

/// What became of an attempt to create an object.
#[derive(Debug)]
pub(crate) enum Created<K> {
    Now(K),
    /// An object of that name is there already; whose it is, the caller checks.
    Before(K),
    /// Quota, admission or missing rights; the apiserver's words.
    Refused(String),
}

/// Creates an object, or finds the one that is there.
pub(crate) async fn create<K>(api: &Api<K>, object: &K) -> Result<Created<K>, Error>
where
    K: Resource + Serialize + DeserializeOwned + Clone + Debug,
{
    let name = object.meta().name.clone().unwrap_or_default();
    let action = format!("create {name}");
    match bounded(&action, api.create(&PostParams::default(), object)).await {
        Ok(made) => Ok(Created::Now(made)),
        Err(Error::Kube { source, .. }) if is_exists(&source) => {
            let there = bounded(&format!("read {name}"), api.get(&name)).await?;
            Ok(Created::Before(there))
        }
        Err(e) => match e.refusal() {
            Some(words) => Ok(Created::Refused(words)),
            None => Err(e),
        },
    }
}

fn is_exists(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_already_exists())
}

/// Makes the object as wanted by server-side apply, if it is not so already: an equal object costs no write.
pub(crate) async fn ensure<K>(api: &Api<K>, manager: &str, wanted: &K) -> Result<(), Error>
where
    K: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Clone + Debug,
{
    let name = wanted.meta().name.clone().unwrap_or_default();
    let kind = K::kind(&()).to_lowercase();
    let live = bounded(&format!("read {kind} {name}"), api.get_opt(&name)).await?;
    let wish = to_value(wanted)?;
    if let Some(live) = live
        && covers(&to_value(&live)?, &wish)
    {
        return Ok(());
    }
    let params = PatchParams::apply(manager).force();
    bounded(&format!("apply {kind} {name}"), api.patch(&name, &params, &Patch::Apply(&wish))).await?;
    Ok(())
}

/// Whether everything that is wanted is so in the live object. What the apiserver defaulted or others added is
/// no difference.
pub(crate) fn covers(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| live.get(key).is_some_and(|l| covers(l, value)))
        }
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(l, w)| covers(l, w))
        }
        _ => live == wanted,
    }
}

/// Deletes the object if it is still the one with this uid. A missing one is as good.
pub(crate) async fn delete<K>(
    api: &Api<K>,
    name: &str,
    uid: Option<&str>,
    grace: Option<u32>,
) -> Result<(), Error>
where
    K: Clone + DeserializeOwned + Debug,
{
    let params = DeleteParams {
        grace_period_seconds: grace,
        preconditions: uid.map(|uid| Preconditions { uid: Some(uid.into()), resource_version: None }),
        ..DeleteParams::background()
    };
    match bounded(&format!("delete {name}"), api.delete(name, &params)).await {
        // A conflict means that another object has the name now, which is not ours to delete.
        Err(Error::Kube { source, .. }) if matches!(source.as_ref(), kube::Error::Api(s) if s.is_not_found() || s.is_conflict()) => {
            Ok(())
        }
        other => other.map(drop),
    }
}

/// How long a written status may take to come back by the watch.
const ECHO: Duration = Duration::from_secs(2);

/// Writes the whole status in one request, and waits until the cache has it: a reconcile on the old one would write
/// it again. The uid keeps it from landing on a recreated object.
pub(crate) async fn write_status<K, S>(
    api: &Api<K>,
    cache: &Store<K>,
    manager: &str,
    object: &K,
    status: &S,
) -> Result<(), Error>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + 'static,
    S: Serialize,
{
    let name = object.meta().name.clone().unwrap_or_default();
    let body = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {"name": name, "uid": object.meta().uid},
        "status": status,
    });
    let params = PatchParams::apply(manager).force();
    let kind = K::kind(&());
    let action = format!("write the status of {kind} {name}");
    match bounded(&action, api.patch_status(&name, &params, &Patch::Apply(&body))).await {
        Ok(written) => {
            if written.meta().resource_version != object.meta().resource_version {
                // A late echo costs a repeated write and nothing else.
                let _ = tokio::time::timeout(ECHO, echoed(cache, object)).await;
            }
            Ok(())
        }
        // Gone or recreated while we worked: there is nobody to tell.
        Err(Error::Kube { source, .. }) if matches!(source.as_ref(), kube::Error::Api(s) if s.is_not_found()) => {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Returns when the cache has another version than the one that was read.
async fn echoed<K>(cache: &Store<K>, read: &K)
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    let key = ObjectRef::from_obj(read);
    while cache.get(&key).is_some_and(|now| now.meta().resource_version == read.meta().resource_version) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn to_value(object: &impl Serialize) -> Result<Value, Error> {
    serde_json::to_value(object).map_err(|e| Error::Bug(format!("an object cannot be written as JSON: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_apiserver_adds_is_no_difference_and_what_people_change_is() {
        let wanted = json!({"spec": {"a": 1, "list": [{"name": "x", "v": 1}]}});
        let live = json!({"spec": {"a": 1, "defaulted": true, "list": [{"name": "x", "v": 1, "more": 2}]}, "status": {}});
        assert!(covers(&live, &wanted));
        for drifted in [
            json!({"spec": {"a": 2, "list": [{"name": "x", "v": 1}]}}),
            json!({"spec": {"a": 1, "list": []}}),
            json!({"spec": {"a": 1, "list": [{"name": "x", "v": 1}, {"name": "y"}]}}),
            json!({"spec": {"list": [{"name": "x", "v": 1}]}}),
        ] {
            assert!(!covers(&drifted, &wanted), "{drifted}");
        }
    }
}
